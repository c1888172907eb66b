from __future__ import annotations

import asyncio
import socket
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from benchmarks.load.endpoint import Endpoint
from benchmarks.load.request_row import WHOLE, ErrorKind, Row
from benchmarks.load.request_sender import Sender, open_session
from benchmarks.load.schedule import Ask
from tests.benchmarks.load.scripted import KEY, TEMPLATE_TOKENS, Script, upstream

ASK = Ask(3, 0.0, 40, 6)


async def sent(script: Script, **given: object) -> tuple[Row, Sender]:
    async with upstream(script) as url:
        return await sent_to(Endpoint(url, "m", **given))  # type: ignore[arg-type]


async def sent_to(endpoint: Endpoint) -> tuple[Row, Sender]:
    async with open_session(endpoint) as session:
        sender = Sender((endpoint,), session, time.monotonic())
        body = endpoint.body("one two three", ASK.output_tokens)
        return await sender.send(ASK, body, -0.5), sender


@pytest.mark.parametrize("api", ["chat", "completions"])
async def test_a_whole_answer(api: str) -> None:
    row, sender = await sent(Script(step_s=0.002, cached_tokens=2), api=api)
    assert row.error == WHOLE
    assert (row.prompt_tokens, row.output_tokens, row.cached_tokens) == (3 + TEMPLATE_TOKENS, 6, 2)
    assert len(row.gaps_ms) == 5
    assert sender.counters.events == 6
    assert row.first_token_s is not None
    assert row.last_token_s is not None
    assert row.scheduled_s < row.sent_s < row.first_token_s < row.last_token_s <= row.ended_s
    assert sum(row.gaps_ms) / 1000 == pytest.approx(row.last_token_s - row.first_token_s, abs=1e-4)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (Script(status=500), ErrorKind.HTTP_5XX),
        (Script(status=429), ErrorKind.HTTP_429),
        (Script(status=404), ErrorKind.HTTP_4XX),
        (Script(is_cut=True), ErrorKind.BROKEN_STREAM),
        (Script(has_usage=False), ErrorKind.NO_USAGE),
    ],
)
async def test_what_goes_wrong_has_a_kind_and_a_message(script: Script, kind: ErrorKind) -> None:
    row, sender = await sent(script)
    assert row.error == kind
    assert row.status == script.status
    assert set(sender.messages) == {kind}


async def test_nobody_there() -> None:
    row, sender = await sent_to(Endpoint("http://127.0.0.1:9/v1", "m"))
    assert (row.error, row.status) == (ErrorKind.CONNECT, 0)
    assert "127.0.0.1" in sender.messages[ErrorKind.CONNECT]


async def test_a_connection_that_never_comes_is_no_slow_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmarks.load.request_sender.CONNECT_S_MAX", 0.2)
    with ExitStack() as opened:
        full = opened.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(2):  # nobody accepts these, and there is room for no other
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        row, sender = await sent_to(Endpoint(f"http://127.0.0.1:{full.getsockname()[1]}/v1", "m"))
    assert (row.error, row.status) == (ErrorKind.CONNECT, 0)
    assert sender.messages == {ErrorKind.CONNECT: "no connection within 0.2 s"}


async def test_too_slow() -> None:
    row, _ = await sent(Script(step_s=0.2), timeout_s=0.3)
    assert row.error == ErrorKind.TIMEOUT
    assert row.first_token_s is not None


async def test_a_wrong_key_is_not_repeated() -> None:
    row, sender = await sent(Script(needs_key=True), key="wrong-key")
    assert (row.error, row.status) == (ErrorKind.HTTP_4XX, 401)
    assert "wrong-key" not in str(sender.messages)
    assert (await sent(Script(needs_key=True), key=KEY))[0].error == WHOLE


async def test_a_request_that_is_given_up_leaves_its_row() -> None:
    async with upstream(Script(step_s=0.05)) as url:
        endpoint = Endpoint(url, "m")
        async with open_session(endpoint) as session:
            sender = Sender((endpoint,), session, time.monotonic())
            task = asyncio.create_task(sender.send(ASK, endpoint.body("a", 100), 0.0))
            await asyncio.sleep(0.3)
            task.cancel()
            row = await task
    assert row.error == ErrorKind.UNFINISHED
    assert len(row.gaps_ms) >= 1
    assert row.output_tokens is None


async def test_of_the_headers_only_what_is_wanted_is_kept_and_a_budget_is_told() -> None:
    script = Script(slots_own=1)
    async with upstream(script) as url:
        endpoint = Endpoint(url, "m", kept_headers=("x-baseload-target", "x-none"))
        async with open_session(endpoint) as session:
            sender = Sender((endpoint,), session, time.monotonic())
            row = await sender.send(replace(ASK, budget_ms=250), endpoint.body("a", 2), 0.0)
            await sender.send(ASK, endpoint.body("a", 2), 0.0)
    assert row.headers == {"x-baseload-target": "local:m-1"}
    told = [headers.get("x-baseload-latency-budget-ms") for headers in script.headers]
    assert told == ["250", None]


@pytest.mark.parametrize(("asks_cost", "told"), [(True, "cost"), (False, None)])
async def test_what_an_answer_cost_is_only_asked_where_it_is_wanted(
    asks_cost: bool, told: str | None
) -> None:
    script = Script()
    await sent(script, asks_cost=asks_cost)
    assert script.headers[0].get("x-baseload-tell") == told
