"""C20: the model that a target says has answered is the one that it was asked for, or is noted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.runtime.parts import MODEL, Stack, chat, stack
from tests.runtime.vendors import (
    DONE,
    FIRST,
    ROLE,
    SECOND,
    Answer,
    delta,
    market,
    markets,
    message,
    settled,
    streamed,
    usage,
    vendor,
    whole,
)

OTHER = "cheap-moe-mini"


def _answer(model: str, *, streams: bool) -> Answer:
    if not streams:
        return whole(message("river", model=model))
    frames = [ROLE, delta(" river"), delta("", "stop"), usage(8, 1)]
    return streamed(*[{**frame, "model": model} for frame in frames], DONE)


def _counted(s: Stack) -> float:
    labels = {"target": f"offer:{FIRST}/{MODEL}"}
    found = s.metrics.registry.get_sample_value("baseload_other_model_answers_total", labels)
    return found or 0.0


@pytest.mark.parametrize("streams", [True, False])
async def test_c20_another_model_is_noted_in_the_row_and_counted(
    tmp_path: Path, streams: bool
) -> None:
    answer = _answer(OTHER, streams=streams)
    async with vendor(answer) as first, market(tmp_path, first) as s:
        response = await s.post(chat(stream=streams))
        assert b"river" in await response.read()
        await s.idle()
        (row,) = settled(s)
        assert row["outcome"] == "ok"
        assert row["derivation"].endswith(f"answered by {OTHER!r}, not {MODEL!r}")
        assert _counted(s) == 1


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("model", [MODEL, f"{MODEL}-2026-10-01", f"vendor/{MODEL}", "known-as"])
async def test_c20_the_same_model_under_a_name_of_its_own_is_not(
    tmp_path: Path, model: str, streams: bool
) -> None:
    terms = {"name": MODEL, "served_as": ["known-as"], "refuses_other_model": True}
    async with (
        vendor(_answer(model, streams=streams)) as first,
        market(tmp_path, first, terms=terms) as s,
    ):
        response = await s.post(chat(stream=streams))
        assert response.status == 200
        await s.idle()
        (row,) = settled(s)
        assert "answered by" not in row["derivation"]
        assert _counted(s) == 0


@pytest.mark.parametrize("streams", [True, False])
async def test_c20_where_it_is_refused_the_next_target_is_asked_and_it_is_paid(
    tmp_path: Path, streams: bool
) -> None:
    terms: list[Any] = [{"name": MODEL, "refuses_other_model": True}, MODEL]
    async with (
        vendor(_answer(OTHER, streams=streams)) as first,
        vendor(_answer(MODEL, streams=streams)) as second,
        markets(tmp_path, [first, second], terms=terms) as s,
    ):
        response = await s.post(chat(stream=streams))
        assert response.headers["x-baseload-target"].startswith(f"offer:{SECOND}")
        assert OTHER.encode() not in await response.read()
        await s.idle()
        refused, good = settled(s)
        assert _counted(s) == 1
    assert refused["outcome"] == "target_failed: other_model"
    assert "answered by" in refused["derivation"]
    assert refused["cost_nano_usd"] > 0
    assert good["outcome"] == "ok"


async def test_c20_an_engine_of_ours_answers_as_the_model_that_it_is(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        await (await s.post(chat(stream=True))).read()
        await s.idle()
        (row,) = settled(s)
    assert "answered by" not in row["derivation"]


async def test_c20_an_engine_that_answers_as_another_is_noted(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        await (await s.post(chat("[fault:other_model]"))).read()
        await s.idle()
        (row,) = settled(s)
    assert row["derivation"].endswith(f"answered by 'another-model', not {MODEL!r}")
