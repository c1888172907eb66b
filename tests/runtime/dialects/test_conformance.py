"""What every dialect has to keep, whichever API it is: each is held to the same tests.

A dialect that is registered needs a sample (``samples.py``), and with it is tested here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from starlette.datastructures import Headers

from runtime.errors import (
    BaseloadError,
    HeaderTooLarge,
    InvalidApiKey,
    MethodNotAllowed,
    StreamBroken,
    UnknownField,
    UpstreamRejected,
)
from runtime.request_limits import LIMITS
from runtime.wire.dialect import UpstreamModel
from runtime.wire.dialect_registry import DIALECTS
from tests.runtime.dialects.samples import ELSEWHERE, SAMPLES, Sample
from tests.runtime.parts import KEY, Stack
from tests.runtime.vendors import Answer, Vendor, market, settled, streamed, vendor, whole

ALL = [*SAMPLES, ELSEWHERE]
EACH = pytest.mark.parametrize("sample", ALL, ids=[each.dialect.route for each in ALL])
REPLICA, OFFER = UpstreamModel("m"), UpstreamModel("m", is_vendor=True, answer_tokens_max=77)
UNKNOWN = "no_such_field"


@pytest.fixture(autouse=True)
def _one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A further dialect needs its entry in the registry, and nothing else."""
    for module in ("app", "openapi"):
        monkeypatch.setattr(f"runtime.edge.{module}.DIALECTS", (*DIALECTS, ELSEWHERE.dialect))


@asynccontextmanager
async def _served(tmp_path: Path, answer: Answer = ()) -> AsyncIterator[tuple[Stack, Vendor]]:
    async with vendor(answer) as sold, market(tmp_path, sold) as s:
        yield s, sold


async def _ask(
    s: Stack, sample: Sample, body: bytes, key: str = KEY, method: str = "POST", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """As a client of the API does: its route, its key, nothing else."""
    url = s.url.removesuffix("/v1") + sample.dialect.route
    named = {"content-type": "application/json", **sample.headers(key), **headers}
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, url, data=body, headers=named) as answer,
    ):
        told = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, told, await answer.read()


def _body(sample: Sample, **fields: Any) -> bytes:
    return json.dumps({**sample.body, **fields}).encode()


def _refusal_of(sample: Sample, body: bytes) -> BaseloadError:
    with pytest.raises(BaseloadError) as caught:
        sample.dialect.parse(body)
    return caught.value


def _assert_told(
    sample: Sample, error: BaseloadError, answer: tuple[int, dict[str, str], bytes]
) -> None:
    """The refusal that came is the dialect's own of this error."""
    status, told, body = answer
    form, request_id = sample.dialect.error_form, told["x-request-id"]
    assert (status, json.loads(body)) == (error.status, form.envelope(error, request_id))
    assert form.headers(error, request_id).items() <= told.items()


def test_every_dialect_has_a_sample_and_a_route() -> None:
    assert [each.dialect for each in SAMPLES] == list(DIALECTS)
    assert len({each.route for each in DIALECTS}) == len(DIALECTS)


@EACH
def test_the_key_is_found(sample: Sample) -> None:
    found = sample.dialect.api_key
    assert found(Headers(sample.headers("bl-x"))) == "bl-x"
    assert found(Headers({name.upper(): v for name, v in sample.headers("k").items()})) == "k"
    assert not found(Headers({}))


@EACH
@pytest.mark.parametrize("key", ["wrong", ""])
async def test_another_key_opens_nothing(tmp_path: Path, sample: Sample, key: str) -> None:
    async with _served(tmp_path) as (s, sold):
        answer = await _ask(s, sample, _body(sample), key)
        _assert_told(sample, InvalidApiKey(), answer)
        assert sold.asked == []


@EACH
async def test_a_refused_body_is_told_in_its_envelope(tmp_path: Path, sample: Sample) -> None:
    async with _served(tmp_path) as (s, sold):
        for body in (b"", b"{", b"[]", b"{}", _body(sample, model=7), _body(sample, zzz=1)):
            _assert_told(sample, _refusal_of(sample, body), await _ask(s, sample, body))
        assert sold.asked == []


