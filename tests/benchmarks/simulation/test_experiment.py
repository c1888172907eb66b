"""Experiments: the same choices give the same figures, and bad ones say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks.pages import UNKNOWN
from benchmarks.simulation.alternatives import BOUND_NOT_FOUND
from benchmarks.simulation.experiment import (
    HORIZON_S_MIN,
    LAPS_MAX,
    BadExperiment,
    Experiment,
    prepare,
)
from benchmarks.simulation.figures import FIGURES, regret_in_words
from benchmarks.simulation.simulator import OnProgress
from benchmarks.simulation.sweep import TRIALS_MAX, sweep
from scheduler.settings import Settings

SMALL = Experiment(requests=300, replicas=1)
GAP_S = 0.25


def azure_file(folder: Path, rows: int) -> Path:
    start = datetime(2024, 1, 1)
    lines = [
        f"{start + timedelta(seconds=row * GAP_S)},{800 + 7 * row % 300},{40 + row % 90}"
        for row in range(rows)
    ]
    path = folder / "trace.csv"
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(lines) + "\n")
    return path


def test_what_is_open_is_settled() -> None:
    plain = prepare(SMALL).experiment
    assert (plain.arrivals, plain.rate_per_s, plain.scaling, plain.laps) == (
        "poisson",
        10.0,
        "compress",
        1,
    )
    day = prepare(replace(SMALL, arrivals="diurnal")).experiment
    assert day.rate_per_s == pytest.approx(300 / 86_400)


def test_a_short_trace_is_played_until_the_run_is_long(tmp_path: Path) -> None:
    trace = Experiment(trace=azure_file(tmp_path, 800), replicas=1, load=1.0)
    once, auto = prepare(replace(trace, laps=1)), prepare(trace)
    assert (auto.experiment.trace_format, auto.experiment.scaling) == ("azure", "fold")
    laps = auto.experiment.laps or 0
    assert 1 < laps < LAPS_MAX
    assert len(auto.workload.requests) == laps * len(once.workload.requests)
    assert auto.workload.duration_s >= HORIZON_S_MIN > once.workload.duration_s
    first, second = auto.workload.requests[:800], auto.workload.requests[800:1600]
    assert [each.offer_ids for each in first] != [each.offer_ids for each in second]


def test_a_tiny_trace_is_not_played_for_ever(tmp_path: Path) -> None:
    tiny = prepare(Experiment(trace=azure_file(tmp_path, 20), replicas=1))
    assert tiny.experiment.laps == LAPS_MAX
    assert tiny.workload.duration_s < HORIZON_S_MIN


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"load": 0.0}, "load must be above 0"),
        ({"load": float("nan")}, "load must be above 0"),
        ({"replicas": 0}, "replicas must be 1 to"),
        ({"policy": "clever"}, "known policies: bid-price, first-come"),
        ({"lengths": "guessed"}, "use learned or told"),
        ({"laps": 0}, "laps must be 1 to"),
        ({"trace": Path("t.csv"), "arrivals": "poisson"}, "leave out one"),
        ({"trace": Path("t.txt")}, "say azure or mooncake"),
        ({"trace": Path("absent.csv")}, "give the path of a trace file"),
        ({"trace_format": "azure"}, "needs the trace"),
        ({"profile": "abacus"}, "known profiles: h200"),
        ({"prefixes": "trace"}, "use synthetic prefixes"),
        ({"pinned_share": 2.0}, "pinned share must be between 0 and 1"),
        ({"ttft_ms": 0}, "TTFT budget must be at least 1"),
        ({"requests": 1}, "at least two requests"),
        ({"tenants": 0}, "there must be 1 to"),
        ({"offers": ()}, "needs offers"),
    ],
)
def test_choices_that_make_no_run_are_refused(choices: dict[str, Any], says: str) -> None:
    with pytest.raises(BadExperiment, match=says):
        prepare(replace(SMALL, **choices))


def test_a_sweep_runs_each_policy_on_the_same_requests_with_one_bound() -> None:
    entered: list[tuple[str, float | None]] = []
    heard: list[float] = []

    @contextmanager
    def stage(name: str, total_s: float | None) -> Iterator[OnProgress]:
        entered.append((name, total_s))
        yield heard.append

    trials = sweep(SMALL, [1.5, 3.0], ["bid-price", "first-come"], stage=stage)
    assert [(t.experiment.load, t.experiment.policy) for t in trials] == [
        (1.5, "bid-price"),
        (1.5, "first-come"),
        (3.0, "bid-price"),
        (3.0, "first-come"),
    ]
    assert [name for name, _ in entered][:4] == [
        "requests at load 1.5",
        "bound at load 1.5",
        "bid-price at load 1.5",
        "first-come at load 1.5",
    ]
    assert entered[2][1] == pytest.approx(trials[0].outcome.duration_s)
    assert max(heard) <= 1.0
    for one, other in (trials[:2], trials[2:]):
        assert one.outcome.policy == "bid-price"
        assert other.outcome.policy == "first-come"
        assert one.outcome.buy_all_usd == other.outcome.buy_all_usd
        assert one.outcome.bound_usd == other.outcome.bound_usd
        assert 0 <= (one.outcome.bound_usd or 0) <= one.outcome.spend_usd
        assert (one.outcome.regret or 0) < (other.outcome.regret or 0)


def test_a_sweep_has_an_end() -> None:
    with pytest.raises(BadExperiment, match=f"at most {TRIALS_MAX}"):
        sweep(SMALL, [0.5 + step / 1000 for step in range(TRIALS_MAX + 1)])


def test_a_bound_of_too_many_requests_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.simulation.clairvoyant_bound.REQUESTS_MAX", 100)
    with pytest.raises(BadExperiment, match="leave the bound out"):
        sweep(SMALL)


def test_a_bound_that_is_not_found_is_unknown_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = sweep(replace(SMALL, load=3.0))
    assert found.as_json()["warnings"] == []
    monkeypatch.setattr("benchmarks.simulation.linear_program.SOLVER_S_MAX", 1e-6)
    (trial,) = sweep(replace(SMALL, load=3.0))
    assert trial.outcome.bound_usd is trial.outcome.regret is None
    assert trial.as_json()["warnings"] == [BOUND_NOT_FOUND]


def test_regret_in_words_and_figures_without_a_bound() -> None:
    outcome = sweep(SMALL, with_bound=False)[0].outcome
    assert "without the bound" in regret_in_words(outcome)
    shown = {figure.key: figure.of(outcome) for figure in FIGURES}
    assert shown["regret"] == shown["bound_usd"] == UNKNOWN
    bounded = replace(outcome, bound_usd=1.0, buy_all_usd=11.0, spend_usd=2.0, regret=0.1)
    assert "could save 10.0000 USD" in regret_in_words(bounded)
    assert "10.0% of that was not saved" in regret_in_words(bounded)
    assert "no more than the bound" in regret_in_words(replace(bounded, regret=None))


def test_settings_of_the_scheduler_are_a_choice() -> None:
    """Where replicas are hardly filled, more is bought."""
    settings = Settings.model_validate({"admission": {"kv_headroom": 0.97}})
    usual, narrow = (
        sweep(replace(SMALL, settings=each), with_bound=False)[0] for each in (Settings(), settings)
    )
    assert narrow.outcome.spend_usd > usual.outcome.spend_usd
    assert narrow.experiment.as_json()["settings"] == {"admission": {"kv_headroom": 0.97}}
    assert "settings" not in usual.experiment.as_json()


def test_an_experiment_as_json_holds_every_choice() -> None:
    told = prepare(SMALL).experiment.as_json()
    assert told["seed"] == 1
    assert told["arrivals"] == "poisson"
    offers = told["offers"]
    assert isinstance(offers, list)
    assert [offer["output_usd_per_mtok"] for offer in offers] == [0.42, 2.3, 12.6]
    assert offers[0]["cached_input_usd_per_mtok"] == 0.0105
