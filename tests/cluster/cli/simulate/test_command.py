"""`baseload simulate`: figures on stdout, the rest on stderr, one line per refusal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmarks.simulation.baselines import POLICY_NAMES
from cluster.cli.main import app
from cluster.reference.config_example import SMALLEST
from tests.cluster.refusal import refusal

RUNNER = CliRunner()
TINY = ("--requests", "120", "--replicas", "1")
NO_BOUND = (*TINY, "--no-bound")
KEYS = {
    "spend_usd",
    "bound_usd",
    "buy_all_usd",
    "regret",
    "slo_attainment",
    "goodput",
    "local_utilization",
    "spilled_share",
    "held_p99_ms",
    "decisions_per_s",
    "cpu_us_per_decision",
    "seed",
}
OF_THE_CLOCK = ("decisions_per_s", "cpu_us_per_decision")


def simulate(*arguments: str) -> Result:
    done = RUNNER.invoke(app, ["simulate", *arguments])
    assert done.exit_code == 0, done.output
    return done


def told(*arguments: str) -> Any:
    found = json.loads(simulate(*arguments, "--json").stdout)
    for each in found if isinstance(found, list) else [found]:
        assert all(each.pop(name) > 0 for name in OF_THE_CLOCK)
    return found


def test_json_has_the_figures_and_nothing_else_is_on_stdout() -> None:
    done = simulate(*TINY, "--load", "2", "--json")
    figures = json.loads(done.stdout)
    assert set(figures) >= KEYS
    assert 0 <= figures["bound_usd"] <= figures["spend_usd"] <= figures["buy_all_usd"]
    assert figures["regret"] == pytest.approx(
        (figures["spend_usd"] - figures["bound_usd"])
        / (figures["buy_all_usd"] - figures["bound_usd"])
    )
    assert figures["experiment"]["load"] == 2
    assert "bid-price at load 2" in done.stderr
    assert "ask for more --requests" in done.stderr


def test_one_seed_gives_one_run_and_another_gives_another() -> None:
    first, second = (told(*NO_BOUND, "--load", "3", "--seed", "7") for _ in range(2))
    assert first == second
    assert first["seed"] == 7
    assert told(*NO_BOUND, "--load", "3", "--seed", "8")["buy_all_usd"] != first["buy_all_usd"]


def test_the_settings_of_a_file_reach_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "my.yaml"
    changed = "{ admission: { kv_headroom: 0.97 }, spill: { ageing_ms: 900 } }"
    file.write_text(SMALLEST.replace("user_config: {}", f"user_config: {changed}"))
    usual, narrow = told(*NO_BOUND), told(*NO_BOUND, "--config", str(file))
    assert narrow["spend_usd"] > usual["spend_usd"]
    changes = {"admission": {"kv_headroom": 0.97}, "spill": {"ageing_ms": 900}}
    assert narrow["experiment"]["settings"] == changes
    file.write_text(file.read_text().replace("ageing_ms", "aging_ms"))
    said = refusal(monkeypatch, capsys, "simulate", *NO_BOUND, "--config", str(file))
    assert "spill.aging_ms: is not known here; did you mean ageing_ms" in said


def test_options_reach_the_run() -> None:
    run = told(
        *NO_BOUND,
        *("--arrivals", "gamma", "--rate", "5", "--load", "2.5", "--ttft-ms", "4000"),
        *("--policy", "first-come", "--lengths", "told", "--pinned-share", "0.2"),
        *("--batch-share", "0.1", "--tenants", "3", "--warm-share", "0.5", "--scaling", "fold"),
        *("--laps", "2", "--offer", "out=2.3,in=0.58", "--offer", "out=8,id=dear"),
        *("--alternatives", "drawn"),
    )
    chosen = run["experiment"]
    assert run["policy"] == chosen["policy"] == "first-come"
    assert run["lengths"] == chosen["lengths"] == "told"
    assert run["load"] == pytest.approx(2.5, rel=0.1)
    assert run["bound_usd"] is None
    assert run["regret"] is None
    assert (chosen["arrivals"], chosen["rate_per_s"], chosen["scaling"]) == ("gamma", 5, "fold")
    assert (chosen["pinned_share"], chosen["batch_share"], chosen["warm_share"]) == (0.2, 0.1, 0.5)
    assert (chosen["ttft_ms"], chosen["tenants"], chosen["laps"]) == (4000, 3, 2)
    assert [offer["id"] for offer in chosen["offers"]] == ["out-2.3", "dear"]
    assert chosen["alternatives"] == "drawn"


def test_a_sweep_is_a_list_and_a_table() -> None:
    cells = told(*NO_BOUND, "--loads", "1,3", "--policies", "bid-price,first-come")
    assert [(c["experiment"]["load"], c["policy"]) for c in cells] == [
        (1, "bid-price"),
        (1, "first-come"),
        (3, "bid-price"),
        (3, "first-come"),
    ]
    shown = simulate(*NO_BOUND, "--policies", "all").stdout
    assert all(policy in shown for policy in POLICY_NAMES)
    assert "best-threshold at load 1.5 buys at once while" in shown
    assert "Regret: of what someone who knows the future" in shown
    assert len(told(*NO_BOUND, "--loads", "2")) == 1


def test_a_trace_is_told_by_its_name(tmp_path: Path) -> None:
    rows = [
        {"timestamp": 400 * n, "input_length": 700 + n, "output_length": 50, "hash_ids": [n // 9]}
        for n in range(40)
    ]
    trace = tmp_path / "trace.jsonl"
    trace.write_text("\n".join(map(json.dumps, rows)))
    arguments = ("--trace", str(trace), "--replicas", "1", "--no-bound", "--laps", "1")
    run = told(*arguments, "--prefixes", "trace")
    assert run["requests"] == len(rows)
    assert run["experiment"]["trace_format"] == "mooncake"
    assert run["experiment"]["scaling"] == "fold"
    assert run["prefix_hit_share"] > 0


def test_people_read_a_table_and_what_regret_means() -> None:
    shown = simulate(*TINY, "--load", "2").stdout
    assert "spend, USD" in shown
    assert "someone who knows the future could save" in shown
    assert "without the bound" in simulate(*NO_BOUND).stdout


def test_what_a_request_may_be_bought_from_is_said() -> None:
    plain = simulate(*NO_BOUND)
    assert (
        "Alternatives: 3 offers, 30 times apart; each request may be bought from one"
        in plain.stdout
    )
    assert "out-12.60: 3.15 in, 12.6 out (USD per M tokens)" in plain.stdout
    assert "warning" not in plain.stderr
    own = ("--offer", "out=2.25,in=0.45", "--offer", "groq/openai/gpt-oss-120b@2026-06-01,id=[b]")
    shown = simulate(*NO_BOUND, *own).stdout
    assert "each request may be bought from any of them" in shown
    assert "[b]: 0.15 in, 0.6 out (USD per M tokens)" in shown
    assert told(*NO_BOUND, *own)["experiment"]["alternatives"] == "any"


def test_a_budget_that_no_offer_can_keep_is_warned_of() -> None:
    done = simulate(*NO_BOUND, "--ttft-ms", "500", "--json")
    assert "warning: no offer answers within the TTFT budget of 500 ms" in done.stderr
    assert json.loads(done.stdout)["warnings"][0] in done.stderr
    assert told(*NO_BOUND)["warnings"] == []


def test_a_report_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = simulate(*NO_BOUND, "--json", "--report", str(page))
    assert json.loads(done.stdout)
    assert f"report in {page}" in done.stderr
    text = page.read_text()
    assert "<svg" in text
    assert "cores" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--trace", "absent.csv"), "give the path of a trace file"),
        (("--trace", "requests.txt"), "say azure or mooncake"),
        (("--trace", "t.csv", "--requests", "9"), "leave out --trace or them"),
        (("--trace", "t.csv", "--arrivals", "gamma"), "leave out one"),
        (("--profile", "abacus"), "known profiles: h200"),
        (("--policy", "clever"), "known policies: bid-price"),
        (("--policies", "bid-price,clever"), "known policies: bid-price"),
        (("--policy", "bid-price", "--policies", "all"), "give one of them"),
        (("--load", "0"), "load must be above 0"),
        (("--load", "nan"), "load must be above 0"),
        (("--load", "1", "--loads", "1,2"), "give one of them"),
        (("--loads", "1,,2"), "give numbers, as in"),
        (("--loads", "1,-2"), "load must be above 0"),
        (("--replicas", "0"), "replicas must be"),
        (("--laps", "many"), "or auto"),
        (("--laps", "99"), "laps must be 1 to"),
        (("--offer", "in=3"), "lacks out="),
        (("--offer", "deepinfra/moonshotai/Kimi-K2"), "did you mean deepinfra/moonshotai/"),
        (("--offer", "deepseek/deepseek-chat@2026-05-01"), "name a day, as in deepseek/"),
        (("--offer", "out=3", "--offer", "out=3"), "different names"),
        (("--report", "no/such/page.html"), "make the folder no/such first"),
        (("--report", "."), "give the path of a file"),
    ],
)
def test_what_makes_no_run_is_refused_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refusal(monkeypatch, capsys, "simulate", *arguments)


@pytest.mark.parametrize(
    "arguments", [("--lengths", "guessed"), ("--format", "xml"), ("--requests", "few")]
)
def test_a_word_that_is_none_of_the_choices(arguments: tuple[str, ...]) -> None:
    done = RUNNER.invoke(app, ["simulate", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert arguments[0] in done.stderr


def test_help_has_an_example_and_says_what_each_option_is() -> None:
    done = RUNNER.invoke(app, ["simulate", "--help"], env={"COLUMNS": "160"})
    assert done.exit_code == 0
    assert "Example: baseload simulate --trace" in done.stdout
    assert "--rule small+large,choose=cheapest" in done.stdout


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    code = (
        "import sys, cluster.cli.main; "
        "print({'scipy', 'numpy', 'matplotlib', 'ray', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"


WITHOUT_BENCH = """
import sys
sys.modules.update(dict.fromkeys(("scipy", "polars", "matplotlib")))
"""


def without_bench(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A process in which the libraries of the extra cannot be imported."""
    command = [sys.executable, "-c", WITHOUT_BENCH + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_what_serves_needs_no_library_of_the_benchmarks() -> None:
    done = without_bench(
        "import cluster.application, cluster.run.ray_child, cluster.machine.haproxy\n"
        "import cluster.autoscaling, cluster.checks.check_config_file, runtime.standalone\n"
        "import runtime.engine.startup, models.planner\n"
        "from cluster.cli.main import main; main()",
        "check",
        "--help",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_without_the_library_a_command_says_what_to_install() -> None:
    done = without_bench(
        "from cluster.cli.main import main; main()", "simulate", "--requests", "10"
    )
    assert done.returncode == 2
    assert "requirements/bench.lock" in done.stderr
    assert "Traceback" not in done.stderr
