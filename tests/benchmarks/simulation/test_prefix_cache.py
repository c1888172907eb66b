from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation.prefix_cache import PrefixCache


def test_only_leading_blocks_are_hits() -> None:
    cache = PrefixCache(10)
    cache.insert((1, 2, 3))
    assert cache.hits((1, 2, 3, 4)) == 3
    assert cache.hits((1, 9, 3)) == 1
    assert cache.hits((2, 3)) == 2
    assert cache.hits((9, 1)) == 0
    assert cache.hits(()) == 0


def test_the_least_recently_used_prefix_goes_first_and_from_its_end() -> None:
    cache = PrefixCache(4)
    cache.insert((1, 2))
    cache.insert((3, 4))
    assert cache.hits((1, 2)) == 2
    cache.insert((5,))
    assert (cache.hits((3, 4)), cache.evictions) == (1, 1)
    cache.insert((6,))
    assert (cache.hits((1, 2)), cache.hits((3,))) == (1, 1)
    assert len(cache) == 4


@given(st.lists(st.lists(st.integers(0, 30), max_size=12, unique=True).map(tuple), max_size=40))
def test_it_never_holds_more_than_it_may(prompts: list[tuple[int, ...]]) -> None:
    cache = PrefixCache(7)
    for blocks in prompts:
        hits = cache.hits(blocks)
        assert hits <= min(len(blocks), 7)
        cache.insert(blocks)
        assert len(cache) <= 7
