"""What a request says of itself can only be raised by what its text holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.detect.personal_data import INCOMPLETE, NOTHING
from runtime.request import effective_sensitivity
from runtime.request.effective_sensitivity import INLINE_CHARS_MAX, all_texts, protected
from runtime.request_limits import refusals
from runtime.wire.parse_request import ChatRequest, CompletionRequest, parse_chat, parse_completion
from runtime.wire.tags import Sensitivity, Tags
from tests.runtime.parts import chat, stack

EMAIL = "user123@mail.example.com"
CARD = "4111111111111111"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def request(*messages: dict[str, Any], **fields: Any) -> ChatRequest:
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}, *messages], **fields}
    return parse_chat(json.dumps(body).encode())


def completion(prompt: Any) -> CompletionRequest:
    return parse_completion(json.dumps({"model": "m", "prompt": prompt}).encode())


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def called(arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return {"role": "assistant", "tool_calls": [call]}, {
        "role": "tool",
        "tool_call_id": "c",
        "content": "done",
    }


EVERYWHERE: dict[str, ChatRequest] = {
    "a user's text": request(user(EMAIL)),
    "a system text": request({"role": "system", "content": f"The user is {EMAIL}."}),
    "an earlier turn": request({"role": "assistant", "content": EMAIL}, user("and now?")),
    "the second part": request(user([{"type": "text", "text": t} for t in ("a", EMAIL)])),
    "two parts": request(user([{"type": "text", "text": t} for t in (CARD[:7], CARD[7:])])),
    "two messages": request(user(f"card {CARD[:4]}"), user(CARD[4:])),
    "arguments of a call": request(*called(json.dumps({"to": EMAIL}))),
    "escaped arguments": request(*called('{"card": "\\u0034' + CARD[1:] + '"}')),
    "a result of a tool": request(
        called("{}")[0], {"role": "tool", "tool_call_id": "c", "content": f'{{"m":"{EMAIL}"}}'}
    ),
    "reasoning": request({"role": "assistant", "content": "x", "reasoning_content": EMAIL}),
    "a tool's description": request(
        tools=[TOOL | {"function": TOOL["function"] | {"description": f"Mails {EMAIL}"}}]  # type: ignore[operator]
    ),
    "a stop text": request(stop=[EMAIL]),
    "a schema": request(
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "s", "schema": {"type": "object", "description": EMAIL}},
        }
    ),
}


def _leaves(value: Any) -> Iterator[str]:
    """Every text and number of a document, keys included."""
    if isinstance(value, dict):
        yield from value
        yield from _leaves(list(value.values()))
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif not isinstance(value, bool) and value is not None:
        yield str(value)


def test_nothing_reaches_a_target_that_was_not_looked_at() -> None:
    """A request with a mark in every field that may hold one: what is sent on was looked at."""
    call: dict[str, Any] = {"id": "mark-01", "type": "function"}
    call |= {"function": {"name": "mark-02", "arguments": '{"a": "mark-03"}'}}
    properties: dict[str, Any] = {"mark-05": {"type": "string"}}
    schema: dict[str, Any] = {"type": "object", "description": "mark-04"}
    schema["properties"] = properties
    properties["mark-06"] = {"enum": ["mark-20", 13812345678, 138123456789.0]}
    asked = request(
        {"role": "system", "name": "mark-07", "content": "mark-08"},
        {"role": "assistant", "reasoning_content": "mark-09", "tool_calls": [call]},
        {
            "role": "tool",
            "tool_call_id": "mark-01",
            "content": [{"type": "text", "text": "mark-10"}],
        },
        tools=[
            {
                "type": "function",
                "function": {"name": "mark-02", "description": "mark-11", "parameters": schema},
            }
        ],
        tool_choice={"type": "function", "function": {"name": "mark-02"}},
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "mark-12", "schema": schema},
        },
        stop=["mark-13"],
        user="mark-14",
        metadata={"mark-15": "mark-16"},
        safety_identifier="mark-17",
        prompt_cache_key="mark-18",
        chat_template_kwargs={"thinking_mode": "mark-19"},
        seed=13812345679,
    )
    looked_at = "\n".join(all_texts(asked))
    for openai_only in (False, True):
        sent = list(_leaves(asked.upstream_fields(openai_only=openai_only)))
        marked = {text for text in sent if "mark-" in text or "138123" in text}
        assert len(marked) >= 15
        assert {text for text in marked if text.removesuffix(".0") not in looked_at} == set()


@pytest.mark.parametrize("where", EVERYWHERE)
async def test_it_is_found_in(where: str) -> None:
    found = await protected(Tags(), EVERYWHERE[where])
    assert found.tags.sensitivity is Sensitivity.PII
    assert found.finding is not None
    assert found.finding.is_personal


async def test_nothing_is_found_in_an_ordinary_request() -> None:
    found = await protected(Tags(), request(user("How do I sort a list?"), tools=[TOOL]))
    assert (found.tags, found.finding) == (Tags(), NOTHING)


@pytest.mark.parametrize("said", Sensitivity)
async def test_nothing_lowers_what_was_said(said: Sensitivity) -> None:
    order = list(Sensitivity)
    for asked in (request(user(EMAIL)), request()):
        found = await protected(Tags(sensitivity=said), asked)
        assert order.index(found.tags.sensitivity) >= order.index(said)
        looked = order.index(said) < order.index(Sensitivity.PII)
        assert (found.finding is None) != looked
    raised = (await protected(Tags(sensitivity=said), request(user(EMAIL)))).tags.sensitivity
    assert order.index(raised) >= order.index(Sensitivity.PII)


@pytest.mark.parametrize("prompt", [[1, 2, 3], [[1, 2], [3]]])
async def test_token_ids_are_no_text_that_could_be_searched(prompt: Any) -> None:
    found = await protected(Tags(), completion(prompt))
    assert found.tags.sensitivity is Sensitivity.PII
    assert found.finding == INCOMPLETE
    assert (await protected(Tags(), completion("hello"))).finding == NOTHING


async def test_a_search_that_fails_protects(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(texts: list[str]) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(effective_sensitivity, "find_personal_data", fails)
    before = refusals["detector_failed"]
    for text in ("hello", "hello " * INLINE_CHARS_MAX):
        found = await protected(Tags(), request(user(text)))
        assert found.tags.sensitivity is Sensitivity.PII
    assert refusals["detector_failed"] == before + 2


async def test_a_long_text_is_searched_to_its_end() -> None:
    found = await protected(Tags(), request(user("word " * INLINE_CHARS_MAX + EMAIL)))
    assert found.finding is not None
    assert found.finding.kinds == {"email"}


def test_every_text_of_a_request_is_looked_at() -> None:
    for where, asked in EVERYWHERE.items():
        text = "".join(all_texts(asked)).replace("\\u0034", "4")
        assert EMAIL in text or CARD in text, where


async def test_what_is_found_leaves_only_for_who_may_have_it(tmp_path: Any) -> None:
    async with stack(tmp_path / "a", scripts=[], sells=True) as s:
        answer = await s.post(chat(f"write to {EMAIL}"))
        assert answer.status == 503
        assert not s.vendor.engine.asked
        assert (await s.post(chat("write to nobody"))).status == 200
    terms = {"allowed_sensitivity": ["pii"]}
    async with stack(tmp_path / "b", scripts=[], sells=True, terms=terms) as s:
        assert (await s.post(chat(f"write to {EMAIL}"))).status == 200
        assert (await s.post(chat("write to nobody"))).status == 503
