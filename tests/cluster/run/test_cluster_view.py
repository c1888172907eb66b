from __future__ import annotations

from cluster.replica_leases import Registration
from cluster.run.cluster_view import as_json
from scheduler.replica import EngineLimits, Replica


def test_an_engine_in_json_has_the_names_that_scripts_know() -> None:
    replica = Replica("m-x1", "m", 7, EngineLimits(1000, 100, 8, 64, kv_block_tokens=16))
    assert as_json(Registration(replica, "http://h:1/v1", "s3cret")) == {
        "replica_id": "m-x1",
        "model": "m",
        "generation": 7,
        "base_url": "http://h:1/v1",
        "token": "s3cret",
        "kv_tokens_max": 1000,
        "context_tokens_max": 100,
        "running_max": 8,
        "batched_tokens_max": 64,
        "kv_block_tokens": 16,
    }
