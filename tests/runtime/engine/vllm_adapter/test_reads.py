"""vLLM reads what the gateway sends to a replica: field by field, without an engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest

from runtime.engine.vllm_adapter.command_line import ENVIRONMENT
from tests.runtime.grammar.patterns import ZOD
from tests.runtime.wire.bodies import EVERY_FIELD, LOCAL, LOCAL_CHAT, TOOL, chat, completion, sent

pytestmark = pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")

# Each line is a body; the answer is null, or what vLLM says against it.
READ = """
import json, sys, warnings
warnings.simplefilter("ignore")
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.entrypoints.openai.completion.protocol import CompletionRequest
from vllm.entrypoints.generate.base.serving import GenerateBaseServing
from vllm.v1.structured_output.backend_xgrammar import validate_xgrammar_grammar

def read(body):
    kind = ChatCompletionRequest if "messages" in body else CompletionRequest
    request = kind.model_validate_json(json.dumps(body))
    ours = set(body) - {"messages", "prompt"}
    unread = ours - set(kind.model_fields)
    if unread:
        return f"not read: {unread}"
    validate_xgrammar_grammar(request.to_sampling_params(9, {}))

def held(body):
    from vllm.tool_parsers.structural_tag_registry import get_model_structural_tag
    request = ChatCompletionRequest.model_validate_json(json.dumps(body))
    tag = get_model_structural_tag("hermes", request.tools, request.tool_choice, False)
    return [each["content"]["json_schema"] for each in tag.model_dump()["format"]["tags"][::2]]

names = GenerateBaseServing._raise_if_error.__code__.co_varnames[:3]
assert names == ("self", "finish_reason", "request_id"), names  # what caller_faults.py replaces
told = []
for line in sys.stdin:
    try:
        body = json.loads(line)
        told.append(held(body["held"]) if "held" in body else read(body))
    except Exception as error:
        told.append(f"{type(error).__name__}: {error}")
print("\\n" + json.dumps(told))
"""


def schemas() -> list[dict[str, Any]]:
    return [
        *ZOD.values(),
        {"type": "array", "items": {"type": "string", "pattern": "a"}, "uniqueItems": True},
        {"type": "integer", "multipleOf": 5},
        {"type": "string", "pattern": "^a", "minLength": 2},
        {"type": "object", "properties": {"a": {}}, "patternProperties": {"^b": {}}},
        {"type": "object", "propertyNames": {"pattern": "^a", "maxLength": 3}},
    ]


def bodies() -> list[dict[str, Any]]:
    """One with each field, so that a fault is of that field."""
    asked = [chat(**{name: value}) for name, value in LOCAL_CHAT.items()]
    asked += [completion(**{name: value}) for name, value in LOCAL.items()]
    asked += [chat(**EVERY_FIELD), chat(stop=["a"] * 16), completion(prompt=["a"] * 256)]
    for schema in schemas():
        form = {"type": "json_schema", "json_schema": {"name": "a b", "schema": schema}}
        asked += [chat(response_format=form), completion(response_format=form)]
        asked.append(chat(structured_outputs={"json": schema}))
    asked += [
        chat(structured_outputs={"regex": r"\d+"}),
        chat(structured_outputs={"json_object": True}),
        chat(stream=True, stream_options={"include_usage": True, "continuous_usage_stats": True}),
        chat(tools=[{"type": "function", "function": {**TOOL["function"], "name": "a b/c"}}]),
        chat(messages=[{"role": "assistant", "content": None, "reasoning": "hm"}]),
        chat(messages=[{"role": "user", "content": []}]),
    ]
    return [sent(request) for request in asked]


FORCED = {"type": "function", "function": {"name": "f"}}


def forced() -> list[tuple[dict[str, Any], list[Any]]]:
    """Bodies with tools, each with the schemas that the arguments are held to."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    tools = [
        {"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}},
        {"type": "function", "function": {"name": "g", "strict": False, "parameters": schema}},
        {"type": "function", "function": {"name": "h"}},
    ]
    return [
        (sent(chat(tools=tools, tool_choice="required")), [schema, True, True]),
        (sent(chat(tools=tools, tool_choice=FORCED)), [schema]),
        (sent(chat(tools=tools[1:], tool_choice="required")), [True, True]),
    ]


def told_by_vllm(lines: list[dict[str, Any]]) -> list[Any]:
    told = subprocess.run(
        [sys.executable, "-c", READ],
        input="\n".join(map(json.dumps, lines)),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | ENVIRONMENT,
    )
    answers = json.loads(told.stdout.strip().rpartition("\n")[2])
    assert len(answers) == len(lines)
    return list(answers)


def test_every_field_that_is_sent_is_read() -> None:
    lines, asked = bodies(), forced()
    answers = told_by_vllm([*lines, *({"held": body} for body, _ in asked)])
    assert answers[len(lines) :] == [schemas for _, schemas in asked]
    faults = [(body, says) for body, says in zip(lines, answers, strict=False) if says]
    assert faults == []
