"""The table of quality as it learns while requests are served: from what callers say of answers.

Every gateway reads all feedback from the ledger's store, its own too, so that each learns what the
others do, and begins where the last one ended. Results fade: a model that was left out gets no
new ones, and comes back when too few are left to speak against it.
"""

from __future__ import annotations

import asyncio

from runtime.clock import SYSTEM, Clock
from runtime.ledger.feedback_log import FeedbackNews
from runtime.ledger.store import FeedbackSum, Store
from runtime.request_limits import refusals
from runtime.routing.apply_rules import Routing
from runtime.routing.demotions import Demotions, QualitySeen
from scheduler.routing.quality_table import QualityTable

DAY_MS = 86_400_000
FADE_MS = 3_600_000  # between two fades: results count a little too much until then
HALF_LIVES_READ = 10  # what is older counts less than a thousandth


class Learning:
    """``seen`` is how the candidates of the rules stood when it last looked."""

    def __init__(self, store: Store, clock: Clock = SYSTEM) -> None:
        self.table = QualityTable()
        self._demotions = Demotions()
        self.seen = QualitySeen()
        self._news = FeedbackNews(store)
        self._reading = asyncio.Lock()
        self._clock = clock
        self._faded_ms = clock.unix_ms()
        self._looked: tuple[Routing, int] | None = None  # at these rules, and that revision

    async def learn(self, routing: Routing) -> None:
        """What is new, and what the rules in force make of it. Raises LedgerUnavailable."""
        async with self._reading:
            now_ms = self._clock.unix_ms()
            self._fade(now_ms, routing.half_life_days)
            since_ms = now_ms - HALF_LIVES_READ * routing.half_life_days * DAY_MS
            for each in await asyncio.to_thread(self._news.read, since_ms):
                self._observe(each, now_ms, routing.half_life_days)
        seen = routing, self.table.revision
        if seen != self._looked:
            self._looked = seen
            found = routing.qualities()
            self._demotions.look(found)
            self.seen = QualitySeen(found, self._demotions.counts)

    def _fade(self, now_ms: int, half_life_days: int) -> None:
        passed_ms = now_ms - self._faded_ms
        if 0 <= passed_ms < FADE_MS:
            return
        self._faded_ms = now_ms
        if passed_ms > 0:  # else the clock was set back
            self.table.fade(0.5 ** (passed_ms / DAY_MS / half_life_days))

    def _observe(self, found: FeedbackSum, now_ms: int, half_life_days: int) -> None:
        """A day's results count in full until it ends."""
        age_days = max(0.0, now_ms / DAY_MS - (found.day + 1))
        weight: float = 0.5 ** (age_days / half_life_days)
        mean = found.score_total / found.results
        count = found.results * weight
        if not self.table.observe(found.model, found.task, found.language, mean, count):
            refusals["quality_cells_max"] += 1
