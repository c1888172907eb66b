"""The calibration file is read whole or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.data_file import BadDataFile, data_path
from models.speed.calibration import load_calibration
from models.speed.roofline import Engine

SHIPPED = data_path("calibration.yaml").read_text()


def test_the_shipped_file_has_efficiencies_below_one_and_vllm_as_the_measure() -> None:
    shipped = load_calibration()
    factors = shipped.factors
    for name in ("read_shared", "read_routed", "compute_shared", "compute_routed", "link"):
        assert 0.1 < getattr(factors, name) < 1
    assert 0 < factors.prompt_launches_felt < 1
    assert shipped.engines["vllm"] == Engine()
    assert shipped.band_share >= 0.8
    assert 0 < shipped.tpot_band_pct < 100


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("      hop_s:", "      hops:"), "factors missing or unknown: hop_s, hops"),
        (("        first_token_s:", "        first_s:"), "unknown: first_s"),
        (("      vllm: {}\n", ""), "no engine 'vllm'"),
        (("    tpot_band_pct:", "    band:"), "tpot_band_pct"),
        (("read_shared: 0", "read_shared: -0"), "greater than 0"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    change: tuple[str, str], told: str, tmp_path: Path
) -> None:
    broken = tmp_path / "calibration.yaml"
    assert change[0] in SHIPPED
    broken.write_text(SHIPPED.replace(*change))
    with pytest.raises(BadDataFile, match=told):
        load_calibration(broken)


def test_two_calibrations_are_one_too_many(tmp_path: Path) -> None:
    double = tmp_path / "calibration.yaml"
    double.write_text(SHIPPED + SHIPPED.partition("calibration:\n")[2])
    with pytest.raises(BadDataFile, match="2 calibrations"):
        load_calibration(double)
