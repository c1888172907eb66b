"""A request reduced to what a decision needs, and the check against the context."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tiny_tokenizer import read_corpus, train_tokenizer
from runtime.errors import ContextTooLong
from runtime.estimate import Estimator, PromptSize
from runtime.http.tags import Tags
from runtime.job import Job, Request, exactly_counted, measure, needs_exact_count, new_job
from tests.runtime.http.bodies import chat, completion

CONTEXT = 4096


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tokenizer.json"
    path.write_text(train_tokenizer(read_corpus()).to_str())
    return path


def _job(request: Request, tags: Tags | None = None) -> Job:
    return new_job(
        request_id="r",
        tenant="acme",
        tags=tags or Tags(),
        path="/x",
        request=request,
        estimator=Estimator(),
        context_tokens_max=CONTEXT,
        ttft_budget_ms=2_000,
    )


def _user(text: str, **fields: Any) -> Job:
    return _job(chat(messages=[{"role": "user", "content": text}], **fields))


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_the_measure_counts_every_byte_once(text: str) -> None:
    size = measure(completion(prompt=text))
    assert size.ascii_bytes + size.other_bytes == len(text.encode())
    assert size.messages == 1


def test_the_measure_tells_scripts_apart() -> None:
    assert measure(completion(prompt=["abc", "d中文"])) == PromptSize(4, 6, 2)


def test_budgets_and_bounds() -> None:
    job = _user("hi", max_tokens=50)
    assert (job.arrival.max_output_tokens, job.arrival.output_tokens) == (50, 50)
    assert job.arrival.ttft_budget_ms == 2_000
    assert _job(chat(), Tags(latency_budget_ms=7)).arrival.ttft_budget_ms == 7
    assert _user("hi").arrival.context_tokens == CONTEXT
    assert _job(completion()).arrival.max_output_tokens == 16


def test_several_choices_reserve_room_each_but_fit_the_context_alone() -> None:
    arrival = _user("hi", n=4, max_tokens=2_000).arrival
    assert arrival.max_output_tokens == 8_000
    assert arrival.context_tokens == arrival.prompt_tokens + 2_000
    assert arrival.kv_tokens == arrival.prompt_tokens + 8_000


def test_token_ids_are_counted_exactly() -> None:
    arrival = _job(completion(prompt=[[1, 2, 3], [4]], max_tokens=2)).arrival
    assert (arrival.prompt_tokens, arrival.max_output_tokens) == (4, 4)


def test_a_short_request_needs_no_tokenizer() -> None:
    assert not needs_exact_count(_user("word " * 100, max_tokens=1_000), CONTEXT)
    assert needs_exact_count(_user("word " * 900), CONTEXT)
    assert needs_exact_count(_user("hi", max_tokens=CONTEXT), CONTEXT)
    assert needs_exact_count(_job(completion(prompt=[1] * 4_000, max_tokens=100)), CONTEXT)


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=2_000))
def test_what_needs_no_count_fits(tokenizer: Path, text: str) -> None:
    job = _user(text, max_tokens=3_000)
    if not needs_exact_count(job, CONTEXT):
        exactly_counted(job, CONTEXT, tokenizer)


def test_the_count_replaces_the_estimate(tokenizer: Path) -> None:
    job = _user(" " * 20_000, max_tokens=10)
    assert job.arrival.context_tokens > CONTEXT
    counted = exactly_counted(job, 100_000, tokenizer).arrival
    assert counted.prompt_tokens != job.arrival.prompt_tokens
    assert counted.context_tokens == counted.prompt_tokens + 10


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
    tokenizer: Path, request_: Request, param: str, exact: bool
) -> None:
    job = _job(request_)
    assert needs_exact_count(job, CONTEXT)
    with pytest.raises(ContextTooLong, match="4096") as caught:
        exactly_counted(job, CONTEXT, tokenizer if exact else None)
    assert caught.value.param == param


def test_several_prompts_have_a_context_each(tokenizer: Path) -> None:
    job = _job(completion(prompt=[[1] * 3_000, [2] * 3_000], max_tokens=7))
    arrival = exactly_counted(job, CONTEXT, tokenizer).arrival
    assert (arrival.prompt_tokens, arrival.context_tokens) == (6_000, 3_007)


def test_without_a_tokenizer_the_estimate_gets_the_benefit_of_the_doubt() -> None:
    job = _user("x" * 20_000, max_tokens=10)  # some 5,000 by the estimate
    assert exactly_counted(job, CONTEXT, None).arrival.context_tokens == CONTEXT
    with pytest.raises(ContextTooLong):
        exactly_counted(_user("x" * 40_000), CONTEXT, None)
