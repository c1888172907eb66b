"""The Scheduler process's one object: targets, books, ledger and the waiting requests.

It turns the pure scheduler's actions into answers, feeds it load reports and progress, watches for
stalls, and keeps the books of replica time. The order in which a request passes through it is that
of ``request_attempts``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import date

from models.money import NanoUsd
from models.price_book import PriceBook
from runtime.awaited_decisions import AwaitedDecisions
from runtime.background import Background
from runtime.clock import SYSTEM, Clock
from runtime.config import GatewayConfig
from runtime.config_version import RefusedConfig, first_version
from runtime.errors import BaseloadError, Draining
from runtime.gc_tuning import collect_rarely
from runtime.ledger.ledger import Ledger
from runtime.ledger_sweep import sweep_forever
from runtime.observer import Observer, Observers, Sample
from runtime.rejection_to_error import refusal_of
from runtime.request.estimate import Estimator
from runtime.request.job import Job
from runtime.requests_in_flight import InFlight
from runtime.routing.apply_rules import routing_of
from runtime.routing.conversation import keep_turn
from runtime.routing.learn_from_feedback import Learning
from runtime.targets.build_compliance_matrix import NOTHING_KNOWN, matrix_of, traits_of
from runtime.targets.connector import Connector
from runtime.targets.local_pools import LocalPool
from runtime.targets.membership import Endpoint, LocalTarget, Membership
from runtime.targets.other_schedulers_spending import OthersSpending
from runtime.targets.provider_accounts import Account, by_sensitivity, open_accounts, utc_today
from runtime.targets.replica_clocks import SharedClocks
from runtime.targets.shut_targets import ShutLog, described, shut_targets
from runtime.watchdog import Watchdog
from runtime.wire.tags import Sensitivity, Tags
from scheduler.arrival import Arrival
from scheduler.compliance.compliance_matrix import Allowance
from scheduler.decision import Action, Buy, Dispatch, Outcome, Reject
from scheduler.routing.sessions import Sessions
from scheduler.state_machine import Scheduler
from scheduler.target import Target

TICK_S = 0.05
OBSERVE_S = 1.0  # metrics are sampled; the tick is not paid for them
SETTLE_S_MAX = 3.0  # for requests that were cut off, to tell their clients and the ledger

log = logging.getLogger("baseload.gateway")


class Gateway:
    """Create, ``start``, serve requests through ``runtime.request_attempts``, ``close``."""

    def __init__(
        self,
        config: GatewayConfig,
        pools: Iterable[LocalPool],
        prices: PriceBook,
        ledger: Ledger,
        observers: Iterable[Observer] = (),
        clock: Clock = SYSTEM,
    ) -> None:
        self.clock = clock
        self.config = config
        self.applied = first_version(config, clock.unix_ms())
        self.pools = {pool.model: pool for pool in pools}
        self.ledger = ledger
        self.observers = Observers(observers)
        self.estimator = Estimator()
        self.in_flight = InFlight()  # requests, from their decision to their last byte
        self.draining = False
        self.refused: RefusedConfig | None = None  # a later one that was not taken
        self.accounts: dict[str, Account] = {}
        self._buyable: dict[Sensitivity, frozenset[str]] = {}
        self.matrix = NOTHING_KNOWN
        self.learning = Learning(ledger.store, clock)
        self.routing = routing_of(config, self.learning.table, self.pools)
        self.sessions = Sessions()
        self._prices = prices
        self._priced_on: date | None = None
        self._scheduler = Scheduler(config.settings(), ())
        self._awaited = AwaitedDecisions()
        self.watchdog = Watchdog()
        self._shut_log = ShutLog()
        self._background = Background()
        self._others = OthersSpending(ledger, clock)
        self._connector: Connector | None = None
        self._clocks = SharedClocks.open(ledger.store, ledger.owner)
        self._membership = Membership(
            self.pools, self._scheduler, self._clocks, self._apply, self.watchdog, clock
        )

    # -- life ---------------------------------------------------------------------------

    async def start(self) -> None:
        self._connector = Connector(clock=self.clock)
        collect_rarely()
        self.reconfigure(self.config)
        await self._read_news()  # before the first purchase
        self._background.spawn("tick", self._tick_forever())
        self._background.spawn("observe", self._observe_forever())
        self._background.spawn("sweep", sweep_forever(self.ledger, self._read_news, self._clocks))

    def reconfigure(self, config: GatewayConfig) -> None:
        """All or nothing: what may fail comes first. Books and waiting requests stay."""
        today = utc_today(self.clock)
        accounts = open_accounts(config, self._prices, self.connector, today)
        matrix, settings = matrix_of(config, accounts, self.pools), config.settings()
        routing = routing_of(config, self.learning.table, self.pools)
        applied = self.applied.after(config, self.clock.unix_ms())
        self._buyable = by_sensitivity(accounts)
        self.matrix, self.routing, self.applied = matrix, routing, applied
        self.config, self.accounts, self._priced_on = config, accounts, today
        self._scheduler.set_settings(settings, [a.offer for a in accounts.values()], self._now())
        self._awaited.check_all()

    def renew_prices(self) -> None:
        """Called before a decision or a purchase: a price may have begun or ended with the day."""
        if utc_today(self.clock) != self._priced_on:
            log.info("a new day: the offers' prices are renewed")
            self.reconfigure(self.config)

    async def drain(self, drain_s_max: float) -> None:
        """Refuses new work, lets the running finish, ends the rest with an error and its bill."""
        self.draining = True
        await self.in_flight.ended(drain_s_max)
        self._awaited.fail_all(Draining())
        self.watchdog.stall_all()
        await self.in_flight.ended(SETTLE_S_MAX)

    async def close(self, drain_s_max: float) -> None:
        """Drains, then lets go of the targets, the clocks and the ledger."""
        await self.drain(drain_s_max)
        await self._background.cancel()
        await self._membership.close()
        await self.connector.close()
        self._clocks.close()
        self.ledger.close()

    @property
    def config_version(self) -> str:
        """The version of the configuration that decides now."""
        return str(self.applied)

    @property
    def connector(self) -> Connector:
        if self._connector is None:
            raise RuntimeError("the gateway was not started")
        return self._connector

    def ready(self) -> bool:
        """Would a request be served? True once every pool has been up, while it can serve."""
        if self.draining or not self._background.runs("tick") or not self.ledger.healthy():
            return False
        now = self._now()
        return all(
            model in self._membership.were_up and self._scheduler.can_serve(model, now)
            for model in self.pools
        )

    def shut_targets(self) -> dict[str, dict[str, str | int]]:
        """Those that are kept away from, and why."""
        shut = shut_targets(self._scheduler.snapshot(self._now()))
        return {target: described(condition) for target, condition in shut.items()}

    def models(self) -> list[str]:
        """Every model that this endpoint may serve, locally or through an offer."""
        return sorted({*self.pools, *(each.offer.model for each in self.accounts.values())})

    @property
    def locals(self) -> dict[str, LocalTarget]:
        """The live replicas by their id."""
        return self._membership.targets

    def charge_nano(self, arrival: Arrival) -> NanoUsd | None:
        """What the engine time that a request would take here is worth at this moment."""
        return self._scheduler.charge_nano(arrival, self._now())

    def work_s(self, arrival: Arrival) -> float | None:
        return self._scheduler.work_s(arrival, self._now())

    def set_replicas(self, endpoints: Iterable[Endpoint]) -> None:
        """The directory's latest list."""
        self._membership.set(endpoints, self.connector)

    def allowance(self, tenant: str, tags: Tags) -> Allowance:
        """Where a request may go by the rules in force."""
        if self.matrix.everything is not None:
            return self.matrix.everything
        traits = traits_of(self.config, tenant, tags)
        return self.matrix.allowance(traits, utc_today(self.clock))

    def offers_for(self, tenant: str, tags: Tags) -> frozenset[str]:
        """The offers that a request may be bought from."""
        if not self.config.may_buy(tenant):
            return frozenset()
        return self._buyable[tags.sensitivity] & self.allowance(tenant, tags).offers

    async def decide(
        self, arrival: Arrival, failed: tuple[Target, ...], check: Callable[[], None]
    ) -> Dispatch | Buy:
        """Waits for the scheduler's answer, which is none of those that have ``failed`` it; raises
        what a rejection means to the caller, or what ``check`` does once nothing may serve it."""
        if self.draining:
            raise Draining()
        self.renew_prices()
        if failed:
            check()  # the configuration may have changed during the attempt before
        future = self._awaited.expect(arrival.request_id, check)
        try:
            if failed:
                actions = self._scheduler.on_retry(arrival, failed, self._now())
            else:
                actions = self._scheduler.on_arrival(arrival, self._now())
            self._apply(actions)
            action = await future
        except (asyncio.CancelledError, BaseloadError):
            self.finish(arrival.request_id, Outcome.CLIENT_LEFT)
            raise
        finally:
            self._awaited.forget(arrival.request_id)
        self.observers.decided(arrival, action)
        if isinstance(action, Reject):
            raise refusal_of(action)
        return action

    def decide_at_once(self, arrival: Arrival, failed: tuple[Target, ...]) -> Dispatch | Buy | None:
        """Decides for what must not wait: None where no target has room for it now."""
        actions = self._scheduler.on_retry(arrival, failed, self._now())
        decision = next(each for each in actions if each.request_id == arrival.request_id)
        self._apply([each for each in actions if each is not decision])
        if isinstance(decision, Dispatch | Buy):
            return decision
        self.finish(arrival.request_id, Outcome.CLIENT_LEFT)
        return None

    def first_token(self, request_id: str) -> None:
        self._scheduler.on_first_token(request_id, self._now())

    def keep_turn(self, job: Job, target: Target, cached_tokens: int | None) -> None:
        keep_turn(self.sessions, job, target, cached_tokens, self._now())

    def finish(
        self,
        request_id: str,
        outcome: Outcome,
        cost_nano: NanoUsd = 0,
        pause_s: float | None = None,
    ) -> None:
        """``cost_nano`` is what was settled for it, 0 where nothing was sent; ``pause_s`` how long
        its target asked to be left alone."""
        self._apply(self._scheduler.on_finish(request_id, outcome, self._now(), cost_nano, pause_s))

    def _now(self) -> float:
        return self.clock.monotonic_s()

    def _apply(self, actions: list[Action]) -> None:
        for request_id in self._awaited.tell(actions):
            self.finish(request_id, Outcome.CLIENT_LEFT)  # gives the room back

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._tick()

    def _tick(self) -> None:
        self.renew_prices()
        now = self._now()
        self.watchdog.look(self.config.stream, self._scheduler.on_progress, now)
        self._apply(self._scheduler.on_tick(now))

    async def _observe_forever(self) -> None:
        while True:
            now = self._now()
            snapshot, faults = self._scheduler.snapshot(now), self.connector.faults.counts
            limits = {**self.estimator.limits, **self.sessions.limits}
            is_refused = self.refused is not None
            self._shut_log.note(shut_targets(snapshot))
            quality = self.learning.seen
            self.observers.sampled(Sample(snapshot, limits, faults, is_refused, now, quality))
            await asyncio.sleep(OBSERVE_S)

    async def _read_news(self) -> None:
        await self._others.tell(self._scheduler)
        await self.learning.learn(self.routing)
