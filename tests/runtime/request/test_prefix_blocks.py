from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runtime.request.prefix_blocks import BLOCK_BYTES, BLOCKS_MAX, prefix_blocks

RUNS = st.builds(str.__mul__, st.text(min_size=1, max_size=4), st.integers(0, BLOCK_BYTES))
TEXTS = st.lists(RUNS, max_size=5)


def shared(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Leading blocks that both have."""
    equal = [a == b for a, b in zip(one, other, strict=False)]
    return equal.index(False) if False in equal else len(equal)


def test_a_block_is_hashed_when_it_is_full() -> None:
    sizes = (0, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES - 1, 2 * BLOCK_BYTES)
    assert [len(prefix_blocks("t", ["x" * size])) for size in sizes] == [0, 0, 1, 1, 2]


def test_a_short_system_prompt_fills_a_block() -> None:
    one, other = (prefix_blocks("t", ["m", "system", "s" * 1_000, "user", q]) for q in "ab")
    assert len(one) >= 1
    assert one == other


def test_bytes_count_not_characters() -> None:
    assert len(prefix_blocks("t", ["长" * BLOCK_BYTES])) == 3


def test_equal_blocks_in_other_places_have_other_hashes() -> None:
    blocks = prefix_blocks("t", ["x" * 4 * BLOCK_BYTES])
    assert len(set(blocks)) == 4


@given(TEXTS, TEXTS, TEXTS)
def test_hashes_are_equal_exactly_as_far_as_the_bytes_are(
    common: list[str], one: list[str], other: list[str]
) -> None:
    a, b = ("\0".join(parts).encode() for parts in (common + one, common + other))
    alike = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    found = shared(prefix_blocks("t", common + one), prefix_blocks("t", common + other))
    assert found == min(min(alike, len(a), len(b)) // BLOCK_BYTES, BLOCKS_MAX)


@given(TEXTS, RUNS)
def test_a_prompt_that_goes_on_keeps_its_blocks(parts: list[str], more: str) -> None:
    blocks = prefix_blocks("t", parts)
    longer = prefix_blocks("t", [*parts, more])
    extended = prefix_blocks("t", [*parts[:-1], parts[-1] + more] if parts else [more])
    assert longer[: len(blocks)] == extended[: len(blocks)] == blocks


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_block_is_equal_across_tenants(one: str, other: str) -> None:
    prompt = ["x" * 2 * BLOCK_BYTES]
    if one != other:
        assert not set(prefix_blocks(one, prompt)) & set(prefix_blocks(other, prompt))


def test_a_tenant_does_not_run_into_its_prompt() -> None:
    block = "x" * BLOCK_BYTES
    assert prefix_blocks("t" + block, [block])[0] != prefix_blocks("t", [block + block])[1]


def test_parts_do_not_run_into_each_other() -> None:
    rest = "x" * BLOCK_BYTES
    assert prefix_blocks("t", ["ab", "c" + rest]) != prefix_blocks("t", ["a", "bc" + rest])


def test_hashes_fit_63_bits() -> None:
    blocks = prefix_blocks("t", ["x" * BLOCKS_MAX * BLOCK_BYTES])
    assert all(0 <= block < 2**63 for block in blocks)
    assert max(blocks) >= 2**60


def test_a_long_prompt_is_not_read_to_its_end() -> None:
    drawn = 0

    def parts() -> Iterator[str]:
        nonlocal drawn
        while True:
            drawn += 1
            yield "x" * BLOCK_BYTES

    assert len(prefix_blocks("t", parts())) == BLOCKS_MAX
    assert drawn == BLOCKS_MAX
    assert len(prefix_blocks("t", ["长" * BLOCKS_MAX * BLOCK_BYTES])) == BLOCKS_MAX


def test_empty_parts_without_end_do_not_hang() -> None:
    def parts() -> Iterator[str]:
        while True:
            yield ""

    assert len(prefix_blocks("t", parts())) == BLOCKS_MAX - 1


def test_every_process_hashes_alike() -> None:
    code = (
        "from runtime.request.prefix_blocks import prefix_blocks as p; print(p('t', ['x' * 1_024]))"
    )
    root = Path(__file__).resolve().parents[3]
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == str(prefix_blocks("t", ["x" * 1_024]))
