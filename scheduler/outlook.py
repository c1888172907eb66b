"""When a request that must wait would get its first token from the pool.

A fluid model of the replicas that are full: each turns over all that it holds in the time that
its requests still need, so slots and KV tokens come free at a steady rate, and whoever stands
ahead in the queue takes them first. The most binding of slots, KV and prefill decides. Coarse,
but asked again at every tick, when the book knows more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scheduler.book import Book
from scheduler.queue import Waiting
from scheduler.settings import Settings


def turnover_s(book: Book, settings: Settings) -> float:
    """Seconds in which a replica frees as much as it holds.

    Answers spread evenly over their length have half of it left on average, so twice the mean
    of what is left; never less than the mean length, since those who follow need that long.
    """
    tokens = float(settings.output_tokens_assumed)
    if book.in_flight:
        left = book.output_tokens - book.streamed_tokens
        tokens = max(2 * left, book.output_tokens) / book.in_flight
    return tokens * book.decode_step_s(settings)


@dataclass(slots=True)
class Outlook:
    """Built for the first request that must wait; those behind it join one by one."""

    now: float
    requests_s: float = 0.0  # the rates: sums over the replicas
    kv_tokens_s: float = 0.0
    prefill_tok_s: float = 0.0
    prefill_one_tok_s: float = 0.0  # of the fastest replica
    slots_free: int = 0
    kv_tokens_free: int = 0
    requests_ahead: int = 0
    kv_tokens_ahead: int = 0
    prefill_tokens_ahead: int = 0

    @classmethod
    def of(cls, full: Iterable[Book], settings: Settings, now: float) -> Outlook:
        outlook = cls(now)
        for book in full:
            outlook._add(book, settings)
        return outlook

    def _add(self, book: Book, settings: Settings) -> None:
        report = book.report if book.is_fresh(settings, self.now) else None
        requests, kv_tokens = book.in_flight, book.kv_tokens_reserved
        prefill_tokens = book.prefill_tokens_waiting
        if report is not None:
            requests += book.foreign_requests
            kv_tokens += book.foreign_kv_tokens
            prefill_tokens = max(prefill_tokens, report.waiting_prefill_tokens)
        turnover = turnover_s(book, settings)
        self.requests_s += max(1, requests) / turnover
        self.kv_tokens_s += max(1, kv_tokens) / turnover
        prefill_tok_s = book.prefill_tok_s(settings)
        self.prefill_tok_s += prefill_tok_s
        self.prefill_one_tok_s = max(self.prefill_one_tok_s, prefill_tok_s)
        self.prefill_tokens_ahead += prefill_tokens
        if report is None or report.waiting == 0:
            self.slots_free += max(0, book.slots_free(settings, report is not None))
        # Free KV is scattered over the replicas: only the largest piece helps one request.
        free = book.kv_tokens_free(settings, report is not None)
        self.kv_tokens_free = max(self.kv_tokens_free, free)

    def stand_behind(self, requests: int, kv_tokens: int, prompt_tokens: int) -> None:
        """Those are served first."""
        self.requests_ahead += requests
        self.kv_tokens_ahead += kv_tokens
        self.prefill_tokens_ahead += prompt_tokens

    def wait_s(self, waiting: Waiting) -> float:
        """Seconds until a replica would start on this request."""
        slots = (self.requests_ahead + 1 - self.slots_free) / self.requests_s
        kv = (self.kv_tokens_ahead + waiting.kv_tokens - self.kv_tokens_free) / self.kv_tokens_s
        return max(0.0, slots, kv, self.prefill_tokens_ahead / self.prefill_tok_s)

    def first_token_at(self, waiting: Waiting) -> float:
        prefill_s = waiting.arrival.prompt_tokens / self.prefill_one_tok_s
        return self.now + self.wait_s(waiting) + prefill_s
