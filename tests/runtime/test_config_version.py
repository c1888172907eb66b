"""The version of the configuration in force: one name in the answer, the gateway and its books."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.config import load_config
from runtime.config_version import digest_of, first_version
from tests.runtime.parts import KEY_ENV, chat, stack

PROVIDER = {"base_url": "https://vendor.example/v1", "key_env": "KEY", "offers": {"m": "m"}}
FULL: dict[str, Any] = {
    "tenants": {"acme": {"key_sha256": ["a" * 64], "data_classes": ["phi", "pan", "x"]}},
    "providers": {
        "p": {
            **PROVIDER,
            "allowed_sensitivity": ["public", "internal", "pii"],
            "facts": {"storage_regions": ["de", "fr", "nl"]},
        }
    },
    "compliance": {"packs": ["gdpr", "pipl"]},
    "spill": {"usd_per_hour_max": "5.00"},
}
CHANGES: dict[str, dict[str, Any]] = {
    "a limit": {"ttft_budget_ms": 1},
    "a hash": {"tenants": {"acme": {"key_sha256": ["b" * 64]}}},
    "an offer": {"providers": {"p": {**PROVIDER, "offers": {"m": "other"}}}},
    "a pack": {"compliance": {"packs": ["gdpr"]}},
    "a cap": {"spill": {"usd_per_hour_max": "5.01"}},
}


def _digest(config: dict[str, Any]) -> str:
    return digest_of(load_config(config))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_has_a_digest_of_its_own(change: dict[str, Any]) -> None:
    assert _digest({**FULL, **change}) != _digest(FULL)


def test_the_order_of_keys_and_sets_and_defaults_that_are_written_change_nothing() -> None:
    turned = dict(reversed(FULL.items())) | {"ttft_budget_ms": load_config({}).ttft_budget_ms}
    turned["tenants"] = {"acme": {**FULL["tenants"]["acme"], "data_classes": ["x", "pan", "phi"]}}
    assert _digest(turned) == _digest(FULL)


def test_two_processes_have_the_same_digest_whatever_the_seed_of_their_hashes() -> None:
    code = "import json, sys; from runtime.config import load_config; from runtime.config_version"
    code += " import digest_of; print(digest_of(load_config(json.load(sys.stdin))))"
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps(FULL),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert told == {_digest(FULL) + "\n"}


def test_rules_of_a_pack_file_that_changed_are_another_configuration(tmp_path: Path) -> None:
    pack = tmp_path / "own.yaml"

    def digest(retention_days: int) -> str:
        required = f"when: {{}}, require: {{retention_days_max: {retention_days}}}"
        rules = f"[{{rule: kept, source: us, {required}}}]"
        pack.write_text(f"pack: [{{name: own, as_of: 2026-11-30, rules: {rules}}}]\n")
        return _digest({"compliance": {"packs": [str(pack)]}})

    assert digest(1) == digest(1) != digest(2)


def test_a_digest_is_worked_out_once_for_who_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = load_config({}), load_config({"ttft_budget_ms": 1})
    first, second = digest_of(one), digest_of(two)
    assert (digest_of(one), digest_of(two)) == (first, second)
    monkeypatch.setattr("runtime.config_version._digest_of", lambda config: "anew")
    assert digest_of(two) == second
    assert digest_of(one) == "anew"


def test_only_what_differs_is_counted() -> None:
    one, two = load_config({}), load_config({"ttft_budget_ms": 1})
    first = first_version(one, 10)
    second = first.after(two, 20)
    assert first.after(one, 15) is first
    assert (second.number, second.applied_ms) == (2, 20)
    assert str(second.after(one, 30)) == f"{first.digest}.3"


async def test_an_answer_says_which_configuration_it_was_served_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_ENV, "vendor-key")
    async with stack(tmp_path, config={"ttft_budget_ms": 1234}) as s:
        said = [(await s.post(chat(stream=stream))).headers for stream in (False, True)]
        first = s.gateway.config_version
        s.gateway.reconfigure(s.gateway.config)  # as at midnight
        assert s.gateway.config_version == first
        s.gateway.reconfigure(load_config({"ttft_budget_ms": 2345}))
        said.append((await s.post(chat())).headers)
        second = s.gateway.config_version
    assert [each["x-baseload-config"] for each in said] == [first, first, second]
    assert first.endswith(".1")
    assert second.endswith(".2")
