from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.errors import BadRequest, UnknownField, envelope
from runtime.http.wire import parse_chat, parse_completion
from tests.runtime.http.bodies import (
    CLIENT_ONLY,
    EVERY_FIELD,
    USER,
    VLLM_EXTRAS,
    chat,
    sent,
)


def test_every_field_arrives_and_nothing_else() -> None:
    request = chat(**EVERY_FIELD, **CLIENT_ONLY)
    assert sent(request, cache_salt="salt") == {
        **EVERY_FIELD,
        "model": "served",
        "messages": USER,
        "stream_options": {"include_usage": True},
        "cache_salt": "salt",
    }


def test_vendors_get_no_fields_of_the_engine() -> None:
    request = chat(
        **EVERY_FIELD,
        messages=[*USER, {"role": "assistant", "content": "a", "reasoning_content": "r"}, *USER],
    )
    told = sent(request, cache_salt="salt", openai_only=True)
    assert told.keys() == (EVERY_FIELD.keys() - VLLM_EXTRAS) | {
        "model",
        "messages",
        "stream_options",
    }
    assert told["messages"][1] == {"role": "assistant", "content": "a"}
    assert sent(request)["messages"][1]["reasoning_content"] == "r"


def test_a_request_without_stream_asks_for_no_stream_options() -> None:
    assert sent(chat()) == {"model": "served", "messages": USER}


KEYS = st.sampled_from(
    [*EVERY_FIELD, *CLIENT_ONLY, "model", "messages", "prompt", "role"]
) | st.text(max_size=4)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["user", "text", "function", "json_schema", "auto", "\ud800"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.fixed_dictionaries(
        {"model": st.just("m")},
        optional={
            **{key: VALUES | st.just(good) for key, good in {**EVERY_FIELD, **CLIENT_ONLY}.items()},
            "messages": st.just(USER) | VALUES,
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
            json.dumps(envelope(error, "r"), ensure_ascii=False).encode()
        else:
            told = sent(request)
            assert not told.keys() & CLIENT_ONLY.keys() - {"stream_options"}
            assert "zzz" not in told
            request.prompt_bytes()
