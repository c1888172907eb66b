"""Runs the real scheduler in simulated time against modelled replicas and offers.

The scheduler sees what it would see of a running stack: arrivals, load reports, the first token
and every 16th after it, ends with their cost, and a tick every 50 ms. Prompt lengths and blocks
are told exactly, answer lengths as ``lengths`` says. Memory is flat: a request that has ended
leaves only counts. The same arguments give the same run, but for the time that decisions take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf
from typing import TypedDict, Unpack

from benchmarks.simulation.baselines import policy_name
from benchmarks.simulation.clock import Clock
from benchmarks.simulation.faults import Faults
from benchmarks.simulation.fleet import DISPATCH_S, Fleet, Totals, replica_name
from benchmarks.simulation.forecast import Lengths, forecast
from benchmarks.simulation.gateway import TICK_S, SimGateway
from benchmarks.simulation.pools import MODEL, SimPool
from benchmarks.simulation.profile import Profile
from benchmarks.simulation.run_counters import Run
from benchmarks.simulation.series import Sample
from benchmarks.simulation.workload import BLOCK_TOKENS, Request, SimOffer, Workload
from models.money import NANO_PER_USD
from scheduler.choose.bid_price_policy import Policy
from scheduler.offer import Offer
from scheduler.settings import Settings
from scheduler.state_machine import Scheduler

DRAIN_S_MAX = 6 * 3600.0  # after the last arrival; what is under way then is given up
IN_FLIGHT_MAX = 1 << 30  # at an offer: limits of providers are not simulated

OnProgress = Callable[[float], None]


class Choices(TypedDict, total=False):
    """``policy`` None is the scheduler's own. ``on_progress`` hears the share that is done.
    ``dispatch_s`` stands for all that is not a step: to the replica and back. Nothing is counted
    before ``warm_up_s``. Spend never shrinks: a run that is past ``spend_usd_max`` ends with
    SpentTooMuch."""

    policy: Policy | None
    settings: Settings | None
    lengths: Lengths
    seed: int
    faults: Faults | None
    dispatch_s: float
    warm_up_s: float
    on_progress: OnProgress | None
    spend_usd_max: float | None


def simulate(
    workload: Workload, profile: Profile, *, replicas: int, **choices: Unpack[Choices]
) -> Run:
    """A run with one pool."""
    return simulate_pools(workload, [SimPool(MODEL, profile, replicas)], **choices)


def simulate_pools(workload: Workload, pools: Sequence[SimPool], **choices: Unpack[Choices]) -> Run:
    return simulate_stream(
        workload.requests,
        pools,
        offers=workload.offers,
        duration_s=workload.duration_s,
        block_tokens=workload.block_tokens,
        load=workload.load_of(pools),
        **choices,
    )


def simulate_stream(
    requests: Iterable[Request],
    pools: Sequence[SimPool],
    *,
    offers: Sequence[SimOffer],
    duration_s: float,
    policy: Policy | None = None,
    settings: Settings | None = None,
    lengths: Lengths = "learned",
    seed: int = 1,
    faults: Faults | None = None,
    dispatch_s: float = DISPATCH_S,
    warm_up_s: float = 0.0,
    block_tokens: int = BLOCK_TOKENS,
    load: float | None = None,
    on_progress: OnProgress | None = None,
    spend_usd_max: float | None = None,
) -> Run:
    """Simulates as ``simulate`` does any number of requests, which come in the order of their time.
    See ``Choices``."""
    run = Run(
        pools=tuple(pools),
        policy=policy_name(policy),
        lengths=lengths,
        seed=seed,
        duration_s=duration_s,
        load=load,
        offers={offer.offer_id: offer for offer in offers},
    )
    may_buy = getattr(policy, "may_buy", True)
    context_tokens_max = max(pool.profile.context_tokens_max for pool in pools)
    known = [_offer(offer, context_tokens_max) for offer in offers] if may_buy else []
    scheduler = Scheduler(settings or Settings(), known, policy)
    faults, clock = faults or Faults(), Clock()
    gateway = SimGateway(
        run, scheduler, forecast(lengths), clock, block_tokens, faults.offer_failure_share
    )
    fleet = gateway.fleet = Fleet(pools, block_tokens, clock, gateway, dispatch_s)
    course = _Course(run, clock, scheduler, gateway, fleet, on_progress, spend_usd_max)
    course.go(iter(requests), faults, warm_up_s)
    return run


def _offer(offer: SimOffer, context_tokens_max: int) -> Offer:
    provider, model = offer.price.provider, offer.model
    return Offer(offer.offer_id, provider, model, context_tokens_max, IN_FLIGHT_MAX, offer.price)


class SpentTooMuch(RuntimeError):
    """The run spent more than it was allowed to, and was left there."""


class _Course:
    """The course of one run: who arrives, what is measured on the way, when it is over."""

    def __init__(
        self,
        run: Run,
        clock: Clock,
        scheduler: Scheduler,
        gateway: SimGateway,
        fleet: Fleet,
        on_progress: OnProgress | None,
        spend_usd_max: float | None,
    ) -> None:
        self._run = run
        self._clock = clock
        self._scheduler = scheduler
        self._gateway = gateway
        self._fleet = fleet
        self._on_progress = on_progress
        self._spend_usd_max = inf if spend_usd_max is None else spend_usd_max
        self._requests: Iterator[Request] = iter(())
        self._before = Totals()
        self._all_came = False
        self._past_horizon = False

    def go(self, requests: Iterator[Request], faults: Faults, warm_up_s: float) -> None:
        run, clock = self._run, self._clock
        self._requests = requests
        for number in range(run.replicas):
            clock.at(0.0, self._fleet.boot, replica_name(number))
        for death in faults.deaths:
            clock.at(death.at_s, self._fleet.die, death)
        self._next()
        if warm_up_s > 0:
            clock.at(warm_up_s, self._start_over)
        clock.at(0.0, self._sample)
        clock.at(TICK_S, self._gateway.tick)
        clock.at(run.duration_s, self._horizon)
        clock.run(self._is_over)
        self._close()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            if request.at_s < self._clock.now:
                raise ValueError(f"{request.request_id} comes before the request ahead of it")
            self._clock.at(request.at_s, self._arrive, request)
            return
        self._all_came = True
        self._clock.at(self._clock.now + DRAIN_S_MAX, self._give_up)

    def _arrive(self, request: Request) -> None:
        self._next()
        self._gateway.arrive(request)

    def _start_over(self, _: object) -> None:
        self._run.start_over()
        self._gateway.stopwatch.total_ns = 0
        self._before = self._fleet.totals()

    def _give_up(self, _: object) -> None:
        self._gateway.give_up()
        if not self._past_horizon:
            self._horizon(None)

    def _is_over(self) -> bool:
        return self._all_came and not self._gateway.under_way and self._past_horizon

    def _horizon(self, _: object) -> None:
        totals = self._fleet.totals()
        self._run.busy_s = totals.busy_s - self._before.busy_s
        self._run.useful_s = totals.useful_s - self._before.useful_s
        self._past_horizon = True

    def _sample(self, _: object) -> None:
        run, now = self._run, self._clock.now
        snapshot = self._scheduler.snapshot(now)
        kv_share, running_share = self._fleet.fill()
        spend_usd = (run.paid_nano + run.missed_nano) / NANO_PER_USD
        if spend_usd > self._spend_usd_max:
            raise SpentTooMuch(f"{spend_usd} USD after {now} s")
        bid_price = max((pool.bid_price for pool in snapshot.pools), default=0.0)
        run.series.add(
            Sample(now, snapshot.queue_requests, kv_share, running_share, bid_price, spend_usd)
        )
        self._clock.at(now + run.series.interval_s, self._sample)
        if self._on_progress is not None:
            self._on_progress(min(1.0, now / run.duration_s))

    def _close(self) -> None:
        run, totals = self._run, self._fleet.totals()
        run.ended_s = self._clock.now
        run.preemptions = totals.preemptions - self._before.preemptions
        run.hit_tokens = totals.hit_tokens - self._before.hit_tokens
        run.scheduler_ns = self._gateway.stopwatch.total_ns
