"""One mistake hides no other, and brings up none that is not there."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cluster.checks.check_config_file import Place, Surroundings, check_file
from cluster.machine.host import Host
from cluster.machine.inventory import Inventory
from runtime.config_problems import where
from tests.cluster.checks.wrong import GONE, HASH, Base, Wrong

POOL = "applications[0].args.pools[0]"
USER = "applications[0].deployments[0].user_config"
VENDOR = {"base_url": "https://api.example.com/v1", "key_env": "PATH"}


def errors(folder: Path, edit: dict[str, Any], place: Place = Place.HERE) -> dict[str, str]:
    """What is wrong, by its place."""
    around = Surroundings(
        place,
        folder / "state",
        date(2026, 11, 30),
        {"PATH": "x"},
        Inventory("here", problems=("no driver",)),
        lambda asked, _: "not asked",
        host=Host(24 << 30, 20 << 30, 2, 0.5),
    )
    report = check_file(Base().write(Wrong("", "", "", edit), folder), around)
    return {where(each.problem.path): str(each.problem) for each in report.findings}


@pytest.mark.parametrize(
    ("edit", "at"),
    [
        ({"pool.replica": 2, "pool.card": "cpuu"}, {"replica", "card"}),
        ({"pool.replicas": 0, "pool.model": "tiny-mo"}, {"replicas", "model"}),
        ({"pool.card": GONE, "pool.model": "tiny-mo"}, {"card", "model"}),
        (
            {"pool.card": "H100", "pool.usd_per_hour": "2", "pool.model": "qwen3-32b"},
            {"card", "usd_per_hour", "checkpoint"},
        ),
        ({"pool.model": 7, "pool.engine.kv_blocks": 32}, {"model"}),
        (
            {"pool.repl": 2, "pool.card": "h200", "pool.engine.kv_blocks": GONE},
            {"repl", "card"},  # that no such card is here
        ),
        ({"pool.card_usd_per_hour": "2,30", "pool.card": "h20-3e"}, {"card_usd_per_hour", "card"}),
        ({"pool.zzz": 1, "pool.replicas": 1_000}, {"zzz", "replicas"}),
    ],
)
def test_errors_of_one_pool_are_told_together(
    tmp_path: Path, edit: dict[str, Any], at: set[str]
) -> None:
    assert set(errors(tmp_path, edit)) == {f"{POOL}.{name}" for name in at}


def test_a_price_that_cannot_be_read_is_no_missing_price(tmp_path: Path) -> None:
    edit = {"pool.card_usd_per_hour": "2,30", "pool.card": "h20-3e"}
    told = errors(tmp_path, edit, Place.ELSEWHERE)
    assert set(told) == {f"{POOL}.card_usd_per_hour"}


def test_an_error_of_a_tenant_hides_no_offer(tmp_path: Path) -> None:
    offers = {"tiny-moe": "openai/gpt-oss-120"}
    told = errors(
        tmp_path,
        {
            "user.tenants.acme": {"key_sha256": [HASH], "cap": 1},
            "user.providers.deepinfra": VENDOR | {"offers": offers},
        },
    )
    assert set(told) == {
        f"{USER}.tenants.acme.cap",
        f"{USER}.providers.deepinfra.offers.tiny-moe",
    }


def test_what_serve_needs_of_this_machine_is_told_beside_other_errors(tmp_path: Path) -> None:
    edit = {"pool.zzz": 1, "logging_config.logs_dir": "/proc/nope"}
    assert set(errors(tmp_path, edit)) == {f"{POOL}.zzz", "logging_config.logs_dir"}
    assert set(errors(tmp_path, {"pool.zzz": 1}, Place.ELSEWHERE)) == {f"{POOL}.zzz"}


def test_where_prices_live_is_told(tmp_path: Path) -> None:
    offer = {"name": "openai/gpt-oss-120b", "price": "0.1"}
    told = errors(tmp_path, {"user.providers.deepinfra": VENDOR | {"offers": {"tiny-moe": offer}}})
    assert "models/data/prices.yaml" in told[f"{USER}.providers.deepinfra.offers.tiny-moe.price"]
    (alone,) = errors(tmp_path, {"pool.price": "2"}).values()
    assert 'card_usd_per_hour: "2.30"' in alone


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (HASH, ["write key_sha256: [<hash>]"]),
        ("bl-plainkey", ["key_sha256: [<hash>]", "has been written down"]),
        (HASH[:60], ["key_sha256: [<hash>]", "got 60"]),
        (7, ["expected a list"]),
    ],
)
def test_a_hash_alone_is_answered_with_how_it_is_written(
    tmp_path: Path, value: Any, says: list[str]
) -> None:
    told = errors(tmp_path, {"user.tenants.bob": {"key_sha256": value}})
    (line,) = told.values()
    assert f"{USER}.tenants.bob.key_sha256" in told
    assert all(each in line for each in says)
    assert "plainkey" not in line
