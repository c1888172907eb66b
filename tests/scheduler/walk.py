"""A walk by chance over a scheduler's events, held against an account of every request.

All chance comes from one ``Random``, so a walk can be repeated, and shrunk."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from random import Random
from typing import Any

from scheduler.arrival import Arrival
from scheduler.choose.room_and_caps import refuse_replica
from scheduler.choose.target_picker import prefill_tokens
from scheduler.decision import Action, Outcome, Refusal
from scheduler.learned.lengths import LengthCurve
from scheduler.pool.local_budget import LocalBudget
from scheduler.settings import Settings
from scheduler.state_machine import Scheduler
from scheduler.target import Target
from tests.scheduler.account import Account, boot_of
from tests.scheduler.engine_reports import ABSURD, TOTALS
from tests.scheduler.given import arrival, chance_settings, offer, price, replica, report
from tests.scheduler.sums import assert_pool_sums

EVENTS = {
    "arrive": 30,
    "finish": 20,
    "progress": 16,
    "first_token": 8,
    "tick": 16,
    "load": 14,
    "join": 2,
    "retry": 4,
    "leave": 1,
    "hang_up": 1,
    "reconfigure": 1,
}
OUTCOMES = {
    Outcome.OK: 60,
    Outcome.CLIENT_LEFT: 10,
    Outcome.CLIENT_ERROR: 10,
    Outcome.TARGET_FAILED: 16,
    Outcome.TARGET_BUSY: 3,
    Outcome.RATE_LIMITED: 3,
    Outcome.KEY_REFUSED: 2,
    Outcome.ACCESS_REFUSED: 2,
}
FAILED = OUTCOMES.keys() - {Outcome.OK, Outcome.CLIENT_LEFT, Outcome.CLIENT_ERROR}
OFFERS = [
    offer("a/m", provider="a", in_flight_max=2, context=1_000, requests_per_min_max=8),
    offer("a/n", provider="a", model="other", in_flight_max=1),
    offer("b/m", provider="b", in_flight_max=3, at=price(9_000, 9_000), tokens_per_min_max=9_000),
    offer("c/m", provider="c", at=None),
]
OFFER_SETS = [OFFERS, OFFERS[::-1], OFFERS[1:], OFFERS[:1], []]
ALLOWED = [None, None, None, frozenset[str](), frozenset({"b/m"}), frozenset({"a/m", "c/m"})]
LENGTHS = [None, LengthCurve.exactly(40), LengthCurve.assumed(60.0)]
SECONDS = [0.01] * 6 + [0.05, 0.3, 0.3, 1.5, 20.0, 4_000.0]


class Walk:
    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.now = 0.0
        self.budget = LocalBudget()
        self.scheduler = Scheduler(chance_settings(chance), budget=self.budget)
        self.account = Account(Settings(), {})
        self.log: list[Action] = []
        self.booted = {"r1": 0, "r2": 0, "r3": 0}
        self.totals: dict[str, dict[str, Any]] = {}  # what each engine has counted
        self.failed: dict[str, list[Target]] = {}  # by request: it may be retried
        self.tried: dict[str, list[Target]] = {}  # all that have failed it so far
        self.reconfigure()
        for _ in range(3):
            self.join()

    def step(self) -> None:
        event = self.chance.choices(list(EVENTS), list(EVENTS.values()))[0]
        getattr(self, event)()
        self.check()

    def settle(self) -> None:
        """Time goes on, and whatever is in flight ends."""
        for _ in range(140):
            for request_id in list(self.account.placed):
                self.end(request_id, Outcome.OK)
            self.pass_time(0.5)
            self.check()
        self.account.check_all_ended()
        view = self.scheduler.snapshot(self.now)
        assert view.queue_requests == view.queue_tokens == 0
        assert all(one.in_flight == one.kv_tokens_reserved == 0 for one in view.replicas)
        assert all(one.in_flight == 0 for one in view.offers)

    def tell(self, event: str, *args: Any, newcomer: str | None = None) -> None:
        """Tell the scheduler, and take its answer to account. Growth on doubt stays frozen."""
        before = {name: state.in_flight for name, state in self.scheduler._replicas.items()}
        actions: list[Action] = getattr(self.scheduler, event)(*args, self.now)
        self.log += actions
        self.account.take(actions, self.now, newcomer)
        settings = self.account.settings
        for name, state in self.scheduler._replicas.items():
            grew = state.in_flight > before.get(name, 0)
            if grew and not state.is_fresh(settings, self.now):
                assert state.in_flight <= max(
                    settings.admission.ramp_requests, state.safe_in_flight
                )

    def check(self) -> None:
        """Books equal the sum of their parts, and the account agrees."""
        scheduler, account = self.scheduler, self.account
        assert set(scheduler._held) == set(account.held)
        assert set(scheduler._placed) == set(account.placed)
        assert set(self.budget.spending._open) == set(account.running)
        for pool in scheduler._pools.values():
            assert_pool_sums(pool)
            costs = (pool.cost.step_s, pool.cost.prefill_token_s, pool.cost.decode_token_s)
            assert all(isfinite(cost) and cost >= 0 for cost in costs)
            assert isfinite(pool.bid.admission_price)
            assert 0 <= pool.bid.low_water_price <= pool.bid.price
        for state in scheduler._replicas.values():
            mine = {name for name, boot in account.on.items() if boot == boot_of(state.replica)}
            assert set(state.entries) == mine
        for offered in scheduler._offers.values():
            target = offered.target
            mine = {name for name, each in account.placed.items() if each.target == target}
            assert set(offered.requests) == mine
        for queue in scheduler.snapshot(self.now).queues:
            assert queue.requests <= 8
            assert queue.tokens <= 20_000 or queue.requests == 1

    # Events

    def tick(self) -> None:
        self.pass_time(self.chance.choice(SECONDS))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.tell("on_tick")
        self.account.check_waits(self.now)
        self.check_no_idle_room()

    def check_no_idle_room(self) -> None:
        """After a tick, no replica has room for the next in line, nor for whom it is kept."""
        admission, settings = self.scheduler._admission, self.account.settings
        for pool in self.scheduler._pools.values():
            head = admission._head(pool, settings)
            for replica_id, state in pool.replicas.items():
                waiting = pool.reserved.get(replica_id, head)
                if waiting is not None:
                    tokens = prefill_tokens(waiting, state, pool)
                    found = refuse_replica(waiting, tokens, state, pool.cost, settings, self.now)
                    assert found not in (None, Refusal.TOO_LATE)

    def arrive(self) -> None:
        pick = self.chance
        request = arrival(
            f"q{len(self.account.arrivals) + 1}",
            model=pick.choice(["moe", "moe", "moe", "moe", "other", "nobody"]),
            prompt=pick.choice([1, 40, 200, 390, 900, 1_800]),
            output=pick.randint(0, 120),
            output_max=pick.randint(1, 200),
            ttft_budget_ms=pick.choice([0, 200, 1_500, 5_000]),
            tenant=pick.choice(["t1", "t2", "t3"]),
            lengths=pick.choice(LENGTHS),
            priority=pick.choice([0, 1, 1, 2]),
            blocks=tuple(range(pick.choice([0, 0, 3, 6]))),
            block_tokens=64,
            offers=pick.choice(ALLOWED),
            deadline_ms=pick.choice([None, None, None, None, 2_000, 60_000]),
            is_local_allowed=pick.random() < 0.9,
            buys_cheapest=pick.random() < 0.3,
        )
        request = replace(request, alternatives=self.alternatives(request))
        self.account.arrivals[request.request_id] = request
        self.tell("on_arrival", request, newcomer=request.request_id)

    def alternatives(self, request: Arrival) -> tuple[Arrival, ...]:
        """The same request as other models would have it, with other estimates and bounds."""
        pick = self.chance
        if pick.random() < 0.6:
            return ()
        others = [each for each in ("moe", "other", "nobody") if each != request.model]
        return tuple(
            replace(
                request,
                model=model,
                prompt_tokens=max(1, request.prompt_tokens + pick.choice([-20, 0, 300])),
                offers=pick.choice(ALLOWED),
                is_local_allowed=pick.random() < 0.8,
                is_substitute=pick.random() < 0.7,
            )
            for model in pick.sample(others, pick.randint(1, 2))
        )

    def retry(self) -> None:
        if self.failed:
            request_id = self.chance.choice(list(self.failed))
            failed = self.tried[request_id] = self.failed.pop(request_id)
            self.account.again(request_id, failed)
            request = self.account.arrivals[request_id]
            self.tell("on_retry", request, failed, newcomer=request_id)

    def progress(self) -> None:
        if self.account.placed:
            request_id = self.chance.choice(list(self.account.placed))
            tokens = self.chance.choice([-1, 0, 1, 1, 15, 40, 100, 400])
            self.scheduler.on_progress(request_id, tokens, self.now)

    def finish(self) -> None:
        if self.account.placed:
            outcome = self.chance.choices(list(OUTCOMES), list(OUTCOMES.values()))[0]
            self.end(self.chance.choice(list(self.account.placed)), outcome)

    def first_token(self) -> None:
        if self.account.placed:
            request_id = self.chance.choice(list(self.account.placed))
            self.scheduler.on_first_token(request_id, self.now)

    def hang_up(self) -> None:
        if self.account.held:
            self.end(self.chance.choice(list(self.account.held)), Outcome.CLIENT_LEFT)

    def end(self, request_id: str, outcome: Outcome) -> None:
        purchase, cost_nano = self.account.running.get(request_id), None
        if purchase is not None and self.chance.random() < 0.7:
            cost_nano = purchase.nano = self.chance.randint(0, purchase.nano)
        target = self.account.end(request_id)
        if outcome in FAILED and target is not None:
            self.failed[request_id] = [*self.tried.get(request_id, ()), target]
        pause_s = self.chance.choice([None, None, 0.0, 0.4, 5.0])
        actions = self.scheduler.on_finish(request_id, outcome, self.now, cost_nano, pause_s)
        self.log += actions
        self.account.take(actions, self.now)

    def join(self) -> None:
        """A boot, perhaps in place of one that lives or with another model; or a renewal."""
        replica_id = self.chance.choice(list(self.booted))
        known = self.account.live.get(replica_id)
        model = self.chance.choice(["moe", "moe", "moe", "other"])
        if known is not None and self.chance.random() < 0.3:
            model = known.model
        else:
            self.booted[replica_id] += 1
            self.totals[replica_id] = dict.fromkeys(TOTALS, 0)
        self.account.live[replica_id] = replica(
            replica_id,
            model=model,
            generation=self.booted[replica_id],
            max_num_seqs=self.chance.randint(1, 4),
            kv=2_000,
            context=1_500,
            batched=400,
        )
        self.tell("on_replica_joined", self.account.live[replica_id])

    def leave(self) -> None:
        replica_id = self.chance.choice(list(self.booted))
        self.account.live.pop(replica_id, None)
        self.tell("on_replica_left", replica_id)

    def load(self) -> None:
        """Good, late, of a stranger, or absurd in one value."""
        if not self.account.live:
            return
        pick = self.chance
        boot = pick.choice(list(self.account.live.values()))
        totals = self.totals[boot.replica_id]
        for name, most in TOTALS.items():
            totals[name] += pick.randint(0, most)
        told = report(
            boot.replica_id,
            generation=boot.generation - (pick.random() < 0.05),
            running=pick.randint(0, boot.limits.max_num_seqs),
            waiting=pick.choice([0, 0, 0, 1]),
            kv=pick.choice([0, 0, 500, 2_000]),
            decode_step_s=pick.choice([None, 0.01, 0.05]),
            **totals,
        )
        if pick.random() < 0.15:
            told = replace(told, **pick.choice(ABSURD))
        self.tell("on_load_report", told)

    def reconfigure(self) -> None:
        settings, offers = chance_settings(self.chance), self.chance.choice(OFFER_SETS)
        self.account.settings = settings
        self.account.offers = {each.offer_id: each for each in offers}
        self.scheduler.set_settings(settings, offers, self.now)
