"""Fields on their way through the gateway: what replicas and vendors get, and what is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.fault_script import Fault, Script
from runtime.grammar.compile_check import GrammarCheck
from tests.runtime.grammar.test_compile_check import COMPILER
from tests.runtime.parts import Stack, chat, stack

BUSY = Script(fault=Fault.BUSY)
IGNORED = "x-baseload-ignored"
SWITCH: dict[str, Any] = {"chat_template_kwargs": {"enable_thinking": False}}
STOPS: dict[str, Any] = {"stop": ["a"] * 5}
FORM: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}


@pytest.fixture(autouse=True)
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes every schema, except by the words that it is told to."""
    file = tmp_path / "compiler.py"
    file.write_text(COMPILER.replace('["text"]', '["patterns"][0]'))
    monkeypatch.setattr("runtime.edge.edge_context.GrammarCheck", lambda: GrammarCheck(file))


def shaped(pattern: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": pattern}
    return {"response_format": {**FORM, "json_schema": {"name": "a", "schema": schema}}}


def got(s: Stack) -> dict[str, Any]:
    return s.replicas[0].engine.asked[-1].body


@pytest.mark.parametrize("streamed", [True, False])
async def test_what_is_dropped_is_named_in_a_header(tmp_path: Path, streamed: bool) -> None:
    async with stack(tmp_path) as s:
        answer = await s.post(chat(stream=streamed, store=True, prediction={"type": "content"}))
        assert answer.status == 200
        assert answer.headers[IGNORED] == "store, prediction"
        await answer.read()
        answer = await s.post(chat(stream=streamed))
        assert IGNORED not in answer.headers
        await answer.read()
        assert "store" not in got(s)


async def test_a_field_that_vendors_do_not_serve_is_not_bought(tmp_path: Path) -> None:
    config = {"queue": {"wait_ms_max": 200}}
    async with stack(tmp_path, scripts=[BUSY], sells=True, config=config) as s:
        bought = await s.post(chat(top_k=3))
        assert bought.headers["x-baseload-target"].startswith("offer:")
        assert bought.headers[IGNORED] == "top_k"
        assert "top_k" not in s.vendor.engine.asked[-1].body
        for fields in (SWITCH, STOPS, _tool("look up")):
            answer = await s.post(chat(**fields))
            assert answer.status >= 500
        assert len(s.vendor.engine.asked) == 1


async def test_it_is_refused_where_only_vendors_serve_the_model(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[], sells=True) as s:
        s.gateway.pools.clear()
        answer = await s.post(chat(**SWITCH))
        assert answer.status == 400
        error = (await answer.json())["error"]
        assert error["param"] == "chat_template_kwargs"
        assert "local replicas, and `tiny-moe` has none" in error["message"]
        for fields in (STOPS, _tool("look up"), shaped("bad")):
            assert (await s.post(chat(**fields))).status == 200  # theirs to say


def _tool(name: str) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": {"name": name}}]}


async def test_a_pattern_reaches_an_engine_only_when_it_compiles(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        assert (await s.post(chat(**shaped("^good$")))).status == 200
        assert got(s)["response_format"] == shaped("^good$")["response_format"]
        answer = await s.post(chat(**shaped("bad")))
        error = (await answer.json())["error"]
        assert answer.status == 400
        assert error["param"] == "response_format.json_schema.schema"
        assert "is not understood" in error["message"]
        answer = await s.post(chat(**shaped("loose")))
        assert answer.headers[IGNORED] == "response_format.json_schema.schema.pattern"
        assert len(s.replicas[0].engine.asked) == 2


async def test_an_engine_gets_what_it_can_hold_and_a_vendor_what_was_sent(tmp_path: Path) -> None:
    schema = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
    form = {**FORM, "json_schema": {"name": "a", "schema": schema}}
    function = {"name": "f", "strict": True, "parameters": schema}
    tool = {"type": "function", "function": function}
    fields: dict[str, Any] = {"response_format": form, "tools": [tool], "tool_choice": "required"}
    async with stack(tmp_path, scripts=[Script()], sells=True) as s:
        answer = await s.post(chat(**fields))
        held = {"type": "array", "items": {"type": "integer"}}
        assert got(s)["response_format"]["json_schema"]["schema"] == held
        assert got(s)["tools"][0]["function"]["parameters"] == held
        names = ("tools.function.parameters", "response_format.json_schema.schema")
        assert answer.headers[IGNORED] == ", ".join(
            [*(f"{name}.uniqueItems" for name in names), "response_format"]
        )
        s.replicas[0].engine.script = BUSY
        await s.post(chat(**fields))
        told = s.vendor.engine.asked[-1].body
        assert told["response_format"] == form
        assert told["tools"] == [tool]


async def test_a_form_that_leaves_no_token_costs_no_second_target(tmp_path: Path) -> None:
    for after in (0, 2):
        script = Script(fault=Fault.DEAD_END, after_tokens=after)
        async with stack(tmp_path / str(after), scripts=[script], sells=True) as s:
            answer = await s.post(chat(stream=True, max_tokens=6))
            body = await answer.read()
            assert answer.status == (200 if after else 400)
            assert b"no token" in body
            assert b'"code":"upstream_rejected"' in body.replace(b": ", b":")
            assert len(s.replicas[0].engine.asked) == 1
            assert not s.vendor.engine.asked
            await s.idle()
            assert s.row().outcome == "client_error: upstream_rejected"


async def test_usage_in_every_frame_is_passed_on_and_billed_once(tmp_path: Path) -> None:
    often = {"include_usage": True, "continuous_usage_stats": True}
    async with stack(tmp_path) as s:
        answer = await s.post(chat(stream=True, max_tokens=6, stream_options=often))
        frames = [
            json.loads(line.removeprefix(b"data: "))
            for line in (await answer.read()).split(b"\n\n")
            if line.startswith(b"data: {")
        ]
        counts = [frame["usage"]["completion_tokens"] for frame in frames]
        assert counts == [0, 1, 2, 3, 4, 5, 6, 6, 6]
        await s.idle()
        assert s.row().completion_tokens == 6
