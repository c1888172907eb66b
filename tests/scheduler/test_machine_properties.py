"""What must hold under any interleaving of events."""

from __future__ import annotations

from math import nan
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scheduler.arrival import Arrival
from scheduler.decision import Action, Buy, Dispatch, Hold, Outcome, Reject
from scheduler.machine import Scheduler
from scheduler.replica import LoadReport, Replica
from scheduler.settings import Settings
from tests.scheduler.given import arrival, offer, price, replica, report
from tests.scheduler.test_book import assert_sums

SETTINGS = Settings(
    queue_requests_max=5,
    queue_tokens_max=3_000,
    queue_wait_ms_max=3_000,
    report_age_ms_max=1_000,
    ramp_requests=2,
    kv_headroom=0.1,
    breaker_failures=2,
    breaker_open_ms=500,
    breaker_open_ms_max=2_000,
)
OFFERS = [
    offer("a/m", provider="a", in_flight_max=2, context=1_000),
    offer("a/n", provider="a", model="other", in_flight_max=1),
    offer("b/m", provider="b", in_flight_max=1, at=price(9_000, 9_000)),
    offer("c/m", provider="c", at=None),
]
IDS = st.sampled_from(["r1", "r2", "r3"])
MODELS = st.sampled_from(["moe", "moe", "moe", "other", "nobody"])


