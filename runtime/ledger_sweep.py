"""What a gateway does with its ledger now and then: ends rows of the dead, reads what is new."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from runtime.errors import LedgerUnavailable
from runtime.ledger.ledger import Ledger
from runtime.targets.replica_clocks import SharedClocks

SWEEP_S = 5.0

log = logging.getLogger("baseload.gateway")


async def sweep_forever(
    ledger: Ledger, read_news: Callable[[], Awaitable[None]], clocks: SharedClocks
) -> None:
    """Sweeps until the ledger has failed for good: readiness and health say so."""
    while True:
        try:
            if swept := await asyncio.to_thread(ledger.sweep):
                log.warning("ledger: ended %d rows of gateways that had died", swept)
            await read_news()
            clocks.forget_dead()
        except LedgerUnavailable as error:
            if not ledger.healthy():
                return
            log.error("what others have bought is not known for now: %s", error)
        await asyncio.sleep(SWEEP_S)
