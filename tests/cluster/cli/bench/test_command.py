"""`baseload bench`: figures on stdout, progress on stderr, one line per refusal."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmarks.load.figures import FIGURES
from benchmarks.load.result import DOCUMENT, ROWS
from benchmarks.load.row_table import read
from cluster.cli.main import app, main
from tests.benchmarks.load.scripted import KEY, Script, serving

RUNNER = CliRunner()
SHORT = (
    *("--model", "m", "--input", "20", "--output", "4", "--seconds", "0.8", "--warmup", "0.2"),
    *("--runs", "1", "--processes", "1"),
)
TRACE = "".join(
    json.dumps(
        {"timestamp": 50 * n, "input_length": 1100, "output_length": 40, "hash_ids": [n % 2, n]}
    )
    + "\n"
    for n in range(40)
)


def bench(*arguments: str, ends: int = 0) -> Result:
    done = RUNNER.invoke(app, ["bench", *arguments])
    assert done.exit_code == ends, (done.output, done.exception)
    return done


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Script, str]]:
    script = Script(step_s=0.002)
    with serving(script) as url:
        yield script, url


def refused(patch: pytest.MonkeyPatch, capsys: Any, *arguments: str) -> str:
    patch.setattr(sys, "argv", ["baseload", "bench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    line = told.err.splitlines()[-1]
    assert line.startswith("baseload: ")
    return str(line)


def test_an_open_loop_is_measured_priced_and_kept(
    server: tuple[Script, str], tmp_path: Path
) -> None:
    script, url = server
    page = tmp_path / "report.html"
    done = bench(
        *(url, *SHORT, "--rate", "30", "--cards", "2", "--card-price", "2.0", "--theta", "100"),
        *("--ignore-eos", "--extra-body", '{"top_p": 0.5}', "--runs", "2"),
        *("--out", str(tmp_path / "kept"), "--report", str(page), "--json"),
    )
    told = json.loads(done.stdout)
    assert set(told["figures"]) == {figure.key for figure in FIGURES}
    good = told["figures"]["good_tok_s"]["mean"]
    assert good > 20
    assert told["figures"]["utilization"]["mean"] == pytest.approx(good / 2 / 100)
    assert [run["traffic"]["seed"] for run in told["runs"]] == [0, 1]
    assert told["tokens_per_word"] == 1.0
    assert "run 2 of 2" in done.stderr
    assert json.loads((tmp_path / "kept" / DOCUMENT).read_text())["cards"] == 2
    assert set(read(tmp_path / "kept" / ROWS)) == {0, 1}
    assert "<svg" in page.read_text()
    assert (script.bodies[-1]["ignore_eos"], script.bodies[-1]["top_p"]) == (True, 0.5)


def test_a_closed_loop_and_a_table(server: tuple[Script, str]) -> None:
    done = bench(server[1], *SHORT, "--concurrency", "3")
    assert "first token, p99" in done.stdout
    assert "no price: give --card-price" in done.stderr


def test_a_trace_keeps_its_prefixes_and_one_that_is_cut_short_is_played_so_far(
    server: tuple[Script, str], tmp_path: Path
) -> None:
    script, url = server
    path = tmp_path / "trace.jsonl"
    path.write_text(TRACE + '{"timestamp": 2000, "inp')
    before = len(script.prompts)
    done = bench(
        *(url, *SHORT, "--trace", str(path), "--load-scale", "2", "--length-scale", "0.1"),
        "--json",
        ends=1,
    )
    told = json.loads(done.stdout)
    assert "line 41" in told["notes"][0]
    assert "the 40 requests before that line are replayed" in told["notes"][0]
    assert told["traffic"]["rate_per_s"] == pytest.approx(40)
    assert told["runs"][0]["prompt_tokens_mean"] == pytest.approx(110)
    starts = {tuple(prompt.split()[:51]) for prompt in script.prompts[before + 2 :]}
    assert len(starts) == 2


def test_a_sweep_finds_theta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.load.theta_sweep.PRECISION", 1.0)
    monkeypatch.setattr("benchmarks.load.theta_sweep.CURVE_SHARES", (0.3,))
    with serving(Script(step_s=0.02, slots=4)) as url:
        done = bench(
            *(url, *SHORT, "--sweep", "--rate", "20", "--card-price", "2", "--json"),
            *("--seconds", "0.5", "--warmup", "0"),
            *("--slo-ttft-ms", "150", "--attainment", "0.8", "--report", str(tmp_path / "r.html")),
        )
    told = json.loads(done.stdout)
    # Four at a time, 4 tokens of 20 ms each: at best 200 tokens/s.
    assert 20 < told["theta_out_tok_s_per_card"] < 260
    assert max(p["utilization"] for p in told["curve"] if p["kept_slo"]) >= 1
    prices = [p["usd_per_mtok_output"] for p in told["curve"] if p["kept_slo"]]
    assert max(prices) > 2 * min(prices)


def test_ctrl_c_keeps_what_there_is_and_says_so(server: tuple[Script, str], tmp_path: Path) -> None:
    script, url = server
    wanted = len(script.bodies) + 30

    def interrupt() -> None:
        while len(script.bodies) < wanted:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    done = bench(
        *(url, *SHORT, "--rate", "40", "--seconds", "60", "--out", str(tmp_path), "--json"),
        ends=1,
    )
    told = json.loads(done.stdout)
    assert told["interrupted"]
    assert any("stopped after" in text for text in told["notes"])
    assert read(tmp_path / ROWS)[0].height > 5


def test_a_server_that_begins_to_fail_has_its_errors_by_kind() -> None:
    with serving(Script(status=500, says="no memory", healthy_requests=12)) as url:
        told = json.loads(bench(url, *SHORT, "--rate", "30", "--json").stdout)
    (run,) = told["runs"]
    assert run["errors"]["http_5xx"] >= 10
    assert run["attainment"] < 0.6
    assert run["error_messages"]["http_5xx"] == "500 no memory"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (Script(status=500, says="no memory"), "look at its log (500 no memory)"),
        (Script(needs_key=True), "--key-env"),
    ],
)
def test_a_server_that_refuses(
    script: Script, says: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("THE_KEY", "wrong-" + KEY)
    with serving(script) as url:
        line = refused(monkeypatch, capsys, url, *SHORT, "--rate", "1", "--key-env", "THE_KEY")
    assert says in line
    assert KEY not in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("http://127.0.0.1:9", *SHORT, "--rate", "1"), "cannot be reached: start the server"),
        (("nowhere", *SHORT, "--rate", "1"), "give an address"),
        (("http://h", *SHORT), "give --rate"),
        (("http://h", *SHORT, "--rate", "1", "--key-env", "NOT_THERE"), "export it first"),
        (("http://h", *SHORT, "--rate", "1", "--card-price", "0"), "card price"),
        (("http://h", *SHORT, "--rate", "1", "--cards", "0"), "--cards 0"),
        (("http://h", *SHORT, "--rate", "1", "--seconds", "inf"), "--seconds must be"),
        (("http://h", *SHORT, "--rate", "1", "--processes", "0"), "--processes 0"),
        (("http://h", *SHORT, "--rate", "1", "--slo-ttft-ms", "0"), "--slo-ttft-ms 0"),
        (("http://h", *SHORT, "--rate", "1", "--theta", "none.json"), "cannot be read"),
        (("http://h", *SHORT, "--rate", "1", "--extra-body", "{"), "one JSON object"),
        (("http://h", *SHORT, "--rate", "1", "--gpus", "x"), "numbers of cards"),
        (("http://h", *SHORT, "--rate", "1", "--report", "/none/r.html"), "make the folder"),
        (("http://h", *SHORT, "--trace", "none.csv"), "give the path of a trace file"),
        (("http://h", *SHORT, "--trace", "none.txt"), "give its --format"),
        (("http://h", *SHORT, "--rate", "1", "--load-scale", "2"), "--load-scale is for"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    arguments: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    assert says in refused(monkeypatch, capsys, *arguments)


def test_before_a_baseload_what_was_bought_is_told_apart(tmp_path: Path) -> None:
    script = Script(step_s=0.02, slots_own=1)
    with serving(script) as url:
        load = ("--concurrency", "3", "--card-price", "2.0", "--theta", "100")
        done = bench(url, *SHORT, *load, "--out", str(tmp_path), "--json")
    told = json.loads(done.stdout)
    figures = {key: each and each["mean"] for key, each in told["figures"].items()}
    assert 0.4 < figures["bought_share"] < 0.9
    assert figures["own_good_tok_s"] + figures["bought_tok_s"] == pytest.approx(
        figures["good_tok_s"], rel=0.05
    )
    assert figures["usd_per_mtok_output"] == pytest.approx(
        2.0 / 3600 / figures["own_good_tok_s"] * 1e6
    )
    assert figures["utilization"] == pytest.approx(figures["own_good_tok_s"] / 100)
    (rows,) = read(tmp_path / ROWS).values()
    bought = rows.filter(rows["target"] == "offer:v/m")
    assert set(bought["cost_nano_usd"]) == {20}
    assert "were bought from APIs" in done.stderr
