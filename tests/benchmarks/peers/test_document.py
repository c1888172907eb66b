from __future__ import annotations

import io
import json
from pathlib import Path

import yaml
from rich.console import Console

from benchmarks.peers.__main__ import QUICK, TITLES, document
from benchmarks.peers.baseload_profile import profile
from benchmarks.peers.plain_engines import NARROW
from benchmarks.peers.roster import PEERS
from benchmarks.peers.run import PeerComparison
from benchmarks.peers.tables import overload_table, rows_table, verdict_table
from benchmarks.peers.verdicts import PeerVerdict, judge
from benchmarks.rig.common import Target
from tests.benchmarks.peers.test_overload import answer, outcome
from tests.benchmarks.peers.test_side_by_side import sample


def run_of() -> PeerComparison:
    run = PeerComparison(PEERS, QUICK, Path("unused"), lambda line: None)
    run.through = [sample(100, 50), sample(100, 60)]
    run.outcomes = [outcome([answer(), answer(429, is_whole=False)])]
    run.skipped = {"smg": "no wheel"}
    return run


def test_document_is_json_with_rows_outcomes_and_where_from() -> None:
    told = json.loads(json.dumps(document(run_of(), QUICK, {"date": "d"}), allow_nan=False))
    assert told["date"] == "d"
    assert told["skipped"] == {"smg": "no wheel"}
    assert told["engines"][0]["figures"]["chunks_s"]["ratio"] == 0.55
    assert told["overload"][0]["attainment"] == 0.5
    assert told["scripted"] == []
    assert all(each["holds"] is None for each in told["verdicts"])


def test_tables_show_everything() -> None:
    run = run_of()
    page = Console(file=io.StringIO(), width=160)
    rows = run.rows(run.through)
    page.print(rows_table("Through", rows, TITLES))
    page.print(overload_table(run.outcomes, TITLES))
    page.print(verdict_table(judge(run.through, [], run.outcomes)))
    assert isinstance(page.file, io.StringIO)
    text = page.file.getvalue()
    assert "0.50–0.60" in text
    assert "50.0%" in text
    assert text.count("not measured") == 6
    assert "in brackets" not in text


def test_a_verdict_says_how_sure_it_is() -> None:
    page = Console(file=io.StringIO(), width=160)
    sure = PeerVerdict("as fast", 0.92, 0.874, 0.966, 0.9, True)
    page.print(verdict_table([sure, PeerVerdict("answered", 1.0, None, None, 1.0, True)]))
    assert isinstance(page.file, io.StringIO)
    text = page.file.getvalue()
    assert "0.92 (0.87 to 0.97)" in text
    assert " 1.00 " in text
    assert "with a confidence of 95 %" in " ".join(text.split())


def test_profile_has_the_size_and_the_provider(tmp_path: Path) -> None:
    path = profile(tmp_path, Target("http://127.0.0.1:5/v1", "unused"), NARROW)
    app = yaml.safe_load(path.read_text())["applications"][0]
    engine = app["args"]["pools"][0]["engine"]
    assert (engine["max_num_seqs"], engine["kv_blocks"]) == (NARROW.running_max, NARROW.kv_blocks)
    assert "http://127.0.0.1:5/v1" in str(app["deployments"])
