"""While replicas finish work, everyone who waits is served, and in order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.decision import Action, Buy, Dispatch, Hold, Outcome
from scheduler.machine import Scheduler
from scheduler.settings import Settings
from tests.scheduler.given import arrival, offer, replica, report


class Engines:
    """Replicas that stream one token per request and step, and finish each answer."""

    def __init__(self, scheduler: Scheduler, replicas: int) -> None:
        self.scheduler = scheduler
        self.left: dict[str, int] = {}
        self.ended: list[Action] = []
        for n in range(replicas):
            boot = replica(f"r{n}", running_max=3, kv=1_500, context=1_500, batched=300)
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
                told = report(view.replica_id, running=view.in_flight)
                self.take(self.scheduler.on_load_report(told, now))
        self.take(self.scheduler.on_tick(now))


@settings(deadline=None, max_examples=60)
@given(
    prompts=st.lists(st.integers(1, 1_200), min_size=1, max_size=40),
    replicas=st.integers(1, 3),
    reports=st.booleans(),
    with_offers=st.booleans(),
)
def test_nobody_starves_while_replicas_finish_work(
    prompts: list[int], replicas: int, reports: bool, with_offers: bool
) -> None:
    patience = Settings(queue_wait_ms_max=3_600_000)
    scheduler = Scheduler(patience, [offer()] if with_offers else [])
    engines = Engines(scheduler, replicas)
    for n, prompt in enumerate(prompts):
        request = arrival(f"{n:02}", prompt=prompt, output=3, ttft_budget_ms=1_000)
        engines.take(scheduler.on_arrival(request, 0.0))
    for step in range(1, 4 * len(prompts) + 5):
        engines.step(step * 0.1, reports)
    assert sorted(a.request_id for a in engines.ended) == [f"{n:02}" for n in range(len(prompts))]
    dispatched = [a.request_id for a in engines.ended if isinstance(a, Dispatch)]
    assert dispatched == sorted(dispatched)  # first in, first out
    if not with_offers:
        assert len(dispatched) == len(prompts)
    view = scheduler.snapshot(1e3)
    assert all(one.in_flight == one.kv_tokens_reserved == 0 for one in view.replicas)
