"""`baseload simulate` with several pools and rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.reference.config_example import SMALLEST
from tests.cluster.cli.simulate.test_command import NO_BOUND, TINY, simulate, told
from tests.cluster.refusal import refusal

POOLS = (
    *("--pool", "small,replicas=1", "--pool", "large,replicas=2", "--load", "2"),
    *("--offer", "out=0.42,model=small", "--offer", "out=2.30,model=large"),
)


def test_several_pools_are_played_by_rules_and_told_by_model() -> None:
    rules = ("--rule", "small+large,choose=cheapest,share=0.8", "--rule", "large,share=0.2")
    run = told(*TINY, *POOLS, *rules)
    assert set(run["models"]) == {"small", "large"}
    assert sum(each["asked"] for each in run["models"].values()) == run["requests"] == 120
    assert [pool["replicas"] for pool in run["experiment"]["pools"]] == [1, 2]
    assert 0 <= run["bound_usd"] <= run["spend_usd"]
    shown = simulate(*NO_BOUND, *POOLS, *rules).stdout
    assert "as a substitute" in shown
    assert "80% follow small+large: small, large (overload), the cheapest first." in shown
    assert "20% ask for large by its name." in shown
    assert "sells small" in shown


def test_a_rule_of_a_file_is_played(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    rule = "{ candidates: [small, { model: large, substitute: failure }] }"
    changed = f"{{ rules: {{ sum: {rule} }} }}"
    file.write_text(SMALLEST.replace("user_config: {}", f"user_config: {changed}"))
    run = told(*NO_BOUND, *POOLS, "--config", str(file), "--rule", "sum")
    (played,) = run["experiment"]["rules"]
    assert played["name"] == "sum"
    assert [each["substitute"] for each in played["candidates"]] == ["overload", "failure"]
    assert run["models"]["small"]["asked"] == 120
    assert sum(each["substituted"] for each in run["models"].values()) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--pool", "replicas=2"), "write it as in small,replicas=2"),
        (("--pool", "a", "--pool", "b"), "says which model it sells"),
        (("--rule", "a+b"), "a rule needs pools"),
        (("--rule", "a+a"), "write it as in small+large"),
    ],
)
def test_pools_that_make_no_run_are_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    assert says in refusal(monkeypatch, capsys, "simulate", *arguments)
