"""vLLM's statistics, as it records them, in load meters."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from runtime.clock import Clock
from runtime.engine.load_meter import LoadMeter
from runtime.engine.vllm_adapter.step_statistics import follow, longest_scheduled_s, note, note_step


def _stats(computed: int, generated: int, *inference_s: float) -> Any:
    """vLLM's statistics of the outputs of one step."""
    return SimpleNamespace(
        prompt_token_stats=SimpleNamespace(computed=computed),
        num_generation_tokens=generated,
        num_preempted_reqs=0,
        finished_requests=[SimpleNamespace(inference_time=each) for each in inference_s],
    )


def test_pieces_of_a_prompt_count_in_the_steps_that_read_them() -> None:
    meter = LoadMeter()
    pieces = [(512, None), (512, None), (164, _stats(1_188, 1))]
    for tokens, stats in pieces:
        note_step(meter, SimpleNamespace(num_ctx_tokens=tokens), stats, lambda: 0.0)
    assert (meter.prompt_tokens, meter.output_tokens) == (1_188, 1)
    # Nobody knows when the first piece was begun: neither its time nor its tokens are counted.
    assert (meter.steps, meter.prefilled_tokens, meter.decoded_tokens) == (2, 676, 1)


def test_a_step_after_idleness_lasted_since_its_request_was_scheduled() -> None:
    meter, clock = LoadMeter(), Clock(monotonic_s=iter([10.0, 20.0, 20.5]).__next__)
    details = SimpleNamespace(num_ctx_tokens=100)
    note_step(meter, details, _stats(100, 1), lambda: 0.25, clock)
    assert (meter.busy_s, meter.steps) == (0.25, 1)
    meter.on_state(running=0, waiting=0, kv_usage=0.0, hit_tokens=0)
    note_step(meter, details, _stats(100, 1, 0.5), lambda: 0.0, clock)  # it ended in its first
    assert (meter.busy_s, meter.steps) == (0.75, 2)
    note_step(meter, details, _stats(100, 1), lambda: 99.0, clock)  # not the first step
    assert (meter.busy_s, meter.steps) == (1.25, 3)


def test_without_the_details_of_a_step_the_end_of_a_prompt_counts_it() -> None:
    meter = LoadMeter()
    note_step(meter, None, _stats(70, 2), lambda: 0.1)
    assert (meter.prefilled_tokens, meter.decoded_tokens) == (70, 2)


def test_who_was_scheduled_first_says_how_long_the_engine_works() -> None:
    clock = Clock(monotonic_s=lambda: 100.0)
    times = (0.0, 98.0, 95.0)
    stats = [SimpleNamespace(scheduled_ts=each) for each in times]
    states = {str(n): SimpleNamespace(stats=each) for n, each in enumerate([None, *stats])}
    llm = SimpleNamespace(output_processor=SimpleNamespace(request_states=states))
    assert longest_scheduled_s(llm, clock=clock) == 5.0
    states.clear()
    assert longest_scheduled_s(llm) == longest_scheduled_s(None) == 0.0


def _scheduler(running: int, waiting: int, kv_usage: float, context_tokens: int) -> Any:
    """vLLM's statistics of one rank's scheduler after a step."""
    return SimpleNamespace(
        num_running_reqs=running,
        num_waiting_reqs=waiting,
        num_skipped_waiting_reqs=1,
        kv_cache_usage=kv_usage,
        prefix_cache_stats=SimpleNamespace(hits=7),
        iteration_details=SimpleNamespace(num_ctx_tokens=context_tokens),
    )


def test_each_rank_has_a_meter_of_its_own() -> None:
    meters = [LoadMeter(), LoadMeter()]
    note(meters[0], _scheduler(3, 1, 0.5, 40), _stats(40, 2), lambda: 0.1)
    note(meters[1], _scheduler(1, 0, 0.25, 10), _stats(10, 1), lambda: 0.2)
    note(meters[1], None, None, lambda: 99.0)  # told nothing
    first, second = (meter.load(1000) for meter in meters)
    assert (first.running, first.waiting, first.kv_tokens_used) == (3, 2, 500)
    assert (second.running, second.waiting, second.kv_tokens_used) == (1, 1, 250)
    assert (first.prefilled_tokens, second.prefilled_tokens) == (40, 10)
    assert (first.busy_s, second.busy_s) == (0.1, 0.2)
    assert first.prefix_hit_tokens == second.prefix_hit_tokens == 7


def test_the_tokens_that_wait_at_a_rank_are_those_of_its_requests() -> None:
    tokens = {"a": 100, "b": 20, "c": 3, "unknown": 1000}
    states = {
        name: SimpleNamespace(prompt_len=count, is_prefilling=name != "c", stats=None)
        for name, count in tokens.items()
    }
    at = {"a": b"\0\0", "b": b"\1\0", "c": b"\1\0"}
    llm = SimpleNamespace(
        output_processor=SimpleNamespace(request_states=states),
        engine_core=SimpleNamespace(reqs_in_flight=at),
    )
    meters = [LoadMeter(), LoadMeter()]
    follow(llm, meters)
    assert [meter.waiting_prefill_tokens() for meter in meters] == [100, 20]
    alone = LoadMeter()
    follow(llm, [alone])  # without ranks vLLM keeps no such list
    assert alone.waiting_prefill_tokens() == 1120
