"""While replicas finish work, everyone who waits is served, whoever else there is."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.decision import Action, Buy, Dispatch, Hold, Outcome
from scheduler.settings import AdmissionSettings, QueueSettings, Settings
from scheduler.state_machine import Scheduler
from tests.scheduler.given import arrival, changed, offer, replica, report

PATIENCE = Settings(
    queue=QueueSettings(wait_ms_max=3_600_000), admission=AdmissionSettings(kv_headroom=0.05)
)


class Engines:
    """Replicas that stream one token per request and step, and finish each answer."""

    def __init__(self, scheduler: Scheduler, replicas: int, max_num_seqs: int = 3) -> None:
        self.scheduler = scheduler
        self.left: dict[str, int] = {}
        self.ended: list[Action] = []
        for n in range(replicas):
            boot = replica(f"r{n}", max_num_seqs=max_num_seqs, kv=1_500, context=1_500, batched=300)
            self.take(scheduler.on_replica_joined(boot, 0.0))

    def take(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Dispatch | Buy):
                self.left[action.request_id] = 3
            if not isinstance(action, Hold):
                self.ended.append(action)

    def step(self, now: float, reports: bool) -> None:
        for request_id in list(self.left):
            self.left[request_id] -= 1
            self.scheduler.on_progress(request_id, 3 - self.left[request_id], now)
            if self.left[request_id] == 0:
                del self.left[request_id]
                self.take(self.scheduler.on_finish(request_id, Outcome.OK, now))
        if reports:
            for view in self.scheduler.snapshot(now).replicas:
                told = report(view.target.id, running=view.in_flight)
                self.take(self.scheduler.on_load_report(told, now))
        self.take(self.scheduler.on_tick(now))

    @property
    def dispatched(self) -> list[str]:
        return [action.request_id for action in self.ended if isinstance(action, Dispatch)]


@settings(max_examples=60)
@given(
    prompts=st.lists(st.integers(1, 1_200), min_size=1, max_size=40),
    replicas=st.integers(1, 3),
    reports=st.booleans(),
    with_offers=st.booleans(),
)
def test_nobody_starves_while_replicas_finish_work(
    prompts: list[int], replicas: int, reports: bool, with_offers: bool
) -> None:
    scheduler = Scheduler(PATIENCE, [offer()] if with_offers else [])
    engines = Engines(scheduler, replicas)
    for n, prompt in enumerate(prompts):
        request = arrival(f"{n:02}", prompt=prompt, output=3, ttft_budget_ms=1_000)
        engines.take(scheduler.on_arrival(request, 0.0))
    for step in range(1, 4 * len(prompts) + 15):
        engines.step(step * 0.1, reports)
    assert sorted(a.request_id for a in engines.ended) == [f"{n:02}" for n in range(len(prompts))]
    if not with_offers:
        assert len(engines.dispatched) == len(prompts)
    view = scheduler.snapshot(1e3)
    assert all(one.in_flight == one.kv_tokens_reserved == 0 for one in view.replicas)


@given(st.lists(st.integers(1, 1_200), min_size=1, max_size=20))
def test_on_one_replica_equals_are_served_in_the_order_of_their_arrival(prompts: list[int]) -> None:
    """A small request never overtakes a large one there."""
    scheduler = Scheduler(changed(PATIENCE, spill={"ageing_ms": 3_600_000}))
    engines = Engines(scheduler, 1)
    for n, prompt in enumerate(prompts):
        engines.take(scheduler.on_arrival(arrival(f"{n:02}", prompt=prompt, output=3), 0.0))
    for step in range(1, 4 * len(prompts) + 5):
        engines.step(step * 0.1, reports=True)
    assert engines.dispatched == [f"{n:02}" for n in range(len(prompts))]


def test_a_large_request_gets_through_a_stream_of_small_ones() -> None:
    """On any number of replicas: what it waits for is kept for it."""
    for replicas in (1, 2, 5):
        scheduler = Scheduler(changed(PATIENCE, spill={"ageing_ms": 3_600_000}))
        engines = Engines(scheduler, replicas)
        for step in range(200):
            for n in range(2 * replicas):
                small = arrival(f"s{step}-{n}", prompt=400, output=3)
                engines.take(scheduler.on_arrival(small, step * 0.1))
            if step == 5:
                large = arrival("large", prompt=1_200, output=3)
                engines.take(scheduler.on_arrival(large, step * 0.1))
            engines.step(step * 0.1, reports=True)
        assert "large" in engines.dispatched


def test_the_last_class_gets_through_a_flood_of_the_first() -> None:
    scheduler = Scheduler(changed(PATIENCE, spill={"ageing_ms": 1_000}))
    engines = Engines(scheduler, 1, max_num_seqs=1)
    engines.take(scheduler.on_arrival(arrival("first", prompt=10, priority=0), 0.0))
    engines.take(scheduler.on_arrival(arrival("low", prompt=10, priority=2), 0.0))
    for step in range(100):
        flood = arrival(f"f{step}", prompt=10, priority=0)
        engines.take(scheduler.on_arrival(flood, step * 0.1))
        engines.step(step * 0.1, reports=True)
    assert engines.dispatched.index("low") < 30


def test_what_must_not_leave_starves_nobody_and_never_leaves() -> None:
    """Three tenths are pinned, at four times what the replicas can serve: all others are bought or
    served, and the pinned get as much of the room as they ask for."""
    scheduler = Scheduler(
        changed(PATIENCE, queue={"wait_ms_max": 10_000}), [offer(in_flight_max=1_000)]
    )
    engines = Engines(scheduler, 2)
    pinned = set()
    for step in range(300):
        for n in range(8):
            request_id = f"{step}-{n}"
            allowed = frozenset[str]() if (8 * step + n) % 10 < 3 else None
            if allowed is not None:
                pinned.add(request_id)
            asked = arrival(request_id, prompt=10, output=3, tenant=f"t{n % 3}", offers=allowed)
            engines.take(scheduler.on_arrival(asked, step * 0.1))
        engines.step(step * 0.1, reports=True)
    bought = {action.request_id for action in engines.ended if isinstance(action, Buy)}
    served = set(engines.dispatched)
    assert not bought & pinned
    share = Counter(request_id in pinned for request_id in served)
    assert share[True] >= 0.5 * len(served)
    others = {f"{step}-{n}" for step in range(270) for n in range(8)} - pinned
    assert others <= bought | served
