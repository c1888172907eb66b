"""The step model against hand-made numbers, and against a plain model that looks at every token."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation.engine import MARK_TOKENS, EngineRequest, SimReplica
from benchmarks.simulation.profile import Profile
from scheduler.replica import Replica
from tests.benchmarks.simulation.example_profile import PROFILE

BLOCK = 64
SMALL = replace(PROFILE, kv_tokens_max=300, context_tokens_max=200, running_max=5)
SMALL = replace(SMALL, batched_tokens_max=40)


def make(profile: Profile = PROFILE) -> SimReplica:
    return SimReplica(profile, Replica("r0", "m", 1, profile.limits), BLOCK)


def drain(engine: SimReplica) -> dict[str, list[tuple[int, int, float]]]:
    """Run to the end: for each request its (step, tokens, time) whenever it was told of."""
    now, told = 0.0, dict[str, list[tuple[int, int, float]]]()
    while (ends_s := engine.begin_step(now)) is not None:
        assert ends_s > now
        now = ends_s
        for request in engine.end_step():
            seen = told.setdefault(request.request_id, [])
            seen.append((engine.meter.steps, request.tokens_out, now))
    return told


def test_a_request_alone_takes_what_the_step_model_says() -> None:
    engine = make()
    engine.push(EngineRequest("a", 1_000, 4))
    told = drain(engine)["a"]
    first_s = PROFILE.step_s(0, 0, 1_000)
    rest_s = sum(PROFILE.step_s(1, 1_000 + tokens, 0) for tokens in (1, 2, 3))
    assert [(step, tokens) for step, tokens, _ in told] == [(1, 1), (4, 4)]
    assert [at_s for *_, at_s in told] == pytest.approx([first_s, first_s + rest_s])
    report = engine.report()
    assert (report.running, report.waiting, report.kv_tokens_used) == (0, 0, 0)
    assert (report.steps, report.prefilled_tokens, report.decoded_tokens) == (4, 1_000, 4)
    assert report.busy_s == pytest.approx(first_s + rest_s)
    assert report.waiting_prefill_tokens == 0


def test_a_long_prompt_is_read_in_chunks_that_decoding_leaves_room_for() -> None:
    engine = make()
    engine.push(EngineRequest("a", 10, 100))
    now = engine.begin_step(0.0)
    engine.end_step()
    engine.push(EngineRequest("b", 2 * PROFILE.batched_tokens_max, 1))
    assert now is not None
    told = drain(engine)
    # Two whole chunks would do, but the decoding request has a token of each.
    assert told["b"][0][:2] == (4, 1)
    assert [tokens for _, tokens, _ in told["a"]] == [*range(MARK_TOKENS, 100, MARK_TOKENS), 100]


def test_slots_count_those_that_still_read_their_prompt() -> None:
    engine = make(replace(PROFILE, running_max=2))
    for name in "abc":
        engine.push(EngineRequest(name, PROFILE.batched_tokens_max, 5))
    engine.begin_step(0.0)
    assert (engine.report().running, engine.report().waiting) == (1, 2)
    assert engine.report().waiting_prefill_tokens == 3 * PROFILE.batched_tokens_max
    engine.end_step()
    engine.begin_step(1.0)
    engine.end_step()
    engine.begin_step(2.0)
    assert (engine.report().running, engine.report().waiting) == (2, 1)


def test_a_warm_prefix_is_not_read_again_but_one_token_always_is() -> None:
    engine = make()
    blocks = tuple(range(10))
    engine.push(EngineRequest("a", 1_000, 1, blocks))
    drain(engine)
    engine.push(EngineRequest("b", 1_000, 1, blocks[:5]))
    engine.push(EngineRequest("c", 640, 1, blocks))
    drain(engine)
    assert engine.meter.prefix_hit_tokens == 5 * BLOCK + 639
    assert engine.meter.prefilled_tokens == 1_000 + (1_000 - 5 * BLOCK) + 1


def test_the_newest_is_preempted_when_kv_overflows_and_goes_on_later() -> None:
    engine = make(SMALL)
    for name in ("a", "b", "c"):
        engine.push(EngineRequest(name, 90, 60))
    told = drain(engine)
    assert engine.meter.preemptions > 0
    ends = {name: seen[-1][0] for name, seen in told.items()}
    assert ends["a"] < ends["b"] < ends["c"]
    assert all(seen[-1][1] == 60 for seen in told.values())
    assert engine.meter.prefilled_tokens > 3 * 90
    assert engine.kv_tokens == 0


def test_what_cannot_fit_the_context_is_refused() -> None:
    with pytest.raises(ValueError, match="beyond the context"):
        make(SMALL).push(EngineRequest("a", 150, 51))


SHAPES = st.lists(st.tuples(st.integers(1, 120), st.integers(1, 80)), min_size=1, max_size=14)


@given(SHAPES)
def test_useful_work_is_what_the_profile_says_of_each(shapes: list[tuple[int, int]]) -> None:
    """But for the first token, which comes with the prompt."""
    engine = make()
    for number, shape in enumerate(shapes):
        engine.push(EngineRequest(str(number), *shape))
    drain(engine)
    first_s = [PROFILE.work_s(0, prompt, 1) for prompt, _ in shapes]
    work_s = [PROFILE.work_s(prompt, prompt, output) for prompt, output in shapes]
    assert engine.useful_s == pytest.approx(sum(work_s) - sum(first_s))
    assert engine.useful_s <= engine.meter.busy_s


@dataclass
class Plain:
    """A request of the plain model."""

    name: str
    prompt: int
    output: int
    out: int = 0
    left: int = -1  # of its prompt; -1: not taken in


def plain_ends(shapes: list[tuple[int, int]], profile: Profile) -> tuple[dict[str, int], int]:
    """The same engine, one token of one request at a time: last steps, and preemptions."""
    waiting = [Plain(str(number), *shape) for number, shape in enumerate(shapes)]
    taken: list[Plain] = []
    ends: dict[str, int] = {}
    preemptions = step = 0

    def held() -> int:
        """At the end of the step: each has a token more than it has now."""
        return sum(each.prompt + each.out + 1 for each in taken)

    while waiting or taken:
        step += 1
        may_take = True
        while held() > profile.kv_tokens_max:
            newest = taken.pop()
            newest.left = -1
            waiting.insert(0, newest)
            preemptions += 1
            may_take = False
        decoding = [each for each in taken if each.left == 0]
        budget = profile.batched_tokens_max - len(decoding)
        done = []
        while budget > 0:
            reading = [each for each in taken if each.left > 0]
            if not reading:
                if not may_take or not waiting or len(taken) >= profile.running_max:
                    break
                taken.append(waiting.pop(0))
                if held() > profile.kv_tokens_max:
                    waiting.insert(0, taken.pop())
                    break
                taken[-1].left = taken[-1].prompt + taken[-1].out
                continue
            chunk = min(budget, reading[0].left)
            reading[0].left -= chunk
            budget -= chunk
            if reading[0].left == 0:
                done.append(reading[0])
        for each in decoding + done:
            each.out += 1
            if each.out == each.output:
                taken.remove(each)
                ends[each.name] = step
    return ends, preemptions


@given(SHAPES)
def test_it_agrees_with_a_plain_model_step_for_step(shapes: list[tuple[int, int]]) -> None:
    engine = make(SMALL)
    for number, shape in enumerate(shapes):
        engine.push(EngineRequest(str(number), *shape))
    told = drain(engine)
    ends, preemptions = plain_ends(shapes, SMALL)
    assert {name: seen[-1][0] for name, seen in told.items()} == ends
    assert engine.meter.preemptions == preemptions
    for number, (_, output) in enumerate(shapes):
        tokens = [count for _, count, _ in told[str(number)]]
        assert tokens[0] == 1
        assert tokens[-1] == output
        assert set(range(MARK_TOKENS, output, MARK_TOKENS)) <= set(tokens)
    assert engine.kv_tokens == engine.report().waiting_prefill_tokens == 0
