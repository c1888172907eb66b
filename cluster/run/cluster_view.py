"""Looks into a running cluster from outside, for operators and benchmarks."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray import serve

from cluster.machine.inventory import Inventory, cluster_inventories
from cluster.state import ADDRESS_FILE, state_folder
from runtime.errors import ConfigError

APP = "baseload"


def live_engines() -> list[dict[str, Any]]:
    """The directory's list. ConfigError when no Baseload runs here."""
    with _connected():
        handle = serve.get_deployment_handle("Directory", APP)
        listing = handle.watch.remote(None).result(timeout_s=10)
    return [dataclasses.asdict(entry) for entry in listing.entries]


def inventories() -> tuple[Inventory, ...]:
    """The cards of every node. ConfigError when no Ray runs here."""
    with _connected():
        return cluster_inventories()


@contextmanager
def _connected() -> Iterator[None]:
    address = state_folder() / ADDRESS_FILE
    try:
        ray.init(
            address=address.read_text() if address.is_file() else "auto",
            namespace="serve",
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except ConnectionError:
        raise ConfigError("no Ray runs on this machine: start `baseload serve` first") from None
    try:
        yield
    finally:
        ray.shutdown()
