from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation.prefixes import BLOCK_TOKENS, synthetic_blocks, warm_tokens
from benchmarks.simulation.traces import TraceRow

PROMPTS = st.lists(st.integers(1, 5_000), min_size=1, max_size=60)


def rows_of(prompts: list[int]) -> list[TraceRow]:
    return [TraceRow(float(index), tokens, 1, ()) for index, tokens in enumerate(prompts)]


@given(PROMPTS, st.floats(0, 1), st.integers(1, 5), st.integers())
def test_blocks_are_chains_of_at_most_half_a_prompt(
    prompts: list[int], share: float, groups: int, seed: int
) -> None:
    blocks = synthetic_blocks(rows_of(prompts), share, groups, seed, BLOCK_TOKENS)
    assert blocks == synthetic_blocks(rows_of(prompts), share, groups, seed, BLOCK_TOKENS)
    before: dict[int, tuple[int, ...]] = {}
    for tokens, chain in zip(prompts, blocks, strict=True):
        assert len(chain) * BLOCK_TOKENS <= tokens / 2
        for index, block in enumerate(chain):
            assert before.setdefault(block, chain[:index]) == chain[:index]
    assert len({chain[0] for chain in blocks if chain}) <= groups
    assert sum(map(bool, blocks)) <= round(share * len(prompts))


def test_the_share_of_all_rows_is_warm_with_close_to_half_of_its_prompt() -> None:
    random = Random(1)
    rows = rows_of([max(1, round(random.lognormvariate(7, 1))) for _ in range(6_000)])
    blocks = synthetic_blocks(rows, 1 / 3, 32, 1, BLOCK_TOKENS)
    assert sum(map(bool, blocks)) == 2_000
    shared = [
        TraceRow(row.at_s, row.prompt_tokens, 1, chain)
        for row, chain in zip(rows, blocks, strict=True)
    ]
    warm = warm_tokens(shared, BLOCK_TOKENS)
    assert sum(tokens > 0 for tokens in warm) > 1_950
    prompts = sum(row.prompt_tokens for row in shared if row.blocks)
    assert 0.4 < sum(warm) / prompts < 0.5


def test_a_larger_share_adds_rows_and_changes_no_other() -> None:
    rows = rows_of([500] * 200)
    fewer, more = (synthetic_blocks(rows, share, 8, 1, BLOCK_TOKENS) for share in (0.2, 0.6))
    assert all(after == before for before, after in zip(fewer, more, strict=True) if before)


def test_groups_are_of_unequal_size() -> None:
    heads = [
        chain[0] for chain in synthetic_blocks(rows_of([500] * 3_000), 1.0, 8, 1, BLOCK_TOKENS)
    ]
    sizes = sorted(heads.count(head) for head in set(heads))
    assert len(sizes) == 8
    assert sizes[-1] > 4 * sizes[0]


def test_warm_tokens_are_the_leading_blocks_that_came_before() -> None:
    prompts = [
        TraceRow(0, 100, 1, (1, 2)),
        TraceRow(1, 100, 1, (1, 2, 3)),
        TraceRow(2, 100, 1, (1, 9, 3)),
        TraceRow(3, 30, 1, (1, 2, 3)),
        TraceRow(4, 100, 1, ()),
    ]
    assert warm_tokens(prompts, block_tokens=10) == (0, 20, 10, 29, 0)


@given(PROMPTS, st.integers())
def test_each_block_is_prefilled_once_in_whatever_order(prompts: list[int], seed: int) -> None:
    rows = rows_of(prompts)
    blocks = synthetic_blocks(rows, 1.0, 3, seed, BLOCK_TOKENS)
    shared = [
        TraceRow(row.at_s, row.prompt_tokens, 1, chain)
        for row, chain in zip(rows, blocks, strict=True)
    ]
    total = sum(warm_tokens(shared, BLOCK_TOKENS))
    distinct = len({block for chain in blocks for block in chain})
    assert total == (sum(map(len, blocks)) - distinct) * BLOCK_TOKENS
    Random(seed).shuffle(shared)
    assert sum(warm_tokens(shared, BLOCK_TOKENS)) == pytest.approx(total)
