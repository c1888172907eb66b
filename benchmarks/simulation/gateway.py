"""Stands between a run's requests and the real scheduler, as the runtime's gateway does.

Turns arrivals, tokens and failures into the scheduler's events, and its actions into requests at
replicas and purchases. Answers that break the scheduler's contract end the run, since its figures
would mean nothing: a target for a request that has one, a replica that never was, an offer that
is none of the request's own. A purchase of a request that may not leave is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import ParamSpec

from benchmarks.simulation.arrival_of import Arrivals
from benchmarks.simulation.clock import Clock
from benchmarks.simulation.engine import EngineRequest
from benchmarks.simulation.fleet import Fleet
from benchmarks.simulation.forecast import Forecast
from benchmarks.simulation.run_counters import Passage, Run, cost_nano
from benchmarks.simulation.stopwatch import Stopwatch
from benchmarks.simulation.workload import Request
from models.money import NanoUsd
from scheduler.decision import Action, Buy, Dispatch, Hold, Outcome, Reject
from scheduler.replica import LoadReport, Replica
from scheduler.state_machine import Scheduler

ATTEMPTS_MAX = 2
TICK_S = 0.05

P = ParamSpec("P")


class BrokenContract(RuntimeError):
    """The scheduler answered what it must never answer."""


class SimGateway:
    """The ``Watcher`` of a fleet. Set ``fleet`` before the clock runs."""

    fleet: Fleet

    def __init__(
        self,
        run: Run,
        scheduler: Scheduler,
        lengths: Forecast,
        clock: Clock,
        block_tokens: int,
        offer_failure_share: float,
    ) -> None:
        self.under_way: dict[str, Passage] = {}
        self.stopwatch = Stopwatch()
        self._run = run
        self._scheduler = scheduler
        self._lengths = lengths
        self._clock = clock
        self._arrivals = Arrivals(
            scheduler, lengths, run.pools, tuple(run.offers.values()), block_tokens
        )
        self._random = Random(f"{run.seed}:faults")
        self._offer_failure_share = offer_failure_share

    # Requests

    def arrive(self, request: Request) -> None:
        if request.request_id in self.under_way:
            raise ValueError(f"two requests are called {request.request_id!r}")
        self._run.on_arrival(request)
        arrival = self.stopwatch.time(self._arrivals.of, request, self._clock.now)
        self.under_way[request.request_id] = Passage(request, arrival)
        self._tell(self._scheduler.on_arrival, arrival, self._clock.now)

    def tick(self, _: object) -> None:
        self._clock.at(self._clock.now + TICK_S, self.tick)
        self._tell(self._scheduler.on_tick, self._clock.now)

    def give_up(self) -> None:
        """End the run with what is still under way."""
        self._run.given_up = len(self.under_way)
        for passage in self.under_way.values():
            self._run.on_missed(passage)
        self.under_way.clear()

    # The fleet

    def on_tokens(self, request: EngineRequest) -> None:
        passage, now = self.under_way[request.request_id], self._clock.now
        if passage.first_token_s is None:
            passage.first_token_s = now
        if request.tokens_out == 1 or request.tokens_out < request.output_tokens:
            self._progress(request.request_id, request.tokens_out)
        if request.tokens_out == request.output_tokens:
            self._answered(passage, None)

    def on_report(self, report: LoadReport) -> None:
        self._tell(self._scheduler.on_load_report, report, self._clock.now)

    def on_joined(self, replica: Replica) -> None:
        self._tell(self._scheduler.on_replica_joined, replica, self._clock.now)

    def on_left(self, replica_id: str) -> None:
        self._tell(self._scheduler.on_replica_left, replica_id, self._clock.now)

    def on_broken(self, request_id: str) -> None:
        self._fail(self.under_way[request_id])

    # Offers

    def _first_bought(self, passage: Passage) -> None:
        passage.first_token_s = self._clock.now
        self._progress(passage.request.request_id, 1)

    def _last_bought(self, passage: Passage) -> None:
        self._answered(passage, passage.paid_nano)

    # Ends

    def _answered(self, passage: Passage, cost: NanoUsd | None) -> None:
        request, now = passage.request, self._clock.now
        del self.under_way[request.request_id]
        self._run.on_answered(passage, now)
        self.stopwatch.time(self._lengths.learn, request, passage.model)
        self._tell(self._scheduler.on_finish, request.request_id, Outcome.OK, now, cost)

    def _fail(self, passage: Passage) -> None:
        """Its target failed: another attempt, unless it had begun to answer or had its chance."""
        request_id, target, now = passage.request.request_id, passage.target, self._clock.now
        if target is None:
            raise ValueError(f"{request_id!r} failed without a target")
        is_last = passage.first_token_s is not None or passage.attempts >= ATTEMPTS_MAX
        passage.target = None
        if is_last:
            del self.under_way[request_id]
            self._run.broken_off += 1
            self._run.on_missed(passage)
        self._tell(self._scheduler.on_finish, request_id, Outcome.TARGET_FAILED, now, 0)
        if not is_last:
            self._run.retries += 1
            self._tell(self._scheduler.on_retry, passage.arrival, (target,), now)

    def _progress(self, request_id: str, tokens_out: int) -> None:
        self.stopwatch.time(self._scheduler.on_progress, request_id, tokens_out, self._clock.now)

    # Actions

    def _tell(self, event: Callable[P, list[Action]], *args: P.args, **kwargs: P.kwargs) -> None:
        for action in self.stopwatch.time(event, *args, **kwargs):
            if not isinstance(action, Hold):
                self._act(action)

    def _act(self, action: Dispatch | Buy | Reject) -> None:
        passage = self.under_way.get(action.request_id)
        if passage is None or passage.target is not None:
            raise BrokenContract(f"{action}: no such request waits for a target")
        self._run.on_decision(passage.request, action.reason.value, self._clock.now)
        passage.attempts += 1
        if isinstance(action, Reject):
            del self.under_way[action.request_id]
            self._run.refused += 1
            self._run.on_missed(passage)
            return
        passage.target = action.target
        passage.model = self._model_of(action)
        if isinstance(action, Buy):
            self._buy(passage, action)
        else:
            self._dispatch(passage, action)

    def _model_of(self, action: Dispatch | Buy) -> str:
        if isinstance(action, Buy):
            return self._run.offers[action.offer_id].model
        if not self.fleet.has(action.replica_id):
            raise BrokenContract(f"{action}: there is no such replica")
        return self.fleet.model_of(action.replica_id)

    def _dispatch(self, passage: Passage, action: Dispatch) -> None:
        if passage.model not in passage.request.models:
            raise BrokenContract(f"{action}: its model may not answer the request")
        request = passage.request
        self._run.prompt_tokens += request.prompt_tokens
        self.fleet.send(
            action.replica_id,
            EngineRequest(
                request.request_id, request.prompt_tokens, request.output_tokens, request.blocks
            ),
        )

    def _buy(self, passage: Passage, action: Buy) -> None:
        request, offer = passage.request, self._run.offers[action.offer_id]
        if not request.offer_ids:
            self._run.pinned_bought += 1
        elif action.offer_id not in request.offer_ids:
            raise BrokenContract(f"{action}: the request may only be bought from its own offers")
        first_s = self._clock.now + offer.ttft_ms / 1000
        if self._random.random() < self._offer_failure_share:
            self._clock.at(first_s, self._fail, passage)
            return
        passage.paid_nano = cost_nano(offer, request)
        self._run.on_paid(offer, passage.paid_nano)
        self._clock.at(first_s, self._first_bought, passage)
        last_s = first_s + (request.output_tokens - 1) / offer.output_tok_s
        self._clock.at(last_s, self._last_bought, passage)
