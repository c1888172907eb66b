from __future__ import annotations

import pytest

from benchmarks.simulation.faults import Death, Faults


@pytest.mark.parametrize(
    "death", [Death(-1, 0.0), Death(0, -1.0), Death(0, float("nan")), Death(0, 1.0, -1.0)]
)
def test_what_cannot_happen_is_refused(death: Death) -> None:
    with pytest.raises(ValueError, match="cannot happen"):
        Faults(deaths=(death,))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_one(share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Faults(offer_failure_share=share)
