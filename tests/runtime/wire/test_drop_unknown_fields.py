"""What SDKs add to a request beside what the API names."""

from __future__ import annotations

import time
from typing import Any

import pytest

from runtime.request_limits import LIMITS
from tests.runtime.wire.bodies import TOOL, USER, chat, refused, sent

CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "42"}


def echoed(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "a", **fields}


@pytest.mark.parametrize(
    ("message", "target_gets", "named"),
    [
        # the official clients, as answered and as parsed
        (
            echoed(refusal=None, annotations=[], audio=None, function_call=None, parsed=None),
            echoed(),
            (),
        ),
        (echoed(parsed={"a": 1}), echoed(), ("messages.parsed",)),
        # LiteLLM
        (
            echoed(provider_specific_fields={"refusal": None}, thinking_blocks=[{}]),
            echoed(),
            ("messages.provider_specific_fields", "messages.thinking_blocks"),
        ),
        # a streamed call, put together, and one that was parsed
        (
            echoed(content=None, tool_calls=[{**CALL, "index": 1}]),
            {"role": "assistant", "tool_calls": [CALL]},
            ("messages.tool_calls.index",),
        ),
        (
            echoed(
                tool_calls=[
                    {**CALL, "function": {**CALL["function"], "parsed_arguments": {"a": 1}}}  # type: ignore[dict-item]
                ]
            ),
            echoed(tool_calls=[CALL]),
            ("messages.tool_calls.function.parsed_arguments",),
        ),
        (echoed(cache_control={"type": "ephemeral"}), echoed(), ("messages.cache_control",)),
        # what was refused is what was said
        (echoed(content=None, refusal="No."), echoed(content="No."), ()),
        (echoed(refusal="No."), echoed(), ("messages.refusal",)),
        (echoed(content=[{"type": "refusal", "refusal": "No."}]), echoed(content=["No."]), ()),
        # parts of other APIs that are text
        (echoed(content=["b"]), echoed(content=["b"]), ()),
        (echoed(content=[{"type": "output_text", "text": "b"}]), echoed(content=["b"]), ()),
        (
            echoed(content=[{"type": "text", "text": "b", "cache_control": {}, "id": "p1"}]),
            echoed(content=["b"]),
            ("messages.content.id",),
        ),
        (
            echoed(content=[{"type": "thinking", "thinking": "hm", "signature": "s"}, "b"]),
            echoed(content=["b"]),
            ("messages.content.thinking",),
        ),
        (echoed(content=[]), echoed(content=""), ()),
        # cut off while it thought
        (
            echoed(content=None, reasoning_content="hm"),
            echoed(content="", reasoning_content="hm"),
            (),
        ),
        (echoed(content=None), echoed(content=""), ()),
        (echoed(name=""), echoed(), ()),
    ],
)
def test_answers_can_be_sent_back(
    message: dict[str, Any], target_gets: dict[str, Any], named: tuple[str, ...]
) -> None:
    after = [RESULT] if message.get("tool_calls") else USER
    request = chat(messages=[*USER, message, *after])
    told = sent(request)["messages"][1]
    if isinstance(told.get("content"), list):
        told["content"] = [part["text"] for part in told["content"]]
    assert told == target_gets
    assert set(request.ignored) == set(named)


def test_a_vendor_gets_an_empty_text_where_it_does_not_get_the_thoughts() -> None:
    request = chat(messages=[*USER, echoed(content=None, reasoning="hm"), *USER])
    assert sent(request, openai_only=True)["messages"][1] == echoed(content="")


def test_what_sdks_add_to_tools_is_dropped() -> None:
    tool = {
        "type": "function",
        "cache_control": {"type": "ephemeral"},
        "function": {**TOOL["function"], "returns": {}, "examples": ["x"]},
    }
    request = chat(tools=[tool])
    assert sent(request)["tools"] == [TOOL]
    assert set(request.ignored) == {"tools.cache_control", "tools.function.examples"}


def test_a_description_as_long_as_coding_agents_write_them() -> None:
    tool = {"type": "function", "function": {"name": "bash", "description": "d" * 9_242}}
    assert sent(chat(tools=[tool] * 9))["tools"] == [tool] * 9
    tool["function"]["description"] = "d" * 65_537  # type: ignore[index]
    error = refused(lambda: chat(tools=[tool]))
    assert error.param == "tools[0].function.description"
    assert "at most 65536 characters, not 65537" in error.message


def test_stream_options_without_a_stream_are_dropped() -> None:
    for stream in ({}, {"stream": False}, {"stream": None}):
        request = chat(stream_options={"include_usage": True}, **stream)
        assert request.ignored == ("stream_options",)
    assert chat(stream_options=None).ignored == ()


@pytest.mark.parametrize(
    "kind", ["image_url", "input_audio", "file", "video_url", "tool_use", "tool_result", "x"]
)
def test_parts_that_are_no_text_are_refused_by_what_they_are(kind: str) -> None:
    error = refused(lambda: chat(messages=[{"role": "user", "content": [{"type": kind}]}]))
    assert error.param == "messages[0].content[0].type"
    assert "must be 'text'" in error.message
    assert any(word in error.message for word in ("not served", "only text", "send "))


def test_names_in_the_header_are_few_short_and_printable() -> None:
    many = {f"key-{number:03}\n中": 1 for number in range(500)}
    request = chat(messages=[echoed(**many), *USER], user="u")
    assert len(request.ignored) == LIMITS.ignored_max
    ((name, value),) = request.ignored_header(bought=False)
    assert name == b"x-baseload-ignored"
    assert value.endswith(b", ...")
    assert len(value) < LIMITS.ignored_chars_max + 8
    assert value.decode("ascii").isprintable()
    assert chat().ignored_header(bought=False) == ()


def test_the_walk_is_linear_in_what_was_sent() -> None:
    """The worst that the JSON bounds let in: keys that nobody knows, everywhere."""
    wide = {f"k{number}": 1 for number in range(LIMITS.object_keys_max - 2)}
    messages = [{**echoed(), **wide} for _ in range(50)]
    started = time.process_time()
    assert len(chat(messages=messages).messages) == 50
    assert time.process_time() - started < 2
