"""Which of the targets that may take a request gets it: least work, or least money.

Work is prefill tokens to be done times the requests that share the batch (LMetric, arXiv
2603.15202), where what a replica's prefix cache holds need not be done. Counts, not seconds: a
replica that happened to measure itself slow in its first steps would get no work, and so never
measure anything else. Equal work goes to the replica that prefills faster, where cards differ,
then to the smaller name, so that the same inputs give the same decisions.
"""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.choose.eligibility import FULL_FOR_ALL, refuse_offer, refuse_replica, verdict
from scheduler.decision import Refusal, Verdict
from scheduler.pool.offer_state import OfferBook
from scheduler.pool.pool import Pool
from scheduler.pool.queue import Waiting
from scheduler.pool.replica_state import Book
from scheduler.pool.spending import Spending
from scheduler.settings import Settings

# Replicas looked at per decision: the holders of its prefix, and so many of the open ones.
CANDIDATES_MAX = 32


def held_tokens(waiting: Waiting, book: Book, pool: Pool) -> int:
    """Of the prompt, what this replica was sent before."""
    arrival = waiting.arrival
    return pool.prefixes.hit_blocks(book.replica.replica_id, arrival.blocks) * arrival.block_tokens


def prefill_tokens(waiting: Waiting, book: Book, pool: Pool) -> int:
    """Of the prompt, what this replica must compute: at least one token, even of a known prompt."""
    arrival = waiting.arrival
    if not arrival.blocks or not (held := held_tokens(waiting, book, pool)):
        return arrival.prompt_tokens
    trust = pool.prefixes.trust(book.replica.replica_id)
    return max(1, arrival.prompt_tokens - int(held * trust))


def best_replica(
    waiting: Waiting, books: Iterable[Book], pool: Pool, settings: Settings, now: float
) -> tuple[Book | None, list[Verdict]]:
    """The replica with the least work of those that may take it, and the finding on each."""
    best: tuple[int, float, str, Book] | None = None
    verdicts: list[Verdict] = []
    for book in books:
        tokens = prefill_tokens(waiting, book, pool)
        refusal = refuse_replica(waiting, tokens, book, pool.cost, settings, now)
        verdicts.append(verdict(book.target, refusal))
        if refusal is not None:
            if refusal in FULL_FOR_ALL:
                pool.close(book)
                book.has_news = refusal is Refusal.STALE_REPORT  # any report would be news
            continue
        requests = book.in_flight + book.foreign_requests + 1
        work = (book.prefill_tokens_waiting + tokens) * requests
        key = (work, -book.prefill_tok_s(settings), book.replica.replica_id)
        if best is None or key < best[:3]:
            best = (*key, book)
    return best[3] if best else None, verdicts


def candidates(waiting: Waiting, pool: Pool) -> Iterable[Book]:
    """The open replicas, or some of them and the holders of its prefix, where they are many."""
    found = pool.some_open(CANDIDATES_MAX)
    if len(found) < len(pool.open):
        holders = [pool.replicas[name] for name in waiting.hits if name in pool.replicas]
        found = list({book.replica.replica_id: book for book in [*holders, *found]}.values())
    if pool.reserved:
        found = [book for book in found if book.replica.replica_id not in pool.reserved]
    return found


def cheapest_offer(
    waiting: Waiting, pool: Pool, spending: Spending, settings: Settings, now: float
) -> tuple[OfferBook | None, list[Verdict]]:
    """The offer with the least expected cost of those that may take it, and the findings."""
    best: tuple[int, str, OfferBook] | None = None
    verdicts: list[Verdict] = []
    output_tokens = waiting.output_tokens
    for book in pool.offers:
        refusal = refuse_offer(waiting, book, spending, settings, now)
        verdicts.append(verdict(book.target, refusal))
        cost_nano = book.cost_nano(waiting.arrival, output_tokens)
        if refusal is not None or cost_nano is None:
            continue
        if best is None or (cost_nano, book.offer.offer_id) < best[:2]:
            best = (cost_nano, book.offer.offer_id, book)
    return best[2] if best else None, verdicts


def survey(
    waiting: Waiting, pool: Pool, spending: Spending, settings: Settings, now: float
) -> tuple[list[Verdict], list[Verdict]]:
    """The findings on replicas and on offers: the evidence of a refusal."""
    _, offers = cheapest_offer(waiting, pool, spending, settings, now)
    return survey_replicas(waiting, pool, settings, now), offers


def survey_replicas(waiting: Waiting, pool: Pool, settings: Settings, now: float) -> list[Verdict]:
    """The finding on each of the first replicas: the evidence of a decision against them."""
    found: list[Verdict] = []
    for book in pool.some(CANDIDATES_MAX):
        tokens = prefill_tokens(waiting, book, pool)
        refusal: Refusal | None = refuse_replica(waiting, tokens, book, pool.cost, settings, now)
        found.append(verdict(book.target, refusal))
    return found
