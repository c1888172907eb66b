"""What an attempt's ending says of its tokens, who says it, and what is learned from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from runtime.ledger.rows import UsageSource
from runtime.request.estimate import Estimator
from runtime.request.job import Job
from runtime.wire.dialect import Said
from runtime.wire.reported_usage import Usage


@dataclass(frozen=True, slots=True)
class BilledTokens:
    """The tokens that an attempt is billed for. Counts are None where nobody reported or estimated
    them."""

    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    source: UsageSource
    note: str = ""  # for a reader: what was not taken as it was told
    cache_write_tokens: int | None = None  # among the prompt's, where a target tells them

    @classmethod
    def of(
        cls, usage: Usage | None, output_tokens_most: int, delivered: Callable[[], int]
    ) -> BilledTokens:
        """What the target reported, as far as that can be.

        ``delivered`` estimates what it has sent; it is asked if the target tells no output, or none
        beside an answer. A prompt has tokens, so 0 of them is none told.
        """
        output = usage.output_tokens if usage else None
        prompt = (usage.prompt_tokens or None) if usage else None
        cached = usage.cached_tokens if usage and prompt else None
        written = usage.cache_write_tokens if usage and prompt else None
        if not output and (sent := min(delivered(), output_tokens_most)):
            return cls(prompt, cached, sent, UsageSource.ESTIMATE, "", written)
        if prompt is None and not output:
            return NOTHING
        if output is not None and output > output_tokens_most:
            note = f"{output} completion tokens told, at most {output_tokens_most} can be"
            return cls(prompt, cached, output_tokens_most, UsageSource.LIMIT, note, written)
        note = ""
        if usage and output != usage.completion_tokens:
            note = f"{usage.completion_tokens} completion tokens told, others beside them"
        source = UsageSource.TARGET if prompt else UsageSource.ESTIMATE
        return cls(prompt, cached, output, source, note, written)


NOTHING = BilledTokens(None, None, None, UsageSource.NONE)


class _NothingSaid:
    """What there is of an answer before any target was asked."""

    usage: Usage | None = None
    cut_off = False

    def tokens(self, count: Callable[[str], int]) -> int:
        return 0


_NOTHING_SAID = _NothingSaid()


class Reckoning:
    """What one request's answer costs, and what it teaches: that once. ``said`` is of the attempt
    that is under way."""

    def __init__(self, estimator: Estimator, job: Job) -> None:
        self.said: Said = _NOTHING_SAID
        self._estimator = estimator
        self._job = job
        self._is_learned = False

    def bill(self, output_tokens_most: int) -> BilledTokens:
        """Counts what is billed as far as the answer has come."""
        return BilledTokens.of(self.said.usage, output_tokens_most, self._tokens)

    def learn(self, bill: BilledTokens) -> None:
        """Learns from an answer that has come to its end. A count that cannot be teaches
        nothing."""
        self._is_learned = True
        if bill.source is UsageSource.LIMIT or bill.completion_tokens is None:
            return
        self._learn_prompt(bill.prompt_tokens)
        self._learn_length(bill.completion_tokens, is_complete=not self.said.cut_off)

    def learn_the_rest(self) -> None:
        """Learns from an answer that did not come to its end: it would have been longer."""
        if not self._is_learned:
            self._learn_length(self._tokens(), is_complete=False)

    def _learn_prompt(self, tokens: int | None) -> None:
        job, worst = self._job, self._job.arrival.worst
        if tokens is None or (worst is not None and tokens > worst.prompt_tokens):
            return
        if job.shape.utf8_bytes:  # of token ids nothing is to be read off
            self._estimator.learn_prompt(job.model, job.shape, tokens)

    def _learn_length(self, tokens: int, *, is_complete: bool) -> None:
        job = self._job
        tokens //= job.request.choices
        self._estimator.learn_answer(job.kind, tokens, is_complete=is_complete)

    def _tokens(self) -> int:
        return self.said.tokens(partial(self._estimator.answer_tokens, self._job.model))
