"""The peer is asked in its own interpreter; without one, the reason is told."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fits.planner_peers import NoPeer, ask, question, read_answers
from models.layout import Layout
from models.speed.work import Load
from tests.benchmarks.fits.test_planner_rows import row
from tests.models.shapes import QWEN3_235B

FOUND = {"version": "0.12.0", "answers": [[100.0, 10.0, None], [None, None, "ValueError: 7 heads"]]}


def test_a_rank_is_asked_for_its_share_of_the_load() -> None:
    moe = row(
        shape=QWEN3_235B,
        model_path="Qwen/Qwen3-235B-A22B-FP8",
        layout=Layout(2, 4, expert_parallel=True),
        load=Load(1024, 512, 9),
    )
    assert question(moe) == {
        "model_path": "Qwen/Qwen3-235B-A22B-FP8",
        "system_name": "h100_sxm",
        "backend_name": "vllm",
        "isl": 1024,
        "osl": 512,
        "batch_size": 3,
        "tp_size": 2,
        "attention_dp_size": 4,
        "moe_tp_size": 1,
        "moe_ep_size": 8,
    }
    assert "moe_ep_size" not in question(row())


def test_answers_and_refusals_are_told_apart() -> None:
    output = "warming up\nestimates: " + json.dumps(FOUND) + "\n"
    answers = read_answers(output, "", 2)
    assert answers.version == "0.12.0"
    assert answers.refusals == Counter({"ValueError": 1})
    np.testing.assert_array_equal(answers.predicted.tpot_ms, [10.0, np.nan])


@pytest.mark.parametrize(
    ("output", "errors", "told"),
    [
        ("", "Traceback\nModuleNotFoundError: no peer", "ModuleNotFoundError: no peer"),
        ("", "", "printed nothing"),
        ("estimates: " + json.dumps(FOUND), "", "2 answers to 3 questions"),
    ],
)
def test_a_peer_that_does_not_answer_says_why(output: str, errors: str, told: str) -> None:
    with pytest.raises(NoPeer, match=told):
        read_answers(output, errors, 3)


def test_an_absent_peer_is_left_out_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(NoPeer, match="no --peer-python"):
        ask(None, [row()])
    with pytest.raises(NoPeer, match="does not start"):
        ask(tmp_path / "python", [row()])


def test_an_interpreter_without_the_peer_is_told_apart_from_a_refusal(tmp_path: Path) -> None:
    blocked = tmp_path / "python"
    blocked.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # no site-packages
    blocked.chmod(0o755)
    with pytest.raises(NoPeer, match=r"aiconfigurator"):
        ask(blocked, [row()])
