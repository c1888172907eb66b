"""Configurations that change while requests run: none is lost, and each knows its own version."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runtime.config import GatewayConfig, load_config
from runtime.edge.auth import KeyRing, hash_key
from runtime.engine.fault_script import Script
from runtime.errors import ConfigError
from runtime.ledger.open_store import open_store
from tests.runtime.parts import KEY, KEY_ENV, MODEL, Stack, chat, stack, until
from tests.runtime.test_rules import OTHER

RELOADS = 1_000
CALLERS = 24
ADMIN = "bl-admin"
TASK = "help"
ASKED = (MODEL, "auto", "help")  # by callers in turn
PARTS = ("config", "accounts", "matrix", "routing", "applied")  # of a gateway, all or none
RULED = {OTHER: (Script(token_s=0.001),)}


@pytest.fixture(autouse=True)
def vendor_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENV, "vendor-key")


def config_of(s: Stack, number: int) -> dict[str, Any]:
    """One of many: a limit, a cap, a law, an offer, a tenant and the rules change together. The
    first model of the rule, its floor, its way to choose and who may have it change; a rule beside
    it comes and goes."""
    offer = {"name": MODEL, "in_flight_max": 64 + number % 7}
    account = {"base_url": s.vendor.url, "key_env": KEY_ENV, "offers": {MODEL: offer}}
    return {
        "ttft_budget_ms": 10_000 + number,
        "tenants": {
            "acme": {"key_sha256": [hash_key(KEY)]},
            "ops": {"key_sha256": [hash_key(ADMIN)], "is_admin": True},
        },
        "providers": {"stand-in": account} if number % 3 else {},
        "compliance": {"packs": ["hipaa"] if number % 2 else []},
        "spill": {"usd_per_hour_max": f"{1000 + number}.00"},
        **rules_of(number),
    }


def rules_of(number: int) -> dict[str, Any]:
    candidates = [MODEL, OTHER] if number % 2 else [OTHER, MODEL]
    rule = {
        "tasks": [TASK],
        "candidates": candidates,
        "choose": ("in_order", "cheapest", "best_value")[number % 3],
        "quality_floor": (number % 5) / 10,
        "allowed_sensitivity": ["public", "internal", *(["pii"] if number % 7 else [])],
    }
    if number % 3 == 2:
        rule["score_per_usd"] = 1
    extra = {f"extra-{number}": {"tasks": [f"extra-{number}"], "candidates": [MODEL]}}
    return {
        "rules": {"help": rule, **(extra if number % 4 else {})},
        "quality": {MODEL: {"overall": 0.9}, OTHER: {"overall": 0.8}},
    }


def apply(s: Stack, config: GatewayConfig) -> None:
    """As a Scheduler does: nothing else runs in between."""
    s.gateway.reconfigure(config)
    hashes = {name: tenant.key_sha256 for name, tenant in config.tenants.items()}
    s.edge.open(s.gateway, KeyRing(hashes), s.metrics_server)


@dataclass
class Crowd:
    """Callers that ask again and again, streamed and whole, one after the other."""

    s: Stack
    versions: dict[str, str] = field(default_factory=dict)  # of each answered request
    failures: Counter[str] = field(default_factory=Counter)
    models: Counter[tuple[str, str]] = field(default_factory=Counter)  # asked for, and answered
    answered: int = 0
    in_flight: int = 0

    async def ask(self, number: int) -> None:
        while True:
            body = chat(f"call {number}", stream=bool(number % 2)) | {"model": ASKED[number % 3]}
            headers = {"x-baseload-task": TASK}
            self.in_flight += 1
            try:
                url = f"{self.s.url}/chat/completions"
                async with self.s.http.post(url, json=body, headers=headers) as answer:
                    text = await answer.text()
            finally:
                self.in_flight -= 1
            is_whole = "[DONE]" in text if number % 2 else '"usage"' in text
            if answer.status != 200 or not is_whole:
                self.failures[f"{answer.status}: {text[:200]}"] += 1
                continue
            self.answered += 1
            self.versions[answer.headers["x-request-id"]] = answer.headers["x-baseload-config"]
            self.models[body["model"], answer.headers["x-baseload-model"]] += 1


@asynccontextmanager
async def crowd(s: Stack) -> AsyncIterator[Crowd]:
    made = Crowd(s)
    tasks = [asyncio.create_task(made.ask(number)) for number in range(CALLERS)]
    try:
        await until(lambda: made.answered >= CALLERS)
        yield made
        answered = made.answered
        await until(lambda: made.answered >= answered + CALLERS)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def admin(s: Stack, key: str = ADMIN) -> tuple[int, dict[str, Any]]:
    headers = {"authorization": f"Bearer {key}"}
    async with s.http.get(f"{s.url}/config", headers=headers) as answer:
        return answer.status, await answer.json()


def versions_in(ledger: Path) -> dict[str, str]:
    """What the row of each request's last attempt says."""
    with open_store(ledger).reading() as reading:
        reserves = [entry for entry in reading.entries() if entry.kind == "reserve"]
    return {entry.request_id: json.loads(entry.evidence or "{}")["config"] for entry in reserves}


