"""A `user_config` that cannot be taken: the one before goes on, and the refusal is seen."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.serve._private.replica import UserCallableWrapper

from cluster import scheduler_deployment as deployment
from cluster.applied_config import (
    ERRORS_MAX,
    REFUSAL_CHARS_MAX,
    ConfigNote,
    Configuration,
    refusal,
)
from cluster.engine_deployment import registrations
from cluster.replica_directory import Directory
from cluster.state_folder import DRAIN_ENV
from runtime.edge.edge_context import Edge
from runtime.edge.private_server import PrivateServer
from runtime.errors import ConfigError
from tests.cluster.test_scheduler_deployment import Scheduler, handle_of, scheduler
from tests.runtime.parts import HOST, KEY, TOKEN, chat, serving

RAW_KEY = "bl-a-raw-key-that-must-not-be-told"
HASH = "a" * 64
BAD: dict[str, dict[str, Any]] = {
    "an unknown field": {
        "providers": {
            "p": {
                "base_url": "https://vendor.example/v1",
                "key_env": "KEY",
                "offers": {"tiny-moe": "m"},
                "timeout_s": 30,
            }
        }
    },
    "a raw key as hash": {"tenants": {"acme2": {"key_sha256": [RAW_KEY]}}},
    "one hash in two tenants": {
        "tenants": {"a": {"key_sha256": [HASH]}, "b": {"key_sha256": [HASH]}}
    },
}


@pytest.fixture(autouse=True)
def of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "EDGE", Edge())
    monkeypatch.setattr("cluster.replica_directory.SETTLE_S", 0.0)
    monkeypatch.setenv(DRAIN_ENV, "0.5")


@asynccontextmanager
async def running(folder: Path, directory: Directory) -> AsyncIterator[Scheduler]:
    made = scheduler(folder, directory)
    try:
        yield made
    finally:
        await deployment.Scheduler.__del__(made)


@asynccontextmanager
async def asked() -> AsyncIterator[Any]:
    front = PrivateServer(deployment.build_edge(), HOST)
    await front.start()
    url = f"http://{HOST}:{front.port}"
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {KEY}"}) as http:

        async def ask() -> tuple[int, dict[str, Any]]:
            """The status of a request, and the body of /ready."""
            async with http.post(f"{url}/v1/chat/completions", json=chat()) as answer:
                status = answer.status
            async with http.get(f"{url}/ready") as answer:
                return status, await answer.json()

        yield ask
    await front.stop()


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
async def test_a_refused_configuration_leaves_the_old_one_serving(
    bad: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory, good = Directory(), {"ttft_budget_ms": 1234}
    async with serving() as engine, running(tmp_path, directory) as made, asked() as ask:
        await directory.renew(
            registrations(engine.facts, "r1", engine.url.removesuffix("/v1"), TOKEN)
        )
        await made.reconfigure(good)
        await made.reconfigure(bad)
        status, ready = await ask()
        assert status == 200
        assert ready["ready"] is True
        assert "user_config is refused" in ready["config_refused"]
        note = await directory.config()
        assert note == ConfigNote(good, ready["config_refused"])
        assert ready["config_refused"] in caplog.text
        assert RAW_KEY not in caplog.text + ready["config_refused"]

        await made.reconfigure({"ttft_budget_ms": 2345})
        status, ready = await ask()
        assert status == 200
        assert "config_refused" not in ready
        assert await directory.config() == ConfigNote({"ttft_budget_ms": 2345}, None)


async def test_a_configuration_of_null_ends_no_refusal_and_says_what_it_is(tmp_path: Path) -> None:
    directory, good = Directory(), {"ttft_budget_ms": 1234}
    async with running(tmp_path, directory) as made:
        await made.reconfigure(good)
        await made.reconfigure(BAD["an unknown field"])
        before = (await directory.config()).refused
        await made.reconfigure(None, rank=0)
        note = await directory.config()
        assert note.serving == good
        assert note.refused is not None
        assert note.refused != before
        assert deployment.NO_CONFIG in note.refused
        refused = deployment.EDGE.gateway.refused
        assert refused is not None
        assert refused.line == note.refused


async def test_a_first_configuration_of_null_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path, Directory()) as made:
        with pytest.raises(ConfigError, match="for the defaults"):
            await made.reconfigure(None, rank=0)


def test_serve_tells_the_scheduler_of_a_configuration_of_null() -> None:
    """It calls with null only where the signature has a rank: see its `call_reconfigure`."""
    assert "rank" in inspect.signature(deployment.Scheduler.reconfigure).parameters
    assert 'user_subscribed_to_rank = "rank" in params' in inspect.getsource(UserCallableWrapper)


async def test_a_scheduler_that_is_started_anew_serves_with_what_its_predecessor_had(
    tmp_path: Path,
) -> None:
    directory, good = Directory(), {"ttft_budget_ms": 1234}
    async with running(tmp_path, directory) as first:
        await first.reconfigure(good)
    async with running(tmp_path, directory) as second:
        await second.reconfigure(BAD["an unknown field"])
        gateway = deployment.EDGE.gateway
        assert gateway.config.ttft_budget_ms == 1234
        note = await directory.config()
        assert note.serving == good
        assert note.refused is not None


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
async def test_the_first_configuration_must_be_good(bad: dict[str, Any], tmp_path: Path) -> None:
    async with running(tmp_path, Directory()) as made:
        with pytest.raises(ConfigError):
            await made.reconfigure(bad)


async def test_a_directory_that_starts_anew_is_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.replica_directory.WATCH_S", 0.05)
    directory = Directory()
    async with running(tmp_path, directory) as made:
        await made.reconfigure({})
        await made.reconfigure(BAD["an unknown field"])
        note, anew = await directory.config(), Directory()
        made._directory = handle_of(anew)
        while await anew.config() != note:  # the test's own time limit ends it
            await asyncio.sleep(0.01)


async def test_the_deployment_that_shows_the_refusal_fails_and_recovers_with_it() -> None:
    directory = Directory()
    shown = Configuration.__new__(Configuration)
    await Configuration.__init__(shown, handle_of(directory))
    await directory.note_config(ConfigNote({}, "refused: because"))
    with pytest.raises(ConfigError, match="refused: because"):
        await shown.check_health()
    with pytest.raises(ConfigError, match="refused: because"):
        await Configuration.__init__(Configuration.__new__(Configuration), handle_of(directory))
    await directory.note_config(ConfigNote({}))
    await shown.check_health()


@given(st.text(max_size=3_000))
def test_a_refusal_is_bounded_and_tells_no_more_than_it_may(text: str) -> None:
    assert len(refusal(ConfigError(text))) <= REFUSAL_CHARS_MAX
    assert refusal(ValueError(f"secret {text}")).endswith("ValueError, see the log")


async def test_a_file_that_the_watch_refuses_is_told_as_a_refused_configuration_is(
    tmp_path: Path,
) -> None:
    directory, good = Directory(), {"ttft_budget_ms": 1234}
    errors = [f"c.yaml: error {number}" for number in range(500)]
    async with running(tmp_path, directory) as made:
        await made.reconfigure(good)
        await made.refuse_file(errors)
        refused = deployment.EDGE.gateway.refused
        assert refused is not None
        assert list(refused.errors) == errors
        assert len(refused.line) <= REFUSAL_CHARS_MAX
        assert await directory.config() == ConfigNote(good, refused.line)
        assert deployment.EDGE.gateway.config.ttft_budget_ms == 1234
        await made.refuse_file([])
        assert deployment.EDGE.gateway.refused is None
        assert await directory.config() == ConfigNote(good)


async def test_all_errors_of_a_refused_configuration_are_kept(tmp_path: Path) -> None:
    async with running(tmp_path, Directory()) as made:
        await made.reconfigure({})
        await made.reconfigure({f"unknown_{number}": 1 for number in range(40)})
        refused = deployment.EDGE.gateway.refused
        assert refused is not None
        assert len(refused.errors) == 40
        await made.reconfigure({f"unknown_{number}": 1 for number in range(ERRORS_MAX + 5)})
        refused = deployment.EDGE.gateway.refused
        assert refused is not None
        assert refused.errors[-1] == "and 5 more"
        assert len(refused.errors) == ERRORS_MAX + 1


async def test_configurations_are_applied_in_the_order_in_which_they_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading one may take longer than reading the next."""
    read = deployment._read

    def slowly(user_config: dict[str, Any]) -> Any:
        time.sleep(0.1 if user_config["ttft_budget_ms"] == 1 else 0)
        return read(user_config)

    async with running(tmp_path, Directory()) as made:
        await made.reconfigure({})
        monkeypatch.setattr(deployment, "_read", slowly)
        await asyncio.gather(*(made.reconfigure({"ttft_budget_ms": ms}) for ms in (1, 2)))
        assert deployment.EDGE.gateway.config.ttft_budget_ms == 2
