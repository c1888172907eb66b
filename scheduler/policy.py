"""What happens to one request that has no target: dispatch, buy, keep waiting, or refuse.

Local capacity is taken first. A request is bought when waiting would miss its latency budget or
outlast the queue, and refused when it has waited as long as anything may, or when nothing could
ever serve it. A request that a full replica could serve blocks all behind it until it is itself
dispatched, bought or refused: overtaking would let small requests starve a large one. A request
that no live replica could serve blocks nobody.
"""

from __future__ import annotations

from math import ceil

from scheduler.decision import Buy, Dispatch, Reason, Refusal, Reject
from scheduler.eligibility import Survey, survey
from scheduler.offer_book import OfferBook
from scheduler.outlook import Outlook
from scheduler.placement import cheapest, least_work
from scheduler.pool import Pool
from scheduler.queue import Waiting
from scheduler.settings import Settings

Final = Dispatch | Buy | Reject


def decide(
    waiting: Waiting, pool: Pool, outlook: Outlook | None, settings: Settings, now: float
) -> tuple[Final | None, Outlook | None]:
    """The action, or None to wait; and the outlook of the next in line, None if unblocked.

    ``outlook`` is that of the requests ahead. Behind a blocking request, a held one costs the
    same however many replicas there are.
    """
    found = None
    blocking = outlook  # what this request waits for; None if no replica could serve it
    if outlook is None or not waiting.is_held:
        found = survey(waiting, pool, settings, now)
        if found.free and outlook is None:
            return _dispatch(waiting, found, settings), None
        if not found.free:
            blocking = (outlook or Outlook.of(found.full, settings, now)) if found.full else None
    expires_at = waiting.since + settings.queue_wait_ms_max / 1000
    if blocking is None:
        is_late, reason = True, Reason.SPILL_NO_REPLICA
    else:
        first_token_at = blocking.first_token_at(waiting)
        is_late, reason = first_token_at > min(waiting.deadline, expires_at), Reason.SPILL_LATENCY
    if is_late and (offer := cheapest(waiting, pool.offers, now)):
        found = found or survey(waiting, pool, settings, now)
        return _buy(waiting, offer, reason, found), outlook
    if now >= expires_at:
        found = found or survey(waiting, pool, settings, now)
        return _reject(waiting, Reason.QUEUE_TIMEOUT, blocking, found, settings), outlook
    if found and blocking is None and not _may_recover(found, pool):
        return _reject(waiting, _hopeless(found), None, found, settings), outlook
    return None, blocking or outlook


def overflow(
    waiting: Waiting, pool: Pool, outlook: Outlook | None, settings: Settings, now: float
) -> Buy | Reject:
    """A request that should wait, but the queue is at a bound: buy sooner than refuse."""
    found = survey(waiting, pool, settings, now)
    if offer := cheapest(waiting, pool.offers, now):
        return _buy(waiting, offer, Reason.SPILL_LATENCY, found)
    return _reject(waiting, Reason.QUEUE_FULL, outlook, found, settings)


def _dispatch(waiting: Waiting, found: Survey, settings: Settings) -> Dispatch:
    book = least_work(waiting.arrival, found.free, settings)
    reason = Reason.HELD if waiting.is_held else Reason.LOCAL_FIT
    if waiting.excluded is not None:
        reason = Reason.RETRY
    request_id, replica_id = waiting.arrival.request_id, book.replica.replica_id
    return Dispatch(request_id, replica_id, reason, found.verdicts())


def _buy(waiting: Waiting, book: OfferBook, reason: Reason, found: Survey) -> Buy:
    if waiting.excluded is not None:
        reason = Reason.RETRY
    return Buy(waiting.arrival.request_id, book.offer.offer_id, reason, found.verdicts())


def _reject(
    waiting: Waiting, reason: Reason, outlook: Outlook | None, found: Survey, settings: Settings
) -> Reject:
    retry_after_s: int | None = settings.retry_after_s_unknown
    if reason is Reason.CONTEXT_TOO_LONG:
        retry_after_s = None
    elif outlook is not None:
        retry_after_s = max(1, ceil(min(outlook.wait_s(waiting), settings.retry_after_s_max)))
    return Reject(waiting.arrival.request_id, reason, retry_after_s, found.verdicts())


def _may_recover(found: Survey, pool: Pool) -> bool:
    """Whether a target may yet come: a replica boots again or is probed, an offer gets free."""
    if pool.had_replica and not pool.replicas:
        return True
    passing = (Refusal.EXCLUDED, Refusal.BREAKER_OPEN)
    return any(refusal in passing for _, refusal in found.replicas) or any(
        refusal is Refusal.IN_FLIGHT_MAX for _, refusal in found.offers
    )


def _hopeless(found: Survey) -> Reason:
    refusals = found.refusals()
    if refusals and all(refusal is Refusal.CONTEXT for refusal in refusals):
        return Reason.CONTEXT_TOO_LONG
    return Reason.NO_TARGET