@EACH
async def test_so_is_what_is_refused_before_its_body_is_read(
    tmp_path: Path, sample: Sample
) -> None:
    async with _served(tmp_path) as (s, _):
        much = {"x-much": "x" * LIMITS.header_bytes_max}
        says = f"The headers of a request may have {LIMITS.header_bytes_max} bytes."
        _assert_told(sample, HeaderTooLarge(says), await _ask(s, sample, b"{}", **much))
        wrong = MethodNotAllowed(allow=("POST",))
        _assert_told(sample, wrong, await _ask(s, sample, b"", method="GET"))


@EACH
def test_what_a_request_says_of_itself_agrees(sample: Sample) -> None:
    for fields in (sample.body, sample.full):
        request = sample.dialect.parse(json.dumps(fields).encode())
        assert request.model == fields["model"]
        assert request.streaming == bool(fields.get("stream"))
        assert request.choices >= 1
        prompts = [list(texts) for texts in request.texts_by_prompt()]
        assert [text for texts in prompts for text in texts] == list(request.texts())
        assert request.prompt_field in sample.dialect.request_model.model_fields
        assert request.output_tokens_max(3) == min(3, request.answer_tokens_max or 3)


@EACH
def test_an_unknown_field_is_refused_and_named_unless_it_is_empty(sample: Sample) -> None:
    error = _refusal_of(sample, _body(sample, **{UNKNOWN: 1}))
    assert isinstance(error, UnknownField)
    assert error.param == UNKNOWN
    sample.dialect.parse(_body(sample, **{UNKNOWN: None}))


@EACH
def test_a_field_without_effect_is_dropped_and_named(sample: Sample) -> None:
    request = sample.dialect.parse(_body(sample, **{sample.dropped: "canary"}))
    assert request.ignored_header(bought=False) == (
        (b"x-baseload-ignored", sample.dropped.encode()),
    )
    plain = sample.dialect.parse(_body(sample))
    assert plain.ignored_header(bought=False) == ()
    for upstream in (REPLICA, OFFER):
        call = sample.dialect.upstream_call(request, upstream)
        assert call == sample.dialect.upstream_call(plain, upstream)


@EACH
@pytest.mark.parametrize("upstream", [REPLICA, OFFER], ids=["replica", "offer"])
def test_what_a_target_is_sent_is_a_request_of_its_own(
    sample: Sample, upstream: UpstreamModel
) -> None:
    """Where it speaks as the client does: its parser takes it, and would send the same."""
    dialect = sample.dialect
    for fields in (sample.body, sample.full):
        request = dialect.parse(json.dumps(fields).encode())
        call = dialect.upstream_call(request, upstream)
        again = dialect.parse(call.body)
        assert dialect.upstream_call(again, upstream) == call
        assert (again.model, again.streaming) == (upstream.name, request.streaming)
        assert (again.choices, list(again.texts())) == (request.choices, list(request.texts()))
        unsaid = upstream.answer_tokens_max if upstream.is_vendor else None
        assert again.answer_tokens_max == (request.answer_tokens_max or unsaid)


@EACH
@pytest.mark.parametrize("size", [1, 7, 1_000_000])
def test_a_finished_stream_ends_with_its_last_frame(sample: Sample, size: int) -> None:
    dialect = sample.dialect
    scanner = dialect.scanner(dialect.parse(_body(sample, stream=True)), REPLICA)
    raw = sample.begin + sample.end + sample.last_frame
    passed = b"".join(scanner.feed(raw[at : at + size]) for at in range(0, len(raw), size))
    passed += scanner.end()
    assert (scanner.begun, scanner.finished, scanner.error) == (True, True, None)
    assert scanner.finished_choices == 1
    assert scanner.tail.endswith(sample.last_frame)
    assert passed + scanner.tail == raw
    assert scanner.delivered.frames >= 1
    assert not scanner.cut_off