def refuse_a_bad_file(s: Stack, number: int) -> None:
    """A change of rules that is wrong in one of them, as a Scheduler would read it."""
    before = vars(s.gateway).copy()
    bad = config_of(s, number + 1)
    bad["rules"]["late"] = {"tasks": [TASK], "candidates": [MODEL]}  # a task of two rules
    with pytest.raises(ConfigError, match="stands in rule"):
        apply(s, load_config(bad))
    for name in PARTS:
        assert vars(s.gateway)[name] is before[name]


async def test_a_thousand_reloads_under_load_lose_no_request(tmp_path: Path) -> None:
    """Every answer's version is one that was applied, and the one in its ledger row."""
    scripts = [Script(token_s=0.001), Script(token_s=0.001)]
    async with stack(tmp_path, scripts=scripts, others=RULED, sells=True, max_num_seqs=8) as s:
        applied = {s.gateway.config_version}
        apply(s, load_config(config_of(s, 0)))  # callers may name its rules
        async with crowd(s) as callers:
            always_in_flight = True
            for number in range(RELOADS):
                apply(s, load_config(config_of(s, number)))
                applied.add(s.gateway.config_version)
                await asyncio.sleep(0)
                always_in_flight &= callers.in_flight > 0
                if number % 50 == 0:
                    refuse_a_bad_file(s, number)
                    status, told = await admin(s)
                    assert (status, told["version"]) == (200, s.gateway.config_version)
                    assert told["config"]["ttft_budget_ms"] == 10_000 + number
            assert s.gateway.config_version.endswith(f".{RELOADS + 1}")
        assert not callers.failures
        assert always_in_flight
        assert len(applied) == RELOADS + 1
        assert set(callers.versions.values()) <= applied
        assert len(set(callers.versions.values())) > 20  # they did run while it changed
        assert {asked for asked, _ in callers.models} == set(ASKED)
        assert callers.models[MODEL, OTHER] == 0
        for name in ("auto", "help"):  # the rule chose one, then the other
            assert callers.models[name, MODEL] * callers.models[name, OTHER] > 0
        await s.idle()
        of_rows = versions_in(s.ledger)
    for request_id, version in callers.versions.items():
        assert of_rows[request_id] == version


async def test_the_version_in_header_ledger_and_config_is_the_one_that_is_applied(
    tmp_path: Path,
) -> None:
    """C18: a change of many parts at once is applied as a whole, and named as such."""
    async with stack(tmp_path, sells=True) as s:
        apply(s, load_config(config_of(s, 1)))
        answer = await s.post(chat())
        _, told = await admin(s)
        assert answer.headers["x-baseload-config"] == told["version"] == s.gateway.config_version
        assert versions_in(s.ledger) == {answer.headers["x-request-id"]: told["version"]}
        assert told["config"]["compliance"]["packs"] == ["hipaa"]
        assert told["config"]["providers"]["stand-in"]["offers"][MODEL]["in_flight_max"] == 65
        assert told["prices"] == {f"stand-in/{MODEL}": f"stand-in/{MODEL}@2026-01-01"}
        assert told["refused"] is None
        apply(s, load_config(config_of(s, 3)))
        _, after = await admin(s)
        assert after["applied"] == told["applied"] + 1
        assert after["digest"] != told["digest"]
        assert after["config"]["providers"] == after["prices"] == {}


async def test_a_configuration_that_fails_as_it_is_applied_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stack(tmp_path, sells=True) as s:
        apply(s, load_config(config_of(s, 1)))
        gateway = s.gateway
        before = {name: vars(gateway)[name] for name in PARTS}
        buyable = gateway._buyable

        def fails(*given: object) -> None:
            raise RuntimeError("a defect")

        for name in ("matrix_of", "open_accounts", "routing_of"):
            with monkeypatch.context() as patch:
                patch.setattr(f"runtime.gateway.{name}", fails)
                with pytest.raises(RuntimeError, match="a defect"):
                    apply(s, load_config(config_of(s, 2)))
        with monkeypatch.context() as patch:
            patch.setattr(GatewayConfig, "settings", fails)
            with pytest.raises(RuntimeError, match="a defect"):
                apply(s, load_config(config_of(s, 2)))
        assert {name: vars(gateway)[name] for name in before} == before
        assert gateway._buyable is buyable
        assert (await s.post(chat())).headers["x-baseload-config"] == str(before["applied"])


def test_all_that_is_wrong_with_a_configuration_is_told_one_by_one() -> None:
    bad = {f"unknown_{number}": 1 for number in range(40)} | {"ttft_budget_ms": "soon"}
    with pytest.raises(ConfigError) as caught:
        load_config(bad)
    assert len(caught.value.problems) == 41
    assert "and 29 more" in caught.value.message


async def test_only_keys_of_a_tenant_that_is_admin_see_it_and_no_secret_is_in_it(
    tmp_path: Path,
) -> None:
    async with stack(tmp_path, sells=True) as s:
        status, refused = await admin(s, KEY)
        assert (status, refused["error"]["code"]) == (403, "admins_only")  # closed by default
        apply(s, load_config(config_of(s, 1)))
        assert (await admin(s, KEY))[0] == 403
        assert (await admin(s, "bl-nobody"))[0] == 401
        status, told = await admin(s)
        assert status == 200
        text = str(told)
        assert "vendor-key" not in text
        for key in (KEY, ADMIN):
            assert key not in text
            assert hash_key(key) not in text
        assert told["config"]["tenants"]["ops"]["key_sha256"] == [f"{hash_key(ADMIN)[:8]}…"]
