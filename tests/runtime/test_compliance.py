"""The rules of policy packs at a whole gateway: no path leads to a target that they forbid."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from runtime.config import load_config
from runtime.engine.fault_script import Fault, Script
from runtime.errors import ConfigError
from tests.runtime.parts import Stack, chat, routing_of, stack, until

CONTRACT = {"kind": "DPA", "reference": "DPA-1", "valid_until": "2999-12-31"}
AT_HOME = {
    "storage_regions": ["cn"],
    "inference_jurisdictions": ["cn"],
    "operator_jurisdiction": "cn",
    "trains_on_data": False,
    "registrations": [{"jurisdiction": "cn", "number": "1", "model_name": "m"}],
    "contracts": [CONTRACT],
}
ABROAD = AT_HOME | {"inference_jurisdictions": ["cn", "sg"]}
EMAIL = "write to user123@mail.example.com"


def config(
    *packs: str, home: str | None = "cn", own: dict[str, Any] | None = None
) -> dict[str, Any]:
    tenant = {"key_sha256": ["0" * 64]} | ({} if home is None else {"home": home})
    return {"compliance": {"packs": list(packs), "own": own or {}}, "tenants": {"acme": tenant}}


def terms(facts: dict[str, Any]) -> dict[str, Any]:
    return {"facts": facts, "allowed_sensitivity": ["public", "internal", "pii"]}


async def refused(s: Stack, text: str = "hello") -> str:
    answer = await s.post(chat(text))
    body = await answer.json()
    assert (answer.status, body["error"]["code"]) == (403, "no_compliant_target"), body
    return str(body["error"]["message"])


async def test_without_packs_nothing_is_asked(tmp_path: Path) -> None:
    async with stack(tmp_path, config=config(home=None)) as s:
        assert (await s.post(chat(EMAIL))).status == 200


async def test_nothing_is_known_so_nothing_is_allowed(tmp_path: Path) -> None:
    async with stack(tmp_path, sells=True, config=config("cn-genai")) as s:
        message = await refused(s)
        assert "local: cn-genai/registered-model: registrations unknown" in message
        assert "stand-in/tiny-moe: cn-genai/registered-model" in message
        assert s.asked == 0
        assert not s.vendor.engine.asked


async def test_a_user_of_nowhere_is_a_user_of_everywhere(tmp_path: Path) -> None:
    own = config("cn-genai", home=None, own=AT_HOME)
    async with stack(tmp_path, config=own) as s:
        await refused(s)
    elsewhere = config("cn-genai", home="sg")
    async with stack(tmp_path / "sg", config=elsewhere) as s:
        assert (await s.post(chat())).status == 200


async def test_the_replicas_here_may_not_and_a_provider_may(tmp_path: Path) -> None:
    rules = config("pipl", own={"inference_jurisdictions": ["us"], "storage_regions": ["us"]})
    async with stack(tmp_path, sells=True, config=rules, terms=terms(AT_HOME)) as s:
        answer = await s.post(chat(EMAIL))
        assert answer.status == 200
        assert answer.headers["x-baseload-reason"] == "must_leave"
        assert answer.headers["x-baseload-target"].startswith("offer:")
        answer = await s.post(chat("nothing personal"))
        assert answer.headers["x-baseload-target"] == "local:r1"


async def test_what_failed_here_is_not_tried_where_it_may_not_go(tmp_path: Path) -> None:
    broken = [Script(Fault.SERVER_ERROR)]
    for folder, facts in (("a", ABROAD), ("b", {}), ("c", AT_HOME)):
        rules = config("pipl", own=AT_HOME) | {"queue": {"wait_ms_max": 300}}
        given = terms(facts)
        async with stack(
            tmp_path / folder, scripts=broken, sells=True, config=rules, terms=given
        ) as s:
            answer = await s.post(chat(EMAIL))
            assert bool(s.vendor.engine.asked) == (facts is AT_HOME)
            assert (answer.status == 200) == (facts is AT_HOME)


async def test_a_transfer_that_has_ended_forbids(tmp_path: Path) -> None:
    flow = {"kind": "CAC-contract", "reference": "1", "sources": ["cn"], "destinations": ["sg"]}
    for folder, day, status in (("a", "2999-01-01", 200), ("b", "2020-01-01", 403)):
        contracts = [CONTRACT, flow | {"valid_until": day}]
        facts = ABROAD | {"contracts": contracts}
        rules = config("pipl", own=facts)
        async with stack(tmp_path / folder, config=rules) as s:
            assert (await s.post(chat(EMAIL))).status == status


async def test_rules_that_come_while_a_request_waits_hold_for_it(tmp_path: Path) -> None:
    before = config("pipl", own=AT_HOME)
    async with stack(tmp_path, scripts=[], sells=False, config=before) as s:
        asking = asyncio.create_task(s.post(chat(EMAIL)))
        await until(lambda: asking.done() or bool(s.gateway.in_flight.count))
        s.gateway.reconfigure(routing_of(None, config("pipl", own=ABROAD), {}))
        answer = await asking
        assert answer.status in (403, 503)
        assert s.asked == 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"compliance": {"packs": ["gpdr"]}}, "did you mean gdpr"),
        ({"compliance": {"packs": ["/no/such.yaml"]}}, "such.yaml"),
        (
            {"compliance": {"own": {"inference_jurisdictions": ["China"]}}},
            "inference_jurisdictions",
        ),
        ({"compliance": {"own": {"storage_region": ["cn"]}}}, "storage_regions"),
        ({"compliance": {"own": {"contracts": [{"kind": "DPA"}]}}}, "reference"),
        ({"tenants": {"a": {"key_sha256": ["0" * 64], "home": "China"}}}, "home"),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_config(wrong)


def test_a_pack_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "pack:\n- name: mine\n  as_of: 2026-01-01\n  rules:\n"
        "  - {rule: open, source: ours, when: {}, require: {open_weights: true}}\n"
    )
    found = load_config({"compliance": {"packs": ["gdpr", str(path)]}}).compliance.rules
    assert [each.rule_id for each in found][-1] == "mine/open"


async def test_a_pack_that_goes_once_it_was_read_is_kept_until_the_next_deploy(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "pack:\n- name: mine\n  as_of: 2026-01-01\n  rules:\n"
        "  - {rule: open, source: ours, when: {}, require: {open_weights: true}}\n"
    )
    async with stack(tmp_path, config=config(str(path))) as s:
        await refused(s)
        path.unlink()
        s.gateway.reconfigure(s.gateway.config)  # as at midnight, when prices are renewed
        await refused(s)
        with pytest.raises(ConfigError, match=r"mine\.yaml"):
            load_config(config(str(path)))