class Interleavings(RuleBasedStateMachine):
    """Drives two schedulers with the same events and keeps its own account of every request."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(SETTINGS, OFFERS)
        self.twin = Scheduler(SETTINGS, OFFERS)
        self.now = 0.0
        self.count = 0
        self.live: dict[str, Replica] = {}
        self.generations = {"r1": 0, "r2": 0, "r3": 0}
        self.arrivals: dict[str, Arrival] = {}
        self.held: list[str] = []  # in the order of arrival
        self.placed: dict[str, Dispatch | Buy] = {}
        self.failed: dict[str, str] = {}  # request, failed target: may be retried
        self.on: dict[str, Replica] = {}  # request, the boot it was dispatched to
        self.excluded: dict[str, Replica | str] = {}

    # Checks on every answer

    def tell(self, event: str, *args: Any, newcomer: str | None = None) -> list[Action]:
        before = {v.replica_id: v for v in self.scheduler.snapshot(self.now).replicas}
        actions: list[Action] = getattr(self.scheduler, event)(*args, self.now)
        assert actions == getattr(self.twin, event)(*args, self.now)
        pending = set(self.held) | ({newcomer} if newcomer else set())
        for action in actions:
            assert action.request_id in pending
            pending.remove(action.request_id)
            self.check(action, newcomer)
        if newcomer:
            assert newcomer not in pending
        for view in self.scheduler.snapshot(self.now).replicas:
            old = before.get(view.replica_id)
            grew = old and old.generation == view.generation and view.in_flight > old.in_flight
            if grew and not view.is_fresh:
                book = self.scheduler._replicas[view.replica_id]
                assert view.in_flight <= max(SETTINGS.ramp_requests, book.safe_in_flight)
        return actions

    def check(self, action: Action, newcomer: str | None) -> None:
        request_id = action.request_id
        if isinstance(action, Hold):
            assert request_id == newcomer
            self.held.append(request_id)
            return
        if request_id != newcomer:
            self.held.remove(request_id)
        request = self.arrivals[request_id]
        if isinstance(action, Reject):
            assert action.retry_after_s is None or action.retry_after_s >= 1
            return
        assert request_id not in self.placed
        self.placed[request_id] = action
        if isinstance(action, Dispatch):
            chosen = self.live[action.replica_id]
            assert chosen.model == request.model
            assert request.kv_tokens <= chosen.context_tokens_max
            assert chosen != self.excluded.get(request_id)
            self.on[request_id] = chosen
        else:
            bought = next(o for o in OFFERS if o.offer_id == action.offer_id)
            assert bought.price is not None
            assert bought.model == request.model
            assert request.kv_tokens <= bought.context_tokens_max
            assert action.target != self.excluded.get(request_id)
            sold = [a for a in self.placed.values() if a.target == action.target]
            assert len(sold) <= bought.in_flight_max

    # Events

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.4, 1.5]))
    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.tell("on_tick")
        for request_id in self.held:  # nobody outstays the bound
            waiting = self.scheduler._held[request_id].queue._waiting[request_id]
            assert self.now < waiting.since + SETTINGS.queue_wait_ms_max / 1000

    @rule(replica_id=IDS, model=st.sampled_from(["moe", "moe", "other"]), slots=st.integers(1, 4))
    def join(self, replica_id: str, model: str, slots: int) -> None:
        self.generations[replica_id] += 1
        boot = replica(
            replica_id,
            model=model,
            generation=self.generations[replica_id],
            running_max=slots,
            kv=2_000,
            context=1_500,
            batched=400,
        )
        self.live[replica_id] = boot
        self.tell("on_replica_joined", boot)

    @rule(replica_id=IDS)
    def leave(self, replica_id: str) -> None:
        self.live.pop(replica_id, None)
        self.tell("on_replica_left", replica_id)

    @rule(
        model=MODELS,
        prompt=st.integers(0, 1_800),
        output=st.integers(0, 300),
        output_max=st.integers(1, 300),
        budget_ms=st.sampled_from([0, 200, 5_000]),
    )
    def arrive(self, model: str, prompt: int, output: int, output_max: int, budget_ms: int) -> None:
        self.count += 1
        request = arrival(
            f"q{self.count}",
            model=model,
            prompt=prompt,
            output=output,
            output_max=output_max,
            ttft_budget_ms=budget_ms,
        )
        self.arrivals[request.request_id] = request
        self.tell("on_arrival", request, newcomer=request.request_id)

    @precondition(lambda self: self.failed)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.failed)))
        target = self.failed.pop(request_id)
        replica_id = target.removeprefix("local:")
        self.excluded[request_id] = self.live.get(replica_id, target)
        self.tell("on_retry", self.arrivals[request_id], target, newcomer=request_id)

    @precondition(lambda self: self.placed)
    @rule(data=st.data(), tokens=st.integers(-1, 400))
    def progress(self, data: st.DataObject, tokens: int) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.placed)))
        for scheduler in (self.scheduler, self.twin):
            scheduler.on_progress(request_id, tokens, self.now)

    @precondition(lambda self: self.placed)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def finish(self, data: st.DataObject, outcome: Outcome) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.placed)))
        target = self.placed.pop(request_id).target
        self.on.pop(request_id, None)
        if outcome is Outcome.TARGET_FAILED:
            self.failed[request_id] = target
        self.tell("on_finish", request_id, outcome)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def hang_up(self, data: st.DataObject) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.held)))
        self.held.remove(request_id)
        self.tell("on_finish", request_id, Outcome.CLIENT_LEFT)

    @precondition(lambda self: self.live)
    @rule(
        data=st.data(),
        running=st.integers(-1, 5),
        waiting=st.sampled_from([0, 0, 0, 1]),
        kv=st.integers(0, 2_100),
        step_s=st.sampled_from([None, 0.01, 0.05, nan, -1.0]),
        late=st.booleans(),
    )
    def load(
        self,
        data: st.DataObject,
        running: int,
        waiting: int,
        kv: int,
        step_s: float | None,
        late: bool,
    ) -> None:
        boot = self.live[data.draw(st.sampled_from(sorted(self.live)))]
        told: LoadReport = report(
            boot.replica_id,
            generation=boot.generation - late,
            running=running,
            waiting=waiting,
            kv=kv,
            decode_step_s=step_s,
        )
        self.tell("on_load_report", told)

    @rule(offers=st.sampled_from([OFFERS, list(reversed(OFFERS))]))
    def reconfigure(self, offers: list[Any]) -> None:
        for scheduler in (self.scheduler, self.twin):
            scheduler.set_settings(SETTINGS, offers, self.now)

    # What always holds

    @invariant()
    def books_equal_the_sum_of_their_parts(self) -> None:
        for book in self.scheduler._replicas.values():
            assert_sums(book)
            mine = {request_id for request_id, boot in self.on.items() if boot == book.replica}
            assert set(book.entries) == mine
            assert book.in_flight <= book.replica.running_max
        for pool in self.scheduler._pools.values():
            waiting = list(pool.queue.in_order())
            assert pool.queue.kv_tokens == sum(w.kv_tokens for w in waiting)
            assert pool.queue.prompt_tokens == sum(w.arrival.prompt_tokens for w in waiting)

    @invariant()
    def bounds_are_respected(self) -> None:
        for queue in self.scheduler.snapshot(self.now).queues:
            assert queue.requests <= SETTINGS.queue_requests_max
            assert queue.tokens <= SETTINGS.queue_tokens_max or queue.requests == 1

    @invariant()
    def the_account_agrees(self) -> None:
        assert set(self.scheduler._held) == set(self.held)
        assert set(self.scheduler._placed) == set(self.placed)
        assert self.scheduler.snapshot(self.now) == self.twin.snapshot(self.now)


Interleavings.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestInterleavings = Interleavings.TestCase
