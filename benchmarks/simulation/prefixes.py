"""Shared prompt prefixes: which requests start with the same blocks, and what a cache can save.

A block hash stands for the whole prefix that ends with its block, so two prompts share as many
tokens as their block tuples agree on from the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from math import inf
from random import Random
from typing import Protocol

from benchmarks.simulation.traces import TraceRow

# Blocks are about a sixteenth of a prompt: fine enough to tell prefixes apart, and few.
BLOCK_TOKENS = 64
BLOCK_TOKENS_MAX = 512
BLOCKS_PER_PROMPT = 16
PREFIX_GROUPS = 32

# A million tokens: a group prefix is half of a prompt, and traces may hold absurd ones.
PREFIX_BLOCKS_MAX = 1 << 14


class Prompt(Protocol):
    """What a prefix cache sees of a request."""

    @property
    def prompt_tokens(self) -> int: ...

    @property
    def blocks(self) -> tuple[int, ...]: ...


class TimedPrompt(Prompt, Protocol):
    @property
    def at_s(self) -> float: ...


def fitting_block_tokens(rows: Sequence[TraceRow]) -> int:
    """A power of two near a sixteenth of the mean prompt, within the usual sizes of blocks."""
    share = sum(row.prompt_tokens for row in rows) / len(rows) / BLOCKS_PER_PROMPT
    tokens = BLOCK_TOKENS
    while 2 * tokens <= min(share, BLOCK_TOKENS_MAX):
        tokens *= 2
    return tokens


def synthetic_blocks(
    rows: Sequence[TraceRow], warm_share: float, groups: int, seed: int, block_tokens: int
) -> list[tuple[int, ...]]:
    """The leading blocks of each row: those of its group up to half its prompt, or none.

    A group stands for one application with its own system prompt and documents. Its prefix is
    half of a prompt drawn from the longest tenth of the trace, so that its members share close to
    half of their own. Groups are drawn by 1/rank: a few are busy, the others still return.
    """
    grouper = Random(f"{seed}:groups")
    prompts = sorted(row.prompt_tokens for row in rows)
    longest = prompts[len(prompts) * 9 // 10 :]
    chains = [
        _chain(group, _half_blocks(grouper.choice(longest), block_tokens), seed)
        for group in range(groups)
    ]
    weights = [1 / rank for rank in range(1, groups + 1)]
    drawn = grouper.choices(chains, weights, k=len(rows))
    blocks: list[tuple[int, ...]] = [()] * len(rows)
    for index in _warm_rows(rows, warm_share, seed, block_tokens):
        blocks[index] = drawn[index][: _half_blocks(rows[index].prompt_tokens, block_tokens)]
    return blocks


def _warm_rows(rows: Sequence[TraceRow], share: float, seed: int, block_tokens: int) -> list[int]:
    """That share of all rows, from those whose half holds a block; a larger share adds to them."""
    able = [
        index for index, row in enumerate(rows) if _half_blocks(row.prompt_tokens, block_tokens)
    ]
    Random(f"{seed}:warm").shuffle(able)
    return able[: round(share * len(rows))]


def _half_blocks(prompt_tokens: int, block_tokens: int) -> int:
    return prompt_tokens // 2 // block_tokens


def warm_tokens(prompts: Iterable[Prompt], block_tokens: int) -> tuple[int, ...]:
    """What one cache that is shared by all and forgets nothing would save on each, in this order.

    At least one token is left: an engine needs one to produce the next.
    """
    seen: set[int] = set()
    warm = []
    for prompt in prompts:
        hits = 0
        for block in prompt.blocks:
            if block not in seen:
                break
            hits += 1
        seen.update(prompt.blocks)
        warm.append(min(hits * block_tokens, prompt.prompt_tokens - 1))
    return tuple(warm)


def warm_tokens_at_best(
    prompts: Sequence[TimedPrompt], by_s: Sequence[float], block_tokens: int
) -> tuple[int, ...]:
    """What such a cache can save on each in whatever order they are served, each until its time.

    ``warm_tokens`` holds in the order of arrival only: served later than a newcomer that shares
    its prefix, the first of a group is warm too.
    """
    first: dict[int, int] = {}
    second_s: dict[int, float] = {}
    for index, prompt in enumerate(prompts):
        for block in prompt.blocks:
            if first.setdefault(block, index) != index:
                second_s.setdefault(block, prompt.at_s)
    warm = []
    for index, prompt in enumerate(prompts):
        hits = 0
        for block in prompt.blocks:
            if first[block] == index and second_s.get(block, inf) > by_s[index]:
                break
            hits += 1
        warm.append(min(hits * block_tokens, prompt.prompt_tokens - 1))
    return tuple(warm)


def _chain(group: int, blocks: int, seed: int) -> tuple[int, ...]:
    blocks = min(blocks, PREFIX_BLOCKS_MAX)
    return tuple(_block_hash(f"{seed}:{group}:{index}") for index in range(blocks))


def _block_hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
