"""One accepted request, before any target is chosen: what it asks, who asks, how big it is."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from tokenizers import Tokenizer

from runtime.errors import ContextTooLong
from runtime.estimate import Estimator, PromptSize
from runtime.http.tags import Tags
from runtime.http.wire import ChatRequest, CompletionRequest
from scheduler.arrival import Arrival

Request = ChatRequest | CompletionRequest

TOKENIZERS_KEPT_MAX = 8


@dataclass(frozen=True, slots=True)
class Job:
    """``arrived_s`` is monotonic; ``arrived_ms`` is unix time, for the ledger."""

    request_id: str
    tenant: str
    tags: Tags
    path: str  # "/chat/completions" or "/completions"
    request: Request
    size: PromptSize
    arrival: Arrival
    arrived_s: float
    arrived_ms: int

    @property
    def model(self) -> str:
        return self.arrival.model

    @property
    def streaming(self) -> bool:
        return self.request.streaming


def new_job(
    *,
    request_id: str,
    tenant: str,
    tags: Tags,
    path: str,
    request: Request,
    estimator: Estimator,
    context_tokens_max: int,
    ttft_budget_ms: int,
) -> Job:
    size = measure(request)
    exact = request.prompt_tokens if isinstance(request, CompletionRequest) else None
    prompt_tokens = exact or estimator.prompt_tokens(request.model, size)
    room = max(1, context_tokens_max - prompt_tokens)
    answer_tokens_max = request.output_tokens_max(room)
    output_tokens_max = answer_tokens_max * request.choices
    arrival = Arrival(
        request_id=request_id,
        tenant=tenant,
        model=request.model,
        prompt_tokens=prompt_tokens,
        output_tokens=estimator.output_tokens(request.model, output_tokens_max),
        max_output_tokens=output_tokens_max,
        sequence_tokens=prompt_tokens + answer_tokens_max,
        ttft_budget_ms=tags.latency_budget_ms or ttft_budget_ms,
    )
    return Job(
        request_id=request_id,
        tenant=tenant,
        tags=tags,
        path=path,
        request=request,
        size=size,
        arrival=arrival,
        arrived_s=time.monotonic(),
        arrived_ms=time.time_ns() // 1_000_000,
    )


def measure(request: Request) -> PromptSize:
    ascii_bytes = other_bytes = messages = 0
    for text in request.texts():
        messages += 1
        if text.isascii():
            ascii_bytes += len(text)
        else:
            plain = sum(1 for char in text if char < "\x80")
            ascii_bytes += plain
            other_bytes += len(text.encode()) - plain
    return PromptSize(ascii_bytes, other_bytes, messages)


def needs_exact_count(job: Job, context_tokens_max: int) -> bool:
    """Whether the request could be over the context: no token is shorter than a byte."""
    asked = job.request.answer_tokens_max or 1
    most = max(job.arrival.prompt_tokens, job.size.ascii_bytes + job.size.other_bytes)
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
            param="messages" if isinstance(job.request, ChatRequest) else "prompt",
        )
    answer_tokens_max = job.request.output_tokens_max(context_tokens_max - max(prompts))
    output_tokens_max = answer_tokens_max * job.request.choices
    arrival = replace(
        job.arrival,
        prompt_tokens=max(1, sum(prompts)),
        output_tokens=max(1, min(job.arrival.output_tokens, output_tokens_max)),
        max_output_tokens=output_tokens_max,
        sequence_tokens=max(prompts) + answer_tokens_max,
    )
    return replace(job, arrival=arrival)


def _prompt_tokens(job: Job, room: int, tokenizer: Path | None) -> list[int]:
    """Of each prompt; a chat is one."""
    request = job.request
    if isinstance(request, CompletionRequest) and request.prompt_tokens is not None:
        return [len(ids) for ids in request.prompts]
    if tokenizer is None:
        return [max(job.arrival.prompt_tokens // 2, min(job.arrival.prompt_tokens, room))]
    counts = [len(_tokenizer(tokenizer).encode(text)) for text in request.texts()]
    return [sum(counts)] if isinstance(request, ChatRequest) else counts


@lru_cache(TOKENIZERS_KEPT_MAX)
def _tokenizer(path: Path) -> Tokenizer:
    return Tokenizer.from_file(str(path))