@EACH
def test_half_a_stream_is_not_finished(sample: Sample) -> None:
    dialect = sample.dialect
    scanner = dialect.scanner(dialect.parse(_body(sample, stream=True)), REPLICA)
    assert scanner.feed(sample.begin) + scanner.end() == sample.begin
    assert (scanner.begun, scanner.finished, scanner.tail) == (True, False, b"")


@EACH
def test_content_passes_as_it_came(sample: Sample) -> None:
    """The short way past the scanner: what it counts there is what it would have passed."""
    dialect = sample.dialect
    scanner = dialect.scanner(dialect.parse(_body(sample, stream=True)), REPLICA)
    scanner.feed(sample.begin)
    words, finish = (frame + b"\n\n" for frame in sample.end.split(b"\n\n")[:2])
    assert scanner.plain_frames(words * 3) in (3, 0)
    assert scanner.feed(words * 3) == words * 3
    assert scanner.plain_frames(finish) == 0


@EACH
async def test_the_client_gets_the_stream_and_the_target_its_call(
    tmp_path: Path, sample: Sample
) -> None:
    raw = sample.begin + sample.end + sample.last_frame
    body = _body(sample, stream=True)
    async with _served(tmp_path, streamed(raw)) as (s, sold):
        status, told, got = await _ask(s, sample, body)
        assert (status, got) == (200, raw)
        assert told["content-type"].startswith("text/event-stream")
        await s.idle()
        (row,) = settled(s)
    assert row["outcome"] == "ok"
    upstream = UpstreamModel(sample.body["model"], is_vendor=True)
    call = sample.dialect.upstream_call(sample.dialect.parse(body), upstream)
    assert sold.paths == ["/v1" + sample.path]
    assert sold.asked == [json.loads(call.body)]


@EACH
async def test_a_broken_stream_ends_with_its_error_frame(tmp_path: Path, sample: Sample) -> None:
    broken = streamed(sample.begin)[:-1]  # without the end of the transfer
    async with _served(tmp_path, broken) as (s, _):
        status, _, got = await _ask(s, sample, _body(sample, stream=True))
        await s.idle()
        (row,) = settled(s)
    error = StreamBroken("The model server broke off its answer.")
    last = sample.dialect.error_frame(error, row["completion_tokens"])
    assert (status, got) == (200, sample.begin + last)
    assert last.endswith(b"\n\n")
    assert error.message.encode() in last
    assert sample.last_frame not in got
    assert row["outcome"] == "target_failed: incomplete_stream"


@EACH
async def test_an_answer_in_one_piece_is_sent_as_it_came(tmp_path: Path, sample: Sample) -> None:
    raw = json.dumps(sample.answer).encode()
    async with _served(tmp_path, whole(raw)) as (s, _):
        status, told, got = await _ask(s, sample, _body(sample))
        assert (status, got) == (200, raw)
        assert told["content-type"] == "application/json"
        await s.idle()
        (row,) = settled(s)
    assert (row["outcome"], row["usage_source"]) == ("ok", "target")


@EACH
def test_an_answer_in_one_piece_is_read(sample: Sample) -> None:
    dialect = sample.dialect
    request, raw = dialect.parse(_body(sample)), json.dumps(sample.answer).encode()
    answer = dialect.whole_answer(request, REPLICA, raw)
    assert (answer.body, answer.fault, answer.error) == (raw, None, None)
    assert answer.tokens(len) == len(sample.text)
    assert answer.usage is not None
    assert not answer.cut_off
    for bad in (raw[:-1], b"{}", b'{"error": {"message": "no", "code": 429}}'):
        assert dialect.whole_answer(request, REPLICA, bad).fault


@EACH
async def test_a_target_that_fails_is_told_in_its_envelope(tmp_path: Path, sample: Sample) -> None:
    refused = {"error": {"message": "too long", "code": 400}}
    async with _served(tmp_path, whole(refused)) as (s, _):
        answer = await _ask(s, sample, _body(sample))
    _assert_told(sample, UpstreamRejected("too long"), answer)
