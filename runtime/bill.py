"""What an attempt's ending says of its tokens, who says it, and what is learned from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from runtime.estimate import Estimator
from runtime.http.usage import Usage
from runtime.job import Job


class UsageSource(StrEnum):
    """The word in the ledger for who says how many tokens there were."""

    TARGET = "target"
    LIMIT = "limit"  # the target says more than can be: then it is the most that can be
    ESTIMATE = "estimate"  # of a count that the target did not tell, from what it sent
    NONE = "none"  # nobody


@dataclass(frozen=True, slots=True)
class Bill:
    """Counts are None where nobody reported or estimated them."""

    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    source: UsageSource
    note: str = ""  # for a reader: what was not taken as it was told

    @classmethod
    def of(cls, usage: Usage | None, output_tokens_most: int, delivered: Callable[[], int]) -> Bill:
        """What the target reported, as far as that can be.

        ``delivered`` estimates what it has sent; it is asked if the target tells no output, or none
        beside an answer. A prompt has tokens, so 0 of them is none told.
        """
        output = usage.output_tokens if usage else None
        prompt = (usage.prompt_tokens or None) if usage else None
        cached = usage.cached_tokens if usage and prompt else None
        if not output and (sent := min(delivered(), output_tokens_most)):
            return cls(prompt, cached, sent, UsageSource.ESTIMATE)
        if prompt is None and not output:
            return NOTHING
        if output is not None and output > output_tokens_most:
            note = f"{output} completion tokens told, at most {output_tokens_most} can be"
            return cls(prompt, cached, output_tokens_most, UsageSource.LIMIT, note)
        note = ""
        if usage and output != usage.completion_tokens:
            note = f"{usage.completion_tokens} completion tokens told, others beside them"
        source = UsageSource.TARGET if prompt else UsageSource.ESTIMATE
        return cls(prompt, cached, output, source, note)


NOTHING = Bill(None, None, None, UsageSource.NONE)


def learn(estimator: Estimator, job: Job, bill: Bill, *, cut_off: bool) -> None:
    """From an answer that has come to its end. A report that cannot be true teaches nothing."""
    if bill.source is UsageSource.LIMIT or bill.completion_tokens is None:
        return
    # Of token ids nothing is to be read off.
    if job.shape.utf8_bytes and bill.prompt_tokens is not None:
        worst = job.arrival.worst
        if worst is None or bill.prompt_tokens <= worst.prompt_tokens:
            estimator.learn_prompt(job.model, job.shape, bill.prompt_tokens)
    tokens = bill.completion_tokens // job.request.choices
    estimator.learn_answer(job.kind, tokens, is_complete=not cut_off)
