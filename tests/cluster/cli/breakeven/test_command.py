"""`baseload breakeven`: the answer on stdout, the rest on stderr, one line per refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cluster.cli.main import app
from runtime.errors import ConfigError
from tests.cluster.refusal import refusal

RUNNER = CliRunner()
OWN = ("--card-price", "2.0", "--cards", "64", "--theta", "1072")
PLAIN = (*OWN, "--api-in", "0.28", "--api-out", "0.42", "--input-per-output", "2")
BOOK = "deepseek/deepseek-chat@2025-09-29"
IDS = [
    *("h800_cost_per_mtok", "breakeven_tokens_per_month", "tiered_bill"),
    *("blended_mix", "hybrid_saving"),
]


def breakeven(*arguments: str, status: int = 0) -> Result:
    done = RUNNER.invoke(app, ["breakeven", *arguments])
    assert done.exit_code == status, done.output
    return done


def told(*arguments: str) -> Any:
    return json.loads(breakeven(*arguments, "--json").stdout)


def trace(tmp_path: Path, tail: str = "") -> Path:
    path = tmp_path / "trace.csv"
    rows = [f"2023-11-16 18:{minute:02d}:00.0000000,100,50\n" for minute in range(30)]
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(rows) + tail)
    return path


def test_the_plain_use() -> None:
    found = told(*PLAIN, "--cache-hit", "0")
    assert found["break_even_utilization"] == pytest.approx(0.5288, rel=1e-3)
    assert found["break_even_mtok_per_month"] == pytest.approx(95_347, rel=1e-4)
    assert found["verdict"] == "breaks_even"
    assert found["inputs"]["cards_per_replica"] == 8
    assert found["inputs"]["mean_to_peak"] == 1
    assert set(found["bands"]) == {"break_even_utilization", "bills_meet_at_mtok_per_month"}


def test_never() -> None:
    dear = ("--card-price", "4.0", "--cards", "8", "--theta", "1072")
    found = told(*dear, *PLAIN[len(OWN) :])
    assert found["verdict"] == "never"
    assert found["break_even_utilization"] > 1
    assert found["break_even_mtok_per_month"] is None
    assert found["needed"]["card_usd_per_hour_at_most"] == pytest.approx(3.782, abs=1e-3)


def test_options_reach_the_arithmetic() -> None:
    found = told(
        *("--card-price", "rent=2,staff=0.1", "--cards", "16", "--theta", "1072"),
        *("--cards-per-replica", "4", "--fixed-usd-per-month", "1000", "--api", BOOK),
        *("--input-per-output", "3.62", "--cache-hit", "0.563", "--demand", "day"),
        *("--mean-to-peak", "0.5", "--mtok-per-month", "20000"),
    )
    inputs = found["inputs"]
    assert inputs["card_usd_per_hour_parts"] == {"rent": 2.0, "staff": 0.1}
    assert (inputs["cards"], inputs["cards_per_replica"]) == (16, 4)
    assert inputs["fixed_usd_per_month"] == 1000
    assert (inputs["demand"], inputs["demand_mtok_per_month"]) == ("day", pytest.approx(20_000))
    assert inputs["mean_to_peak"] == pytest.approx(0.5)
    assert found["value_usd_per_mtok_output"] == pytest.approx(0.92, abs=0.001)
    assert found["price"]["effective_to"] == "2026-04-24"
    assert found["monthly_bills"]["hybrid"]["cards"] % 4 == 0


def test_several_apis_are_answered_in_order() -> None:
    found = told(*PLAIN, "--api", BOOK, "--api", "zai/glm-5@2026-02-11")
    assert [each["api"] for each in found["apis"]] == [
        "given 0.28/0.42",
        BOOK,
        "zai/glm-5@2026-02-11",
    ]


def test_a_mean_to_peak_makes_a_day() -> None:
    assert told(*PLAIN, "--mean-to-peak", "0.4")["inputs"]["demand"] == "day"
    assert told(*PLAIN, "--demand", "day")["inputs"]["mean_to_peak"] == pytest.approx(0.816)
    assert told(*PLAIN, "--demand", "flat", "--mean-to-peak", "1")["inputs"]["demand"] == "flat"


def test_a_trace_brings_its_mix_and_its_volume(tmp_path: Path) -> None:
    path = trace(tmp_path)
    found = told(*OWN, "--api", BOOK, "--demand", "trace", "--trace", str(path))
    assert found["inputs"]["input_per_output"] == 2
    mean_tok_s = 30 * 50 / (29 * 60)
    assert found["inputs"]["demand_mtok_per_month"] == pytest.approx(mean_tok_s * 2.628)
    assert found == told(*OWN, "--api", BOOK, "--trace", str(path))


def test_of_a_trace_that_breaks_off_the_result_is_kept(tmp_path: Path) -> None:
    done = breakeven(
        *(*OWN, "--api", BOOK, "--trace", str(trace(tmp_path, "2023-11")), "--json"), status=1
    )
    found = json.loads(done.stdout)
    assert found["break_even_utilization"] > 0
    assert "line 32" in found["inputs"]["demand_damage"]
    assert "cut short" in done.stderr


def test_theta_comes_from_a_plan(tmp_path: Path) -> None:
    plan = {
        "cards": 16,
        "input_tokens": 2000,
        "output_tokens": 1000,
        "chosen": {"replicas": 1, "out_tok_s_per_card": 1072, "band_pct": 10},
    }
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan))
    own = ("--card-price", "2", "--cards", "64", "--theta", str(path))
    found = told(*own, "--api-in", "0.28", "--api-out", "0.42")
    assert found["break_even_utilization"] == pytest.approx(0.5288, rel=1e-3)
    assert found["inputs"]["cards_per_replica"] == 16
    assert found["inputs"]["theta_source"] == f"{path}, a plan"
    theta = next(bar for bar in found["sensitivity"] if bar["input"] == "theta")
    assert (theta["low"], theta["high"]) == pytest.approx((964.8, 1179.2))
    other = told(*own, "--api-in", "0.28", "--api-out", "0.42", "--input-per-output", "9")
    assert "found at 2 input tokens" in other["inputs"]["theta_source"]


def test_people_read_sentences_and_tables() -> None:
    shown = breakeven(*PLAIN, "--demand", "day", "--mean-to-peak", "0.5").stdout
    for part in ("64 cards at $2.00", "U*", "53 %", "26 to 106 %", "Cheapest for this demand"):
        assert part in shown


def test_a_report_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = breakeven(*PLAIN, "--json", "--report", str(page))
    assert json.loads(done.stdout)
    assert f"report in {page}" in done.stderr
    assert page.read_text().count("<svg") == 3


def test_claims_are_a_list_with_the_names_that_were_agreed(tmp_path: Path) -> None:
    page = tmp_path / "claims.html"
    found = told("--claims", "--report", str(page))
    assert [each["id"] for each in found] == IDS
    for each in found:
        assert set(each) == {"id", "published", "computed", "unit", "verdict", "condition"}
        assert each["verdict"] in {"holds", "holds_if", "does_not_hold"}
    assert all(claim_id in page.read_text() for claim_id in IDS)


def test_people_read_the_claims_with_their_inputs_and_the_anchors() -> None:
    shown = breakeven("--claims").stdout
    for part in ("computed 47,220", "730 · N · C / V", "DeepSeek open-infra day 6", "562027"):
        assert part in shown
    assert " NO " not in shown


def test_a_billion_dollars_does_not_overflow() -> None:
    huge = ("--card-price", "1000000", "--cards", "1000000", "--theta", "0.001")
    assert told(*huge, *PLAIN[len(OWN) :])["verdict"] == "never"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--theta is missing: output tok/s of one card"),
        (("--theta", "1072"), "--card-price is missing: what a card costs"),
        (("--theta", "1072", "--card-price", "2"), "--cards is missing"),
        (OWN, "--input-per-output is missing"),
        ((*OWN, "--input-per-output", "2"), "give --api-in and --api-out, or --api ID"),
        ((*OWN, "--input-per-output", "2", "--api-in", "1"), "output price is missing"),
        ((*OWN, "--input-per-output", "2", "--api-out", "1"), "input price is missing"),
        ((*PLAIN, "--api-cached", "1"), "are they swapped"),
        ((*PLAIN, "--api", "acme/gpt"), "no price 'acme/gpt' in the book; there are"),
        ((*PLAIN, "--api-in", "-1"), "API input price: USD per M tokens must be between"),
        ((*PLAIN, "--card-price", "-2"), "card price, rent: USD per hour must be between"),
        ((*PLAIN, "--card-price", "0"), "costs nothing"),
        ((*PLAIN, "--theta", "0"), "theta 0: must be above 0"),
        ((*PLAIN, "--theta", "absent.json"), "cannot be read"),
        ((*PLAIN, "--cards", "0"), "cards 0: must be"),
        ((*PLAIN, "--cards-per-replica", "0"), "cards per replica 0: must be"),
        ((*PLAIN, "--cards-per-replica", "7"), "no whole number of replicas"),
        ((*PLAIN, "--fixed-usd-per-month", "-5"), "cannot be negative"),
        ((*PLAIN, "--cache-hit", "1.5"), "must be a share from 0 to 1"),
        ((*PLAIN, "--input-per-output", "-2"), "cannot be negative"),
        ((*PLAIN, "--mtok-per-month", "0"), "must be above 0"),
        ((*PLAIN, "--mean-to-peak", "0"), "mean to peak 0: must be above 0"),
        ((*PLAIN, "--demand", "flat", "--mean-to-peak", "0.5"), "use --demand day"),
        ((*PLAIN, "--demand", "trace"), "belong together"),
        ((*PLAIN, "--demand", "day", "--trace", "t.csv"), "belong together"),
        ((*PLAIN, "--trace", "t.csv", "--mean-to-peak", "0.5"), "leave one of them out"),
        ((*PLAIN, "--trace", "absent.csv"), "cannot be read"),
        ((*PLAIN, "--report", "no/such/page.html"), "make the folder no/such first"),
        (("--claims", "--report", "."), "give the path of a file"),
    ],
)
def test_what_has_no_answer_is_refused_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refusal(monkeypatch, capsys, "breakeven", *arguments)


def test_help_has_an_example() -> None:
    done = RUNNER.invoke(app, ["breakeven", "--help"], env={"COLUMNS": "160"})
    assert done.exit_code == 0
    assert "Example: baseload breakeven --card-price 2.0 --cards 64" in done.stdout


def test_theta_of_one_model_beside_the_price_of_another_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps({"theta_out_tok_s_per_card": 900, "model": "tiny-moe"}))
    asked = ("--card-price", "2.0", "--cards", "8", "--theta", str(path), "--input-per-output", "2")
    done = RUNNER.invoke(app, ["breakeven", *asked, "--api", BOOK])
    assert isinstance(done.exception, ConfigError)
    assert "theta is of tiny-moe" in str(done.exception)
    assert "--anyway" in str(done.exception)
    assert told(*asked, "--api", BOOK, "--anyway")
    assert told(*asked, "--api-in", "0.28", "--api-out", "0.42")  # the caller knows of what
    path.write_text(json.dumps({"theta_out_tok_s_per_card": 900, "model": "DeepSeek-Chat"}))
    assert told(*asked, "--api", BOOK)
