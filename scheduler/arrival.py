"""What the scheduler knows of a request when it arrives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request, reduced to what a decision needs. All token counts are estimates.

    ``ttft_budget_ms`` is how long the caller accepts to wait for the first token.
    """

    request_id: str
    tenant: str
    model: str
    prompt_tokens: int
    output_tokens: int
    max_output_tokens: int
    ttft_budget_ms: int
    sequence_tokens: int | None = None  # the longest of several answers; None: there is one

    @property
    def kv_tokens(self) -> int:
        """KV tokens that the request holds at its end, if it answers as long as it may."""
        return self.prompt_tokens + self.max_output_tokens

    @property
    def context_tokens(self) -> int:
        """What must fit a context: one prompt and one answer, of however many."""
        return self.kv_tokens if self.sequence_tokens is None else self.sequence_tokens
