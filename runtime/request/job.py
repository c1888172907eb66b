"""One accepted request, before any target is chosen: what it asks, who asks, how big it is.

Of a request that several models may answer there is a job for each, as that model would have it:
the first one carries the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

from tokenizers import Tokenizer

from runtime.clock import SYSTEM, Clock
from runtime.errors import BadRequest, ContextTooLong
from runtime.request.estimate import Estimator, Kind
from runtime.request.prefix_blocks import BLOCK_BYTES, prefix_blocks
from runtime.request.request_record import RequestRecord
from runtime.request.worst_case import worst_case
from runtime.request_limits import LIMITS, refusals
from runtime.wire.dialect import Dialect
from runtime.wire.model_request import ModelRequest
from runtime.wire.tags import CostTier, Tags, header_of
from scheduler.arrival import PRIORITY_FIRST, PRIORITY_LAST, PRIORITY_USUAL, Arrival, Worst
from scheduler.learned.lengths import LengthCurve
from scheduler.learned.prompt_tokens import PromptShape

TOKENIZERS_KEPT_MAX = 8
DEADLINE_HEADER = header_of("deadline")
PRIORITIES = {
    CostTier.PREMIUM: PRIORITY_FIRST,
    CostTier.STANDARD: PRIORITY_USUAL,
    CostTier.ECONOMY: PRIORITY_LAST,
}


@dataclass(frozen=True, slots=True)
class Job:
    """``arrived_s`` is monotonic; ``arrived_ms`` is unix time, for the ledger. ``others`` are the
    same request as other models would have it, in the order in which they are preferred."""

    request_id: str
    tenant: str
    tags: Tags
    dialect: Dialect  # of its caller
    request: ModelRequest
    shape: PromptShape
    kind: Kind
    lengths: LengthCurve  # of one answer
    arrival: Arrival
    arrived_s: float
    arrived_ms: int
    record: RequestRecord
    first_token_ms_max: int | None = None  # of an attempt at this model; None: as for any
    deadline_ms: int | None = None  # of all attempts together; None: as for any
    others: tuple[Job, ...] = ()

    @property
    def model(self) -> str:
        return self.arrival.model

    @property
    def rule(self) -> str:
        """That chose among models; "" where one was asked for by its name."""
        return "" if self.record.evidence is None else self.record.evidence.rule

    @property
    def streaming(self) -> bool:
        return self.request.streaming

    @property
    def output_tokens_most(self) -> int:
        """More than these no target can generate, however wrong the estimate of the prompt is."""
        asked, choices = self.request.answer_tokens_max, self.request.choices
        if asked is not None:
            return choices * asked
        return self.arrival.max_output_tokens + choices * self.arrival.prompt_tokens  # the context

    def arrival_at(self, now_s: float) -> Arrival:
        """The arrival for an attempt that begins at this moment: a deadline stays where it was."""
        deadline_ms = self.arrival.deadline_ms
        if deadline_ms is None:
            return self.arrival
        left_ms = max(1, deadline_ms - round((now_s - self.arrived_s) * 1000))
        others = tuple(replace(each, deadline_ms=left_ms) for each in self.arrival.alternatives)
        return replace(self.arrival, deadline_ms=left_ms, alternatives=others)

    def as_of(self, model: str) -> Job:
        """The job of the model that was chosen."""
        return next((each for each in self.others if each.model == model), self)

    def with_others(self, others: Iterable[Job], *, buys_cheapest: bool) -> Job:
        """The job with what other models may answer instead, those that are preferred first."""
        others = tuple(others)
        arrival = replace(
            self.arrival,
            alternatives=tuple(each.arrival for each in others),
            buys_cheapest=buys_cheapest,
        )
        return replace(self, others=others, arrival=arrival)


@dataclass(frozen=True, slots=True)
class ModelTerms:
    """The terms on which one model may answer a request: ``offers`` are those that it may be bought
    from. The rest is as in an Arrival and a Job."""

    model: str
    context_tokens_max: int
    offers: frozenset[str]
    is_local_allowed: bool = True
    is_substitute: bool = True
    first_token_ms_max: int | None = None
    deadline_ms: int | None = None
    caching_offer: str | None = None
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Arrived:
    """What of a request is the same for every model: when it came, and how big it is."""

    shape: PromptShape
    worst: Worst
    off_peak_ms: int | None  # left for a request of the off-peak lane; None: it is of no such
    arrived_s: float
    arrived_ms: int
    blocks: tuple[int, ...] = ()  # of the prompt

    @classmethod
    def now(
        cls, request: ModelRequest, tenant: str, tags: Tags, body: bytes, clock: Clock = SYSTEM
    ) -> Arrived:
        """``body`` is how it came. BadRequest for a deadline out of bounds."""
        arrived_ms = clock.unix_ms()
        off_peak_ms = _deadline_ms(tags, arrived_ms)
        text = "".join(request.texts())
        worst, shape = worst_case(request, text, body), _shape(request, text)
        blocks: tuple[int, ...] = ()
        if shape.utf8_bytes >= BLOCK_BYTES:
            blocks = prefix_blocks(tenant, request.prefix_parts())
        return cls(shape, worst, off_peak_ms, clock.monotonic_s(), arrived_ms, blocks)


def new_job(
    *,
    record: RequestRecord,
    tenant: str,
    tags: Tags,
    dialect: Dialect,
    request: ModelRequest,
    terms: ModelTerms,
    estimator: Estimator,
    ttft_budget_ms: int,
    arrived: Arrived,
) -> Job:
    """The request as one model would have it."""
    model, shape = terms.model, arrived.shape
    exact = sum(request.prompt_token_counts or ())
    prompt_tokens = exact or estimator.prompt_tokens(model, shape)
    kind = Kind(tenant, tags.task or "", model, prompt_tokens)
    lengths = estimator.lengths(kind)
    room = max(1, terms.context_tokens_max - prompt_tokens)
    arrival = Arrival(
        request_id=record.request_id,
        tenant=tenant,
        model=model,
        ttft_budget_ms=tags.latency_budget_ms or ttft_budget_ms,
        priority=PRIORITIES[tags.cost_tier],
        blocks=arrived.blocks,
        offers=terms.offers,
        is_local_allowed=terms.is_local_allowed,
        is_substitute=terms.is_substitute,
        deadline_ms=arrived.off_peak_ms,
        body_bytes=shape.utf8_bytes,
        caching_offer=terms.caching_offer,
        cached_tokens=terms.cached_tokens,
        worst=arrived.worst,
        **_sizes(request, shape, lengths, len(arrived.blocks), [prompt_tokens], room),
    )
    return Job(
        request_id=record.request_id,
        tenant=tenant,
        tags=tags,
        dialect=dialect,
        request=request,
        shape=shape,
        kind=kind,
        lengths=lengths,
        arrival=arrival,
        arrived_s=arrived.arrived_s,
        arrived_ms=arrived.arrived_ms,
        record=record,
        first_token_ms_max=terms.first_token_ms_max,
        deadline_ms=terms.deadline_ms,
    )


class _Sizes(TypedDict):
    """The fields of an Arrival that follow from the length of its prompt."""

    prompt_tokens: int
    output_tokens: int
    max_output_tokens: int
    sequence_tokens: int
    lengths: LengthCurve | None
    block_tokens: int


def _sizes(
    request: ModelRequest,
    shape: PromptShape,
    lengths: LengthCurve,
    blocks: int,
    prompts: list[int],
    room: int,
) -> _Sizes:
    """``prompts`` are the tokens of each; one answer has ``room``."""
    prompt_tokens = max(1, sum(prompts))
    answer_tokens_max = request.output_tokens_max(room)
    per_block = prompt_tokens * BLOCK_BYTES // max(BLOCK_BYTES, shape.utf8_bytes)
    return _Sizes(
        prompt_tokens=prompt_tokens,
        output_tokens=max(1, round(request.choices * lengths.mean(answer_tokens_max))),
        max_output_tokens=request.choices * answer_tokens_max,
        sequence_tokens=max(prompts) + answer_tokens_max,
        lengths=lengths if request.choices == 1 else None,
        # Blocks hold roles, too, so that together they could stand for more than the prompt.
        block_tokens=min(per_block, prompt_tokens // blocks) if blocks else 0,
    )


def _deadline_ms(tags: Tags, arrived_ms: int) -> int | None:
    """From its arrival."""
    if tags.deadline is None:
        return None
    left_ms = round(tags.deadline.timestamp() * 1000) - arrived_ms
    if 0 < left_ms <= LIMITS.deadline_ms_max:
        return left_ms
    refusals["deadline_ms_max"] += 1
    hours = LIMITS.deadline_ms_max // 3_600_000
    raise BadRequest(
        f"The header `{DEADLINE_HEADER}` must be a time within the next {hours} hours.",
        param=DEADLINE_HEADER,
    )


def shape_of(request: ModelRequest) -> PromptShape:
    """The shape of all its prompts together."""
    return _shape(request, "".join(request.texts()))


def _shape(request: ModelRequest, text: str) -> PromptShape:
    return PromptShape.of(text, request.message_count)


def needs_exact_count(job: Job, context_tokens_max: int) -> bool:
    """Whether the request could be over the context: no token is shorter than a byte."""
    asked = job.request.answer_tokens_max or 1
    most = max(job.arrival.prompt_tokens, job.shape.utf8_bytes)
    return most + asked > context_tokens_max


def exactly_counted(job: Job, context_tokens_max: int, tokenizer: Path | None) -> Job:
    """The job with its prompt counted; ContextTooLong when prompt and answer cannot fit.

    CPU-bound: call off the loop. Without a tokenizer the estimate decides, with a factor of two
    in the caller's favour.
    """
    asked = job.request.answer_tokens_max or 1
    prompts = _prompt_tokens(job, context_tokens_max - asked, tokenizer)
    if max(prompts) + asked > context_tokens_max:
        raise ContextTooLong(
            f"The model's context is {context_tokens_max} tokens. The prompt has about "
            f"{max(prompts)} and up to {asked} were asked for. Shorten the prompt or lower "
            "max_tokens.",
            param=job.request.prompt_field,
        )
    room, blocks = context_tokens_max - max(prompts), len(job.arrival.blocks)
    sizes = _sizes(job.request, job.shape, job.lengths, blocks, prompts, room)
    return replace(job, arrival=replace(job.arrival, **sizes))


def _prompt_tokens(job: Job, room: int, tokenizer: Path | None) -> list[int]:
    """Of each prompt; a chat is one."""
    request = job.request
    if (exact := request.prompt_token_counts) is not None:
        return exact
    if tokenizer is None:
        return [max(job.arrival.prompt_tokens // 2, min(job.arrival.prompt_tokens, room))]
    encode = _tokenizer(tokenizer).encode
    return [sum(len(encode(text)) for text in texts) for texts in request.texts_by_prompt()]


@lru_cache(TOKENIZERS_KEPT_MAX)
def _tokenizer(path: Path) -> Tokenizer:
    return Tokenizer.from_file(str(path))
