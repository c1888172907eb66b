"""Each known vendor's way to tell what an answer used, and one's way to refuse with a 200."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.vendors import Vendor, load_vendors
from runtime.wire.dialect import UpstreamModel
from runtime.wire.openai_dialect import CHAT
from runtime.wire.reported_usage import Usage
from runtime.wire.sse import FrameScanner
from tests.runtime.vendors import DONE, ROLE, delta, event
from tests.runtime.wire.anthropic import answers as an
from tests.runtime.wire.bodies import chat

VENDORS = load_vendors().by_name
EACH = pytest.mark.parametrize("vendor", VENDORS.values(), ids=list(VENDORS))
BASE = {"id": "x", "choices": None, "base_resp": {"status_code": 1008, "status_msg": "no"}}


def _usage(vendor: Vendor) -> dict[str, Any]:
    """A usage object with 7 cached tokens of 9, under the names that the vendor has for them."""
    told: dict[str, Any] = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    for path in vendor.usage.cached:
        outer, _, inner = path.partition(".")
        told[outer] = {inner: 7} if inner else 7
    return told


def _stream(vendor: Vendor) -> bytes:
    told, last = _usage(vendor), delta("", "stop")
    if vendor.usage.frame == "start_and_delta":
        cached = {vendor.usage.cached[0]: 7}
        events = [an.start(input_tokens=2, **cached), an.block_start(), an.text("yes")]
        return b"".join(map(an.event, [*events, an.finish(), an.STOP]))
    if vendor.usage.frame == "with_last_choice":
        last = {**last, "usage": told}
    if vendor.usage.frame == "in_last_choice":
        last["choices"][0]["usage"] = told
    frames = [ROLE, delta("yes"), last]
    if vendor.usage.frame == "own":
        frames.append({"choices": [], "usage": told})
    return b"".join(map(event, [*frames, DONE]))


@EACH
def test_what_a_stream_used_is_read(vendor: Vendor) -> None:
    terms = vendor.terms("m")
    upstream = UpstreamModel("m", is_vendor=True, answer_tokens_max=9, terms=terms)
    scanner = CHAT.scanner(chat(stream=True), upstream)
    passed = scanner.feed(_stream(vendor)) + scanner.end()
    assert b"yes" in passed
    assert scanner.finished
    assert scanner.usage is not None
    used = scanner.usage
    assert (used.prompt_tokens, used.cached_tokens, used.output_tokens) == (9, 7, 2)


@EACH
def test_what_an_answer_in_one_piece_used_is_read(vendor: Vendor) -> None:
    terms = vendor.terms("m")
    upstream = UpstreamModel("m", is_vendor=True, answer_tokens_max=9, terms=terms)
    said = {"index": 0, "message": {"content": "yes"}, "finish_reason": "stop"}
    body = json.dumps({"choices": [said], "usage": _usage(vendor)}).encode()
    if vendor.usage.frame == "start_and_delta":
        counts = {"input_tokens": 2, "cache_read_input_tokens": 7, "output_tokens": 2}
        body = an.message(usage=counts)
    answer = CHAT.whole_answer(chat(), upstream, body)
    assert answer.fault is None
    assert isinstance(answer.usage, Usage)
    assert (answer.usage.prompt_tokens, answer.usage.cached_tokens) == (9, 7)
    assert answer.usage.output_tokens == 2


def test_a_refusal_under_a_good_status_is_seen_as_one() -> None:
    upstream = UpstreamModel("m", is_vendor=True, terms=VENDORS["minimax"].terms("m"))
    assert CHAT.whole_answer(chat(), upstream, json.dumps(BASE).encode()).error == BASE
    scanner = FrameScanner()
    scanner.feed(event(BASE))
    assert scanner.told_error == BASE
    fine = {**delta("yes", "stop"), "base_resp": {"status_code": 0, "status_msg": ""}}
    scanner = FrameScanner()
    assert b"yes" in scanner.feed(event(delta("yes"))) + scanner.feed(event(fine))
    assert scanner.finished
