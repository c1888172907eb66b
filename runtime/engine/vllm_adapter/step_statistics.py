"""Reads vLLM's statistics and request states into load meters, one per data-parallel rank.

Needs no vLLM: it gets vLLM's objects, and names the few attributes that it relies on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from runtime.clock import SYSTEM, Clock
from runtime.engine.load_meter import LoadMeter


def note(meter: LoadMeter, scheduler: Any, stats: Any, scheduled_s: Callable[[], float]) -> None:
    """What one rank told of one step: vLLM's SchedulerStats and IterationStats, or None."""
    details = scheduler.iteration_details if scheduler else None
    if details is not None or stats is not None:
        note_step(meter, details, stats, scheduled_s)
    if scheduler is not None:
        meter.on_state(
            running=scheduler.num_running_reqs,
            waiting=scheduler.num_waiting_reqs + scheduler.num_skipped_waiting_reqs,
            kv_usage=scheduler.kv_cache_usage,
            hit_tokens=scheduler.prefix_cache_stats.hits,
        )


def note_step(
    meter: LoadMeter,
    details: Any,
    stats: Any,
    scheduled_s: Callable[[], float],
    clock: Clock = SYSTEM,
) -> None:
    """``details`` are None for a step that computed nothing, ``stats`` for one without output:
    a piece of a long prompt, which vLLM's own statistics count only at its end."""
    first_step_s: float | None = None
    if meter.is_idle:
        ended = [each.inference_time for each in stats.finished_requests] if stats else []
        first_step_s = max([scheduled_s(), *ended]) or None
    prompt_tokens = details.num_ctx_tokens if details else stats.prompt_token_stats.computed
    meter.on_step(
        clock.monotonic_s(),
        prompt_tokens=prompt_tokens,
        output_tokens=stats.num_generation_tokens if stats else 0,
        preempted=stats.num_preempted_reqs if stats else 0,
        first_step_s=first_step_s,
    )


def follow(llm: Any, meters: Sequence[LoadMeter]) -> None:
    """Each meter counts the prompt tokens that wait at its rank."""
    for rank, meter in enumerate(meters):
        meter.waiting_prefill_tokens = partial(waiting_prefill_tokens, llm, rank, len(meters))


def requests_at(llm: Any, rank: int, ranks: int) -> list[Any]:
    """vLLM's states of the requests at a rank; none while the engine starts."""
    if llm is None:
        return []
    states = llm.output_processor.request_states
    if ranks == 1:
        return list(states.values())
    at, identity = llm.engine_core.reqs_in_flight, rank.to_bytes(2, "little")
    return [state for request_id, state in states.items() if at.get(request_id) == identity]


def longest_scheduled_s(llm: Any, rank: int = 0, ranks: int = 1, *, clock: Clock = SYSTEM) -> float:
    """How long a rank has worked on a request that it has not finished; 0 for none that is
    known: vLLM tells when it began together with the first token, by the system's clock."""
    states = requests_at(llm, rank, ranks)
    begun = [each.stats.scheduled_ts for each in states if each.stats and each.stats.scheduled_ts]
    return clock.monotonic_s() - min(begun) if begun else 0.0


def waiting_prefill_tokens(llm: Any, rank: int = 0, ranks: int = 1) -> int:
    states = requests_at(llm, rank, ranks)
    return sum(state.prompt_len or 0 for state in states if state.is_prefilling)
