from __future__ import annotations

from collections import defaultdict
from math import nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.learned.prefix_trust import LAG_REPORTS, WINDOW_TOKENS
from scheduler.pool.prefix_index import (
    BLOCK_HOLDERS_MAX,
    REQUEST_BLOCKS_MAX,
    PrefixIndex,
    PrefixLimit,
)

REPLICAS = [f"r{n}" for n in range(6)]


def chain(path: list[int]) -> tuple[int, ...]:
    """Blocks of a prompt that consists of these digits: a block stands for all up to it."""
    return tuple(int("1" + "".join(map(str, path[: n + 1]))) for n in range(len(path)))


def distinct(prompt: int, blocks: int = 20) -> tuple[int, ...]:
    return tuple(prompt * 1_000 + n for n in range(blocks))


PROMPTS = st.lists(st.integers(0, 2), max_size=6).map(chain)
# To a replica: a prompt that is sent, room for blocks with which it boots, or that it leaves.
Event = tuple[str, tuple[int, ...] | int | None]
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(REPLICAS),
        st.one_of(PROMPTS, PROMPTS, PROMPTS, st.integers(0, 12), st.none()),
    ),
    max_size=80,
)


class Model:
    """The same rules over plain lists, oldest first, without a thought for speed."""

    def __init__(self, holders_max: int, blocks_max: int) -> None:
        self.holders_max, self.blocks_max = holders_max, blocks_max
        self.bounds: dict[str, int] = {}
        self.held: dict[str, list[int]] = {}
        self.holders: dict[int, list[str]] = defaultdict(list)

    def join(self, replica_id: str, blocks_max: int) -> None:
        self.forget(replica_id)
        self.bounds[replica_id], self.held[replica_id] = blocks_max, []
        self.evict()

    def forget(self, replica_id: str) -> None:
        for block in self.held.pop(replica_id, []):
            self.unlist(replica_id, block)

    def sent(self, replica_id: str, blocks: tuple[int, ...]) -> None:
        held = self.held[replica_id]
        for block in reversed(blocks):
            if block in held:
                held.remove(block)
            held.append(block)
            self.unlist(replica_id, block)
            self.holders[block] = [*self.holders[block], replica_id][-self.holders_max :]
        self.evict()

    def evict(self) -> None:
        for replica_id, held in self.held.items():
            while len(held) > min(self.bounds[replica_id], self.blocks_max // len(self.held)):
                self.unlist(replica_id, held.pop(0))

    def unlist(self, replica_id: str, block: int) -> None:
        if replica_id in self.holders[block]:
            self.holders[block].remove(replica_id)

    def hit_blocks(self, replica_id: str, blocks: tuple[int, ...]) -> int:
        held = self.held.get(replica_id, [])
        return next((n for n, block in enumerate(blocks) if block not in held), len(blocks))

    def hits(self, blocks: tuple[int, ...]) -> dict[str, int]:
        depths = {
            each: n + 1 for n, block in enumerate(blocks) for each in self.holders.get(block, [])
        }
        return {replica_id: depths[replica_id] for replica_id in sorted(depths)}


@settings(max_examples=300)
@given(EVENTS, st.lists(PROMPTS, min_size=1, max_size=5), st.integers(1, 6), st.integers(6, 40))
def test_it_answers_as_a_naive_model_and_keeps_its_bounds(
    events: list[Event],
    asked: list[tuple[int, ...]],
    holders_max: int,
    blocks_max: int,
) -> None:
    index = PrefixIndex(holders_max=holders_max, blocks_max=blocks_max)
    model = Model(holders_max, blocks_max)
    for replica_id, value in [(each, 12) for each in REPLICAS] + events:
        if isinstance(value, tuple):
            if replica_id in model.held:
                index.sent(replica_id, value, 0)
                model.sent(replica_id, value)
        elif value is not None:
            index.join(replica_id, value)
            model.join(replica_id, value)
        else:
            index.forget(replica_id)
            model.forget(replica_id)
        assert len(index) == sum(map(len, model.held.values())) <= blocks_max
        assert index._holders == {b: tuple(r) for b, r in model.holders.items() if r}
    for blocks in asked:
        hits = index.hits(blocks)
        assert hits == model.hits(blocks)
        for replica_id in REPLICAS:
            exact = model.hit_blocks(replica_id, blocks)
            assert index.hit_blocks(replica_id, blocks) == exact >= hits.get(replica_id, 0)
            if holders_max == len(REPLICAS):
                assert hits.get(replica_id, 0) == exact


@given(EVENTS)
def test_forgetting_every_replica_leaves_nothing(
    events: list[Event],
) -> None:
    index = PrefixIndex(holders_max=2)
    for replica_id in REPLICAS:
        index.join(replica_id, 20)
    for replica_id, value in events:
        if isinstance(value, tuple):
            index.sent(replica_id, value, 1)
    for replica_id in REPLICAS:
        index.forget(replica_id)
    assert (len(index), index._holders, index._caches) == (0, {}, {})


def joined(*replicas: str, blocks_max: int = 100) -> PrefixIndex:
    index = PrefixIndex()
    for replica_id in replicas or ("r0",):
        index.join(replica_id, blocks_max)
    return index


def test_what_was_sent_is_held_as_far_as_prompts_agree() -> None:
    index = joined("r0", "r1")
    index.sent("r0", chain([1, 2, 3, 4]), 0)
    index.sent("r1", chain([1, 2]), 0)
    assert index.hits(chain([1, 2, 3, 5])) == {"r0": 3, "r1": 2}
    assert index.hits(chain([2])) == index.hits(()) == {}


def test_the_ends_of_the_oldest_prompts_go_first() -> None:
    index = joined(blocks_max=6)
    index.sent("r0", chain([1, 1, 1]), 0)
    index.sent("r0", chain([2, 2, 2]), 0)
    index.sent("r0", chain([3]), 0)
    assert [index.hit_blocks("r0", chain([n] * 3)) for n in (1, 2, 3)] == [2, 3, 1]
    assert index.limits == {PrefixLimit.REPLICA_BLOCKS: 1}


def test_a_prompt_longer_than_the_cache_is_held_from_its_start() -> None:
    index = joined(blocks_max=6)
    index.sent("r0", distinct(1), 0)
    assert index.hit_blocks("r0", distinct(1)) == index.hits(distinct(1))["r0"] == 6


def test_a_popular_prompt_lists_its_latest_holders_and_is_known_of_all() -> None:
    replicas = [f"r{n}" for n in range(100)]
    index = joined(*replicas)
    for replica_id in replicas:
        index.sent(replica_id, distinct(1), 0)
    assert index.hits(distinct(1)) == dict.fromkeys(replicas[-BLOCK_HOLDERS_MAX:], 20)
    assert all(index.hit_blocks(replica_id, distinct(1)) == 20 for replica_id in replicas)
    assert index.limits[PrefixLimit.BLOCK_HOLDERS] > 0


def test_a_holder_that_is_not_listed_at_the_start_is_found_at_its_end() -> None:
    replicas = [f"r{n}" for n in range(BLOCK_HOLDERS_MAX + 1)]
    index = joined(*replicas)
    for replica_id in replicas:
        index.sent(replica_id, chain([1, 2] if replica_id == "r0" else [1]), 0)
    assert index.hits(chain([1, 2]))["r0"] == 2
    assert "r0" not in index.hits(chain([1, 3]))


def test_blocks_beyond_the_bound_are_not_looked_at() -> None:
    index = joined(blocks_max=1_000)
    index.sent("r0", distinct(1, REQUEST_BLOCKS_MAX + 7), 0)
    assert index.limits == {PrefixLimit.REQUEST_BLOCKS: 7}
    longer = distinct(1, REQUEST_BLOCKS_MAX + 7)
    assert index.hits(longer) == {"r0": REQUEST_BLOCKS_MAX}
    assert index.hit_blocks("r0", longer) == len(index) == REQUEST_BLOCKS_MAX


def test_memory_does_not_grow_with_the_prompts_that_go_by() -> None:
    index = PrefixIndex(blocks_max=900)
    for replica_id in REPLICAS[:3]:
        index.join(replica_id, 400)
    for prompt in range(3_000):
        index.sent(REPLICAS[prompt % 3], distinct(prompt), 0)
    assert len(index) == len(index._holders) == 900


def test_replicas_share_the_total_evenly() -> None:
    index = PrefixIndex(blocks_max=60)
    index.join("r0", 100)
    index.sent("r0", distinct(1, 60), 0)
    index.join("r1", 100)
    assert (index.hit_blocks("r0", distinct(1, 60)), len(index)) == (30, 30)
    index.forget("r1")
    index.sent("r0", distinct(1, 60), 0)
    assert len(index) == 60


def test_a_boot_empties_the_cache_and_renews_the_trust() -> None:
    index = joined()
    index.sent("r0", distinct(1), 0)
    for total in [0] * (LAG_REPORTS + 10):
        index.sent("r0", (), WINDOW_TOKENS)
        index.on_report("r0", total)
    assert index.trust("r0") < 0.2
    index.join("r0", 100)
    assert index.trust("r0") == 1.0
    assert (index.hits(distinct(1)), len(index)) == ({}, 0)


def test_a_stranger_holds_nothing_and_is_sent_nothing() -> None:
    index = joined()
    index.forget("r9")
    index.on_report("r9", 5)
    assert (index.hit_blocks("r9", distinct(1)), index.trust("r9")) == (0, 0.0)
    with pytest.raises(KeyError):
        index.sent("r9", distinct(1), 0)


def test_an_absurd_report_is_counted() -> None:
    index = joined()
    index.on_report("r0", nan)  # type: ignore[arg-type]
    index.on_report("r0", -1)
    assert index.limits == {PrefixLimit.REPORT_ABSURD: 2}
