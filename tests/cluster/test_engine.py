"""How an engine lists itself; starting one takes a stack: tests/stack."""

from __future__ import annotations

from cluster.engine import registrations
from runtime.engine.settings import EngineFacts

FACTS = EngineFacts(
    model="m",
    engine="vllm",
    kv_tokens_max=1000,
    context_tokens_max=100,
    running_max=8,
    batched_tokens_max=64,
    kv_block_tokens=16,
    started_s=1.0,
)


def test_an_engine_of_one_rank_is_one_replica() -> None:
    (entry,) = registrations(FACTS, "x1", "http://h:1", "s3cret")
    assert (entry.replica_id, entry.base_url) == ("m-x1", "http://h:1/v1")
    assert (entry.kv_tokens_max, entry.kv_block_tokens, entry.running_max) == (1000, 16, 8)
    assert "s3cret" not in repr(entry)


def test_each_rank_of_an_engine_is_a_replica_with_its_own_cache() -> None:
    entries = registrations(FACTS.model_copy(update={"ranks": 3}), "x1", "http://h:1", "t")
    assert [entry.replica_id for entry in entries] == ["m-x1-rank-0", "m-x1-rank-1", "m-x1-rank-2"]
    assert [entry.base_url for entry in entries] == [
        f"http://h:1/rank/{rank}/v1" for rank in range(3)
    ]
    assert {entry.kv_tokens_max for entry in entries} == {1000}
    assert len({entry.generation for entry in entries}) == 1
