"""A request reduced to what a decision needs, and the check against the context."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tiny.tokenizer import read_corpus, train_tokenizer
from runtime.errors import BadRequest, ContextTooLong
from runtime.request.estimate import Estimator, Kind
from runtime.request.job import Job, exactly_counted, needs_exact_count, shape_of
from runtime.request.prefix_blocks import BLOCK_BYTES
from runtime.request_limits import LIMITS, refusals
from runtime.wire.parse_request import ChatRequest, CompletionRequest
from runtime.wire.tags import CostTier, Tags
from tests.runtime.jobs import CONTEXT, OFFERS, made_job
from tests.runtime.wire.bodies import TOOL, chat, completion


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tokenizer.json"
    path.write_text(train_tokenizer(read_corpus()).to_str())
    return path


def _user(text: str, **fields: Any) -> Job:
    return made_job(chat(messages=[{"role": "user", "content": text}], **fields))


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_the_shape_has_every_byte_once(text: str) -> None:
    assert shape_of(completion(prompt=text)).utf8_bytes == len(text.encode())
    assert shape_of(completion(prompt=[text, "d中文"])).utf8_bytes == len(text.encode()) + 7


def test_what_a_template_adds_is_told_by_messages_and_tools() -> None:
    one, two = (chat(messages=[{"role": "user", "content": "hi"}] * n) for n in (1, 2))
    estimate = Estimator().prompt_tokens
    assert estimate("m", shape_of(one)) < estimate("m", shape_of(two))
    assert shape_of(chat(tools=[TOOL])).utf8_bytes > shape_of(chat()).utf8_bytes + 20


def test_budgets_and_bounds() -> None:
    job = _user("hi", max_tokens=50)
    assert job.arrival.max_output_tokens == 50
    assert 30 < job.arrival.output_tokens <= 50
    assert job.arrival.ttft_budget_ms == 2_000
    assert made_job(chat(), Tags(latency_budget_ms=7)).arrival.ttft_budget_ms == 7
    assert _user("hi").arrival.context_tokens == CONTEXT
    assert made_job(completion()).arrival.max_output_tokens == 16


def test_several_choices_reserve_room_each_but_fit_the_context_alone() -> None:
    arrival = _user("hi", n=4, max_tokens=2_000).arrival
    assert arrival.max_output_tokens == 8_000
    assert arrival.context_tokens == arrival.prompt_tokens + 2_000
    assert arrival.kv_tokens_max == arrival.prompt_tokens + 8_000


def test_token_ids_are_counted_exactly() -> None:
    arrival = made_job(completion(prompt=[[1, 2, 3], [4]], max_tokens=2)).arrival
    assert (arrival.prompt_tokens, arrival.max_output_tokens) == (4, 4)


def test_what_was_learned_of_its_kind_is_what_is_expected() -> None:
    estimator, tags = Estimator(), Tags(task="label")
    kind = made_job(chat(), tags, estimator).kind
    assert kind == Kind("acme", "label", chat().model, kind.prompt_tokens)
    for _ in range(100):
        estimator.learn_answer(kind, 12, is_complete=True)
    one = made_job(chat(max_tokens=1_000), tags, estimator).arrival
    assert 10 < one.output_tokens < 40
    assert one.lengths is not None
    assert one.lengths.mean(1_000) == pytest.approx(one.output_tokens, abs=0.5)
    assert made_job(chat(max_tokens=1_000), Tags(), estimator).arrival.output_tokens > 12


def test_of_several_answers_only_the_sum_is_expected() -> None:
    one, four = (_user("hi", n=n, max_tokens=100).arrival for n in (1, 4))
    assert four.lengths is None
    assert four.output_tokens == pytest.approx(4 * one.output_tokens, abs=2)


def test_the_cost_tier_is_the_priority() -> None:
    tiers = (CostTier.PREMIUM, CostTier.STANDARD, CostTier.ECONOMY)
    assert [made_job(chat(), Tags(cost_tier=tier)).arrival.priority for tier in tiers] == [0, 1, 2]
    assert made_job(chat()).arrival.priority == 1


def test_it_may_be_bought_only_where_the_gateway_says() -> None:
    assert made_job(chat()).arrival.offers == OFFERS


def _turns(*contents: str, **fields: Any) -> ChatRequest:
    return chat(messages=[{"role": "user", "content": text} for text in contents], **fields)


def test_a_conversation_that_goes_on_begins_with_the_same_blocks() -> None:
    first, second = (made_job(_turns("a" * 2_000, *more)).arrival for more in ((), ("b" * 900,)))
    assert len(first.blocks) == 3
    assert second.blocks[:3] == first.blocks
    assert len(second.blocks) == 5
    assert first.block_tokens == pytest.approx(first.prompt_tokens * BLOCK_BYTES / 2_000, abs=2)


def test_the_blocks_of_a_prompt_are_the_same_for_every_model() -> None:
    """Each pool has an index of its own; and a conversation is known whoever answered it."""
    one, other = (made_job(_turns("a" * 1_000, model=name)).arrival for name in ("m", "other"))
    assert one.model != other.model
    assert one.blocks == other.blocks
    assert one.blocks


def test_no_blocks_are_shared_across_tenants_tools_or_roles() -> None:
    text = "a" * 1_000
    jobs = [
        made_job(_turns(text)),
        made_job(_turns(text), tenant="other"),
        made_job(_turns(text), tenant="third"),
        made_job(_turns(text, tools=[TOOL])),
        made_job(chat(messages=[{"role": "system", "content": text}])),
        made_job(completion(prompt=text)),
    ]
    firsts = [job.arrival.blocks[0] for job in jobs]
    assert len(set(firsts)) == len(jobs)


@pytest.mark.parametrize("prompt", [["a" * 2_000] * 2, [1] * 2_000, "a" * 100])
def test_prompts_without_blocks(prompt: Any) -> None:
    arrival = made_job(completion(prompt=prompt)).arrival
    assert (arrival.blocks, arrival.block_tokens) == ((), 0)


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=25)  # 3 x 2,000 fit a body


@given(TEXTS, st.integers(1, 2_000), st.integers(1, 3))
def test_blocks_never_stand_for_more_than_the_prompt(text: str, times: int, messages: int) -> None:
    arrival = made_job(_turns(*[text * times] * messages)).arrival
    assert arrival.block_tokens * len(arrival.blocks) <= arrival.prompt_tokens


def _due(hours: float) -> Tags:
    return Tags(deadline=datetime.now(UTC) + timedelta(hours=hours))


def test_a_deadline_puts_it_into_the_batch_lane() -> None:
    assert made_job(chat()).arrival.deadline_ms is None
    job = made_job(chat(), _due(2))
    assert job.arrival.deadline_ms == pytest.approx(7_200_000, abs=2_000)


def test_a_deadline_stays_where_it_was_for_another_attempt() -> None:
    job = made_job(chat(), _due(1))
    assert job.arrival.deadline_ms is not None
    later = job.arrival_at(job.arrived_s + 600)
    assert later.deadline_ms == job.arrival.deadline_ms - 600_000
    assert job.arrival_at(job.arrived_s + 7_200).deadline_ms == 1
    plain = made_job(chat())
    assert plain.arrival_at(plain.arrived_s + 600) is plain.arrival


@pytest.mark.parametrize("hours", [-1, -0.001, LIMITS.deadline_ms_max / 3_600_000 + 0.01, 10_000])
def test_a_deadline_that_is_past_or_too_far_away(hours: float) -> None:
    before = refusals["deadline_ms_max"]
    with pytest.raises(BadRequest, match="within the next 24 hours") as caught:
        made_job(chat(), _due(hours))
    assert caught.value.param == "x-baseload-deadline"
    assert refusals["deadline_ms_max"] == before + 1


def test_a_short_request_needs_no_tokenizer() -> None:
    assert not needs_exact_count(_user("word " * 100, max_tokens=1_000), CONTEXT)
    assert needs_exact_count(_user("word " * 900), CONTEXT)
    assert needs_exact_count(_user("hi", max_tokens=CONTEXT), CONTEXT)
    assert needs_exact_count(made_job(completion(prompt=[1] * 4_000, max_tokens=100)), CONTEXT)


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=2_000))
def test_what_needs_no_count_fits(tokenizer: Path, text: str) -> None:
    job = _user(text, max_tokens=3_000)
    if not needs_exact_count(job, CONTEXT):
        exactly_counted(job, CONTEXT, tokenizer)


def test_the_count_replaces_the_estimate(tokenizer: Path) -> None:
    job = _user("a " * 10_000, max_tokens=10)
    assert job.arrival.context_tokens > CONTEXT
    counted = exactly_counted(job, 100_000, tokenizer).arrival
    assert counted.prompt_tokens != job.arrival.prompt_tokens
    assert counted.context_tokens == counted.prompt_tokens + 10
    assert len(counted.blocks) == 39
    assert counted.block_tokens == counted.prompt_tokens * BLOCK_BYTES // 20_000


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (chat(messages=[{"role": "user", "content": "word " * 9_000}]), "messages"),
        (chat(max_tokens=CONTEXT), "messages"),
        (completion(prompt=["a", "word " * 9_000]), "prompt"),
        (completion(prompt=[[1], [2] * 4_090], max_tokens=7), "prompt"),
    ],
)
@pytest.mark.parametrize("exact", [True, False])
def test_over_the_context_is_refused(
    tokenizer: Path, request_: ChatRequest | CompletionRequest, param: str, exact: bool
) -> None:
    job = made_job(request_)
    assert needs_exact_count(job, CONTEXT)
    with pytest.raises(ContextTooLong, match="4096") as caught:
        exactly_counted(job, CONTEXT, tokenizer if exact else None)
    assert caught.value.param == param


def test_several_prompts_have_a_context_each(tokenizer: Path) -> None:
    job = made_job(completion(prompt=[[1] * 3_000, [2] * 3_000], max_tokens=7))
    arrival = exactly_counted(job, CONTEXT, tokenizer).arrival
    assert (arrival.prompt_tokens, arrival.context_tokens) == (6_000, 3_007)


def test_without_a_tokenizer_the_estimate_gets_the_benefit_of_the_doubt() -> None:
    job = _user("a " * 10_000, max_tokens=10)
    assert CONTEXT < job.arrival.prompt_tokens < 2 * CONTEXT
    assert exactly_counted(job, CONTEXT, None).arrival.context_tokens == CONTEXT
    with pytest.raises(ContextTooLong):
        exactly_counted(_user("a " * 20_000), CONTEXT, None)
