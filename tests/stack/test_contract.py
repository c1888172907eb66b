"""The OpenAI contract, with the official client, on real engines."""

from __future__ import annotations

import json
import shlex
import subprocess

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.stack.running import Stack

MODEL = "tiny-moe"
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 8}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


def user(text: str) -> ChatCompletionMessageParam:
    return {"role": "user", "content": text}


def test_the_printed_curl_line_works(audited: Stack) -> None:
    line = next(line for line in audited.lines if line.startswith("try"))
    done = subprocess.run(
        shlex.split(line.removeprefix("try")), capture_output=True, text=True, timeout=60
    )
    assert json.loads(done.stdout)["choices"][0]["message"]["content"]


@pytest.mark.parametrize("text", ["Tell me about the sea.", "请用一句话介绍大海。"])
def test_chat(audited: Stack, client: openai.OpenAI, text: str) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=[user(text)], max_tokens=12)
    assert answer.choices[0].finish_reason in ("length", "stop")
    assert answer.usage is not None
    assert answer.usage.completion_tokens <= 12


def test_completions_streamed_and_not(audited: Stack, client: openai.OpenAI) -> None:
    whole = client.completions.create(model=MODEL, prompt="Once upon a time", max_tokens=6)
    assert whole.usage is not None
    streamed = list(
        client.completions.create(model=MODEL, prompt="Once", max_tokens=6, stream=True)
    )
    assert streamed[-1].choices[0].finish_reason in ("length", "stop")


def test_usage_is_shown_only_if_asked(audited: Stack, client: openai.OpenAI) -> None:
    asked = list(
        client.chat.completions.create(
            model=MODEL,
            messages=[user("Hello")],
            max_tokens=6,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert asked[-1].usage is not None
    assert asked[-1].choices == []
    unasked = list(
        client.chat.completions.create(
            model=MODEL, messages=[user("Hello")], max_tokens=6, stream=True
        )
    )
    assert all(frame.usage is None for frame in unasked)
    assert unasked[-1].choices[0].finish_reason is not None


def test_a_forced_tool_is_called(audited: Stack, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[user("What is the weather in Paris?")],
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        max_tokens=120,
        temperature=0,
    )
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "get_weather"


def test_logprobs(audited: Stack, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL, messages=[user("Hi")], max_tokens=3, logprobs=True, top_logprobs=2
    )
    assert answer.choices[0].logprobs is not None
    tokens = answer.choices[0].logprobs.content
    assert tokens is not None
    assert [len(token.top_logprobs) for token in tokens] == [2] * len(tokens)


def test_json_schema_is_enforced(audited: Stack, client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"yes": {"type": "boolean"}},
        "required": ["yes"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[user("Is water wet?")],
        max_tokens=200,
        temperature=0,
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
    )
    if answer.choices[0].finish_reason == "stop":
        assert set(json.loads(answer.choices[0].message.content or "")) == {"yes"}
    else:  # white space is allowed between tokens, and a random model may like it
        assert (answer.choices[0].message.content or "").lstrip().startswith("{")


def test_four_turns(audited: Stack, client: openai.OpenAI) -> None:
    messages: list[ChatCompletionMessageParam] = []
    sizes = []
    for text in ("Hello", "And then?", "你呢？", "Goodbye"):
        messages.append(user(text))
        answer = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=8)
        messages.append({"role": "assistant", "content": answer.choices[0].message.content})
        assert answer.usage is not None
        sizes.append(answer.usage.prompt_tokens)
    assert sizes == sorted(set(sizes))


def test_headers_say_where_and_why(audited: Stack, client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[user("Hi")], max_tokens=2
    )
    assert raw.headers["x-baseload-target"].startswith("local:tiny-moe-")
    assert raw.headers["x-baseload-reason"] == "local_fit"
    assert raw.headers.get_list("x-request-id") == [raw.request_id]


def test_models_and_probes(stack: Stack, client: openai.OpenAI) -> None:
    named = [MODEL, "tiny-moe-plus", "auto", "drafts", "everything"]
    assert [model.id for model in client.models.list()] == named
    assert stack.get("/live") == (200, {"live": True})
    status, body = stack.get("/ready")
    assert (status, body["ready"]) == (200, True)
    assert "/v1/chat/completions" in stack.get("/openapi.json")[1]["paths"]
