from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.ledger.hash_chain import COLUMNS, GENESIS, link

values = st.lists(
    st.none() | st.integers(0, 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    min_size=len(COLUMNS),
    max_size=len(COLUMNS),
)


@settings(deadline=None)
@given(values, values)
def test_entries_share_a_hash_only_if_they_are_equal(
    one: list[int | str | None], other: list[int | str | None]
) -> None:
    assert (link(GENESIS, one) == link(GENESIS, other)) == (one == other)


@settings(deadline=None)
@given(values, st.integers(0, len(COLUMNS) - 1))
def test_each_column_counts(row: list[int | str | None], column: int) -> None:
    changed = [*row]
    changed[column] = f"not {row[column]}"
    assert link(GENESIS, changed) != link(GENESIS, row)


def test_the_hash_covers_the_one_before_it() -> None:
    row = [None] * len(COLUMNS)
    assert link(link(GENESIS, row), row) != link(GENESIS, row)


def test_the_encoding_is_fixed() -> None:
    """A changed encoding would make every existing ledger look tampered with."""
    row: list[int | str | None] = [1, "r-1", 1, "reserve", 1_750_000_000_000, "boot", "é\n汉"]
    row += [None] * (len(COLUMNS) - len(row))
    pinned = "9459d0dd337d6a1c025ab23c103973b0fd31f2d0c8b8336bdb06b16a818d3b96"
    assert link(GENESIS, row).hex() == pinned
