"""What the scheduler knows of a request when it arrives."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.learned.lengths import LengthCurve

PRIORITY_FIRST, PRIORITY_USUAL, PRIORITY_LAST = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Worst:
    """The most that a target can count, where the rest of an Arrival is estimated."""

    prompt_tokens: int
    answers: int
    answer_tokens: int | None  # of one; None: only the target itself ends it


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request, reduced to what a decision needs. All token counts are estimates, but for
    ``worst``; without it they are exact.

    ``ttft_budget_ms`` is how long the caller accepts to wait for the first token. A request with
    ``deadline_ms`` is of the off-peak lane instead: it runs off-peak, and must be complete by then.
    ``blocks`` are hashes of the prompt's leading blocks, each covering all before it, and
    ``block_tokens`` what one stands for. ``offers`` are those that eligibility left: None is any
    of the model, and an empty set a request that must not leave.

    A request that several models may answer is an Arrival of the one that is preferred, with
    ``alternatives``: the same request as each other model would have it, in the order preferred.
    """

    request_id: str
    tenant: str
    model: str
    prompt_tokens: int
    output_tokens: int  # expected
    max_output_tokens: int
    ttft_budget_ms: int
    sequence_tokens: int | None = None  # the longest of several answers; None: there is one
    worst: Worst | None = None
    lengths: LengthCurve | None = None  # of one answer; refines the expectation as it streams
    priority: int = PRIORITY_USUAL
    blocks: tuple[int, ...] = ()
    block_tokens: int = 0
    offers: frozenset[str] | None = None
    is_local_allowed: bool = True  # whether a rule lets the replicas here have it
    deadline_ms: int | None = None
    body_bytes: int = 0  # that are kept in memory while it waits
    alternatives: tuple[Arrival, ...] = ()
    is_substitute: bool = True  # as an alternative: may take what others have no room for
    buys_cheapest: bool = False  # of all models; else of the first in order that has an offer
    caching_offer: str | None = None  # the one that served the conversation's turn before
    cached_tokens: int = 0  # of the prompt, that it still has

    @property
    def kv_tokens_max(self) -> int:
        """KV tokens that the request holds at its end, if it answers as long as it may."""
        return self.prompt_tokens + self.max_output_tokens

    @property
    def context_tokens(self) -> int:
        """What must fit a context: one prompt and one answer, of however many."""
        return self.kv_tokens_max if self.sequence_tokens is None else self.sequence_tokens

    @property
    def output_tokens_expected(self) -> int:
        return max(1, min(self.output_tokens, self.max_output_tokens))
