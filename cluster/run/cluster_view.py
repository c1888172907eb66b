"""Looks into a running cluster from outside, for operators and benchmarks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray import serve

from cluster.machine.inventory import Inventory, cluster_inventories
from cluster.replica_leases import Registration
from runtime.errors import ConfigError

APP = "baseload"


def live_engines(address: str) -> list[dict[str, Any]]:
    """The directory's list, of the Ray that answers there."""
    with _connected(address):
        handle = serve.get_deployment_handle("Directory", APP)
        listing = handle.watch.remote(None).result(timeout_s=10)
    return [as_json(entry) for entry in listing.entries]


def as_json(entry: Registration) -> dict[str, Any]:
    """The registration in one level, by the names that scripts know."""
    replica, limits = entry.replica, entry.replica.limits
    return {
        "replica_id": replica.replica_id,
        "model": replica.model,
        "generation": replica.generation,
        "base_url": entry.base_url,
        "token": entry.token,
        "kv_tokens_max": limits.kv_tokens_max,
        "context_tokens_max": limits.context_tokens_max,
        "running_max": limits.max_num_seqs,
        "batched_tokens_max": limits.max_num_batched_tokens,
        "kv_block_tokens": limits.kv_block_tokens,
    }


def inventories(address: str) -> tuple[Inventory, ...]:
    """The cards of every node. ConfigError when it is no Ray that answers there."""
    with _connected(address):
        return cluster_inventories()


@contextmanager
def _connected(address: str) -> Iterator[None]:
    try:
        ray.init(
            address=address,
            namespace="serve",
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except ConnectionError:
        raise ConfigError(f"no Ray answers on {address}: start `baseload serve` first") from None
    try:
        yield
    finally:
        ray.shutdown()
