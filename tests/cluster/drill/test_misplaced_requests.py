"""A drill sees what goes where it may not, whichever part of the gateway is broken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cluster.drill.misplaced_requests import misplaced, misplaced_in_ledger, why_not
from cluster.drill.request_kinds import request_kinds
from cluster.drill.scenario import Scenario
from cluster.drill.scripted_targets import Received
from runtime.edge import generation_routes
from runtime.gateway import Gateway
from runtime.ledger.hash_chain import LedgerEntry
from runtime.request.effective_sensitivity import protected
from runtime.routing.rule_restriction import Restriction
from runtime.targets.provider_accounts import Account
from scheduler.compliance.compliance_matrix import Allowance
from tests.cluster.drill.plans import TODAY, drilled, plan
from tests.runtime.routing.example import document

EMPTY: dict[str, Any] = dict.fromkeys(LedgerEntry._fields)


async def _found(name: str, requests: int, content: Any = None) -> set[tuple[str, str, str]]:
    """Who saw it, where it was, and whose it was."""
    wanted = plan(name, [Scenario.EMPTY_MATRIX], requests=requests, content=content)
    report = await drilled(wanted)
    (incident,) = report.incidents
    assert report.misplaced == len(incident.misplaced)
    if incident.misplaced:
        assert incident.verdict[0].startswith("FORBIDDEN")
    return {(each.seen_by, each.target, each.sensitivity) for each in incident.misplaced}


async def test_a_provider_that_gets_what_it_may_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Account, "may_have", lambda *_: True)
    found = await _found("three-tiers", 6)
    assert ("target", "deepseek/deepseek-r1", "pii") in found
    assert ("ledger", "deepseek/deepseek-r1", "pii") in found
    assert {sensitivity for _, _, sensitivity in found} == {"pii"}


async def test_personal_data_that_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def blind(tags: Any, request: Any) -> Any:
        return replace(await protected(tags, request), tags=tags)

    monkeypatch.setattr(generation_routes, "protected", blind)
    assert ("target", "anthropic/claude-opus-4-5", "pii") in await _found("three-tiers", 6)


async def test_a_law_that_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def everything(self: Gateway, *_: Any) -> Allowance:
        return Allowance(frozenset(self.accounts), True, {})

    monkeypatch.setattr(Gateway, "allowance", everything)
    found = await _found("bilingual", 42)
    assert ("target", "anthropic/claude-opus-4-5", "internal") in found
    assert ("target", "local", "internal") in found


async def test_what_a_rule_forbids_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    content = document("three-tiers")
    routing = content["applications"][0]["deployments"][0]["user_config"]
    routing["rules"]["support"]["allowed_sensitivity"] = ["public", "internal"]
    assert await _found("three-tiers", 6, content) == set()
    monkeypatch.setattr(Restriction, "narrowed", lambda _, allowance, __: allowance)
    assert await _found("three-tiers", 6, content) == {
        ("target", "local", "pii"),
        ("ledger", "local", "pii"),
    }


def test_who_may_have_what() -> None:
    wanted = plan("task-rules", [], requests=1)
    kinds = request_kinds(wanted.config, wanted.models, TODAY, has_local_key=True)
    why = why_not(wanted.config, wanted.models, TODAY)
    (plain, personal) = [
        each for each in kinds if each.asked == "code_generation" and "local" in each.tenants
    ]
    assert why(plain, "deepseek/deepseek-v4-flash") is None
    assert why(personal, "deepseek/deepseek-v4-flash") == "sensitivity"
    assert why(personal, "local") == "rules/code_generation: allowed_sensitivity does not allow it"
    (finance,) = [
        each
        for each in kinds
        if each.asked == "financial_qa" and "local" in each.tenants and not each.is_personal
    ]
    assert "inference_jurisdictions" in (why(finance, "zhipu/glm-5") or "")
    assert why(finance, "deepinfra/zai-org/GLM-5") is None
    assert why(finance, "nobody/nothing") == "no such target"


def test_what_nobody_sent_and_what_the_evidence_does_not_allow() -> None:
    (found,) = misplaced([Received("a/b", "b", None)], {})
    assert (found.target, found.why) == ("a/b", "nobody sent it")

    def told(evidence: str | None, target: str = "offer:a/b") -> list[str]:
        row = EMPTY | {"kind": "reserve", "request_id": "r", "target": target}
        return [
            each.why
            for each in misplaced_in_ledger([LedgerEntry(**row | {"evidence": evidence})], {})
        ]

    assert told('{"verdicts":[["m","a/b","allowed",""]]}') == []
    assert told('{"verdicts":[["m","local","allowed",""]]}', "local:m-1") == []
    assert told(None, "none") == []
    (why,) = told('{"verdicts":[["m","a/b","compliance","pipl"]]}')
    assert "compliance" in why
    assert told(None) == ["its evidence says nothing of this target"]
    assert told('{"verdicts_left_out":1,"verdicts":[]}') == []
