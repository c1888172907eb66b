from __future__ import annotations

import json
from typing import Any, get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from runtime.errors import BadRequest, UnknownField
from runtime.wire.error_envelope import OPENAI_ERRORS
from runtime.wire.parse_request import parse_chat, parse_completion
from tests.runtime.wire.bodies import (
    CLIENT_ONLY,
    EVERY_FIELD,
    HINTED,
    LOCAL,
    LOCAL_CHAT,
    USER,
    chat,
    sent,
)


def test_every_field_arrives_and_nothing_else() -> None:
    request = chat(**EVERY_FIELD, **CLIENT_ONLY)
    assert sent(request) == {
        **EVERY_FIELD,
        "model": "served",
        "messages": USER,
        "stream_options": {"include_usage": True},
    }


def test_vendors_get_no_fields_of_the_engine() -> None:
    request = chat(
        **EVERY_FIELD,
        messages=[*USER, {"role": "assistant", "content": "a", "reasoning_content": "r"}, *USER],
    )
    told = sent(request, openai_only=True)
    assert told.keys() == (EVERY_FIELD.keys() - HINTED) | {
        "model",
        "messages",
        "stream_options",
    }
    assert told["messages"][1] == {"role": "assistant", "content": "a"}
    assert sent(request)["messages"][1]["reasoning_content"] == "r"


def test_a_request_without_stream_asks_for_no_stream_options() -> None:
    assert sent(chat()) == {"model": "served", "messages": USER}


GOOD = {**EVERY_FIELD, **CLIENT_ONLY, **LOCAL_CHAT}
KEYS = st.sampled_from(
    [
        *GOOD,
        *("model", "messages", "prompt", "role", "content", "type", "text", "function", "name"),
        *("tool_calls", "refusal", "pattern", "properties", "patternProperties", "json", "regex"),
    ]
) | st.text(max_size=4)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["user", "assistant", "tool", "text", "refusal", "thinking", "input_text"])
    | st.sampled_from(["function", "json_schema", "auto", "object", "string", "\ud800", "(?!a)"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.lists(
    st.dictionaries(
        st.sampled_from(["role", "content", "tool_calls", "name", "tool_call_id", "audio", "zzz"]),
        VALUES | st.sampled_from(["user", "assistant", "tool"]),
        max_size=4,
    ),
    max_size=3,
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.fixed_dictionaries(
        {"model": st.just("m")},
        optional={
            **{key: VALUES | st.just(good) for key, good in GOOD.items()},
            "messages": st.just(USER) | MESSAGES | VALUES,
            "prompt": VALUES,
            "zzz": LEAVES,
        },
    )
)
def test_whatever_is_sent_is_parsed_or_refused(fields: dict[str, Any]) -> None:
    body = json.dumps(fields).encode()
    for parse in (parse_chat, parse_completion):
        try:
            request = parse(body)
        except (BadRequest, UnknownField) as error:
            json.dumps(OPENAI_ERRORS.envelope(error, "r"), ensure_ascii=False).encode()
            continue
        "".join(request.texts())
        for bought in (False, True):
            told = sent(request, openai_only=bought)
            assert undeclared(told, type(request)) == set()
            for name, value in request.ignored_header(bought=bought):
                assert name == b"x-baseload-ignored"
                assert value.decode("ascii").isprintable()
                assert len(value) <= 300
        assert sent(request, openai_only=True).keys().isdisjoint({*HINTED, *LOCAL})


def undeclared(told: Any, kind: type[BaseModel]) -> set[str]:
    """Keys of a body for a target that no model of ours declares, at any depth."""
    fields = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    found = set(told) - fields.keys()
    for name, value in told.items():
        for inner in _models(fields.get(name)):
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, dict):
                    found |= {f"{name}.{key}" for key in undeclared(each, inner)}
    return found


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]
