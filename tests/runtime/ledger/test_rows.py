from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from runtime.ledger.rows import INT_MAX, TEXT_BYTES_MAX
from tests.runtime.ledger.samples import reserve, settle


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"cost_nano_usd": -1}, ValueError),
        ({"cost_nano_usd": INT_MAX + 1}, ValueError),
        ({"cost_nano_usd": 0.5}, TypeError),
        ({"cost_nano_usd": True}, TypeError),
        ({"cost_nano_usd": None}, TypeError),
        ({"derivation": "x" * (TEXT_BYTES_MAX + 1)}, ValueError),
        ({"derivation": "汉" * (TEXT_BYTES_MAX // 3 + 1)}, ValueError),
        ({"outcome": "\ud800"}, ValueError),
        ({"outcome": 7}, TypeError),
    ],
)
def test_a_row_that_the_store_could_not_hold_is_refused(
    facts: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        settle("r", **facts)


def test_what_nobody_knows_is_none_and_the_largest_amounts_fit() -> None:
    row = settle("r", prompt_tokens=None, ttft_ms=None, cost_nano_usd=INT_MAX)
    assert (row.prompt_tokens, row.cost_nano_usd) == (None, INT_MAX)
    assert reserve("r", bound_nano_usd=None).bound_nano_usd is None


def test_rows_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        settle("r").cost_nano_usd = 0  # type: ignore[misc]
