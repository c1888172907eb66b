"""The map of a configuration agrees with what its gateway would do with each request."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cluster.checks.data_flows.map_schema import DataFlowMap, Flow, Verdict
from cluster.checks.data_flows.tenant_kinds import ELSEWHERE
from cluster.profile import load
from runtime.config import GatewayConfig
from runtime.targets.build_compliance_matrix import traits_of, version_of
from runtime.wire.tags import Sensitivity, Tags
from scheduler.compliance.evaluate_rules import forbids
from scheduler.compliance.jurisdictions import EU
from scheduler.compliance.target_facts import TargetFacts
from tests.cluster.checks.data_flows.sample import ABROAD, HERE, TODAY, file, mapped, tenant

OFFER = "stand-in/tiny-moe"


def of(found: DataFlowMap, tenant: str, sensitivity: str, user_in: str | None) -> Flow:
    (flow,) = [
        each
        for each in found.flows
        if tenant in each.tenants and sensitivity in each.sensitivities and user_in in each.users_in
    ]
    return flow


def verdict(
    found: DataFlowMap, target: str, tenant: str, sensitivity: str, user_in: str | None
) -> Verdict:
    flow = of(found, tenant, sensitivity, user_in)
    return next(each for each in flow.verdicts if each.target == target)


def test_what_may_go_there_says_by_which_agreement_and_across_which_border(tmp_path: Path) -> None:
    told = verdict(mapped(tmp_path), OFFER, "beijing", "pii", "cn")
    assert (told.code, told.leaves_to) == ("allowed", ["sg"])
    assert told.agreements == ["CAC-contract C-1", "DPA D-1"]
    assert verdict(mapped(tmp_path), "local", "beijing", "pii", "cn").leaves_to == []


def test_what_may_not_says_which_rule_which_fact_and_which_article(tmp_path: Path) -> None:
    later = mapped(tmp_path, date(2026, 12, 21))
    told = verdict(later, OFFER, "beijing", "pii", "cn")
    assert (told.code, told.rule) == ("compliance", "pipl/stays-in-china")
    assert (told.fact, told.fact_is_known) == ("inference_jurisdictions", True)
    assert told.source is not None
    assert "PIPL Art. 38" in told.source
    unknown = mapped(tmp_path, facts={})
    assert verdict(unknown, OFFER, "beijing", "pii", "cn").fact_is_known is False


def test_a_providers_terms_and_a_tenants_budget_forbid_too(tmp_path: Path) -> None:
    found = mapped(tmp_path, packs=())
    assert verdict(found, OFFER, "beijing", "regulated", "cn").code == "sensitivity"
    assert verdict(found, OFFER, "singapore", "public", "sg").code == "not_bought"
    assert verdict(found, "local", "singapore", "regulated", "sg").code == "allowed"


def test_users_are_shown_what_is_registered(tmp_path: Path) -> None:
    found = mapped(tmp_path, packs=("cn-genai",))
    told = verdict(found, "local", "beijing", "public", "cn")
    (shown,) = told.registered
    assert (shown.model_name, shown.number) == ("深度", "Sichuan-1")
    assert verdict(found, "local", "singapore", "public", "sg").registered == []


def test_a_flow_that_nothing_may_answer_names_its_models(tmp_path: Path) -> None:
    found = mapped(tmp_path, packs=("cn-genai",), own={})
    assert of(found, "beijing", "public", "cn").refused_models == ["tiny-moe"]
    assert of(found, "singapore", "public", "sg").refused_models == []


def test_an_edge_can_have_users_everywhere_and_nowhere(tmp_path: Path) -> None:
    tenants = {"site": tenant("c", is_edge=True, sensitivity_floor="internal")}
    found = mapped(tmp_path, packs=("pipl", "gdpr"), tenants=tenants)
    users = {user for flow in found.flows for user in flow.users_in}
    assert users >= {None, ELSEWHERE, "cn", "sg", *EU}
    assert {each for flow in found.flows for each in flow.sensitivities} == {
        "internal",
        "pii",
        "regulated",
    }
    european = of(found, "site", "pii", "de")
    assert set(european.users_in) >= EU  # who fares alike is one flow
    assert verdict(found, OFFER, "site", "pii", ELSEWHERE).code == "allowed"
    assert verdict(found, OFFER, "site", "pii", None).code == "compliance"


def test_the_key_of_a_start_is_a_tenants_too(tmp_path: Path) -> None:
    found = mapped(tmp_path, tenants={}, local_key=True)
    assert {name for flow in found.flows for name in flow.tenants} == {"local"}
    assert of(found, "local", "pii", None).refused_models == ["tiny-moe"]


@pytest.mark.parametrize("packs", [(), ("pipl", "cn-genai", "gdpr", "hipaa")])
@pytest.mark.parametrize("own", [HERE, {}, HERE | {"inference_jurisdictions": ["anywhere"]}])
def test_every_verdict_is_the_gateways(
    tmp_path: Path, packs: tuple[str, ...], own: dict[str, Any]
) -> None:
    tenants = {
        name: tenant(letter, home=home, data_classes=classes)
        for name, letter, home, classes in (
            ("a", "a", "cn", []),
            ("b", "b", "de", ["phi"]),
            ("c", "c", "us", ["phi"]),
            ("d", "d", "jp", []),
        )
    } | {"nowhere": tenant("e")}
    found = mapped(tmp_path, packs=packs, own=own, tenants=tenants)
    config = load(file(tmp_path, packs=packs, own=own, tenants=tenants)).routing
    asked = 0
    for name, terms in config.tenants.items():
        for sensitivity in Sensitivity:
            for target, facts in _facts(config).items():
                tags = Tags(sensitivity=sensitivity)
                traits = traits_of(config, name, tags)
                is_forbidden = forbids(config.compliance.rules, traits, facts, TODAY) is not None
                told = verdict(found, target, name, sensitivity.value, terms.home)
                assert (told.code == "compliance") == is_forbidden
                asked += 1
    assert asked == 5 * 4 * 2


def _facts(config: GatewayConfig) -> dict[str, TargetFacts]:
    return {
        "local": config.compliance.own.facts(["tiny-moe"], is_own=True),
        OFFER: config.providers["stand-in"].facts.facts(["tiny-moe"]),
    }


def test_the_version_is_the_one_in_the_ledger(tmp_path: Path) -> None:
    config = load(file(tmp_path)).routing
    facts = _facts(config)
    version = version_of(config.compliance.rules, facts["local"], {OFFER: facts[OFFER]})
    assert mapped(tmp_path).version == version
    assert mapped(tmp_path, packs=("gdpr",)).version != version
    changed = ABROAD | {"retention_days": 31}
    assert mapped(tmp_path, facts=changed).version != version


def test_agreements_that_end_soon_say_what_depends_on_them(tmp_path: Path) -> None:
    gone, soon = mapped(tmp_path).endings
    assert (gone.agreement.reference, gone.agreement.days_left, gone.lost) == ("F-1", -1, [])
    assert (soon.agreement.reference, soon.agreement.days_left) == ("C-1", 20)
    assert soon.lost == ["pii of users in cn of beijing"]
    assert [each.agreement.reference for each in mapped(tmp_path, date(2026, 10, 21)).endings] == [
        "F-1",
        "C-1",
    ]
    assert [each.agreement.reference for each in mapped(tmp_path, date(2026, 10, 20)).endings] == [
        "F-1"
    ]


def test_an_agreement_that_is_the_last_way_says_so(tmp_path: Path) -> None:
    _, soon = mapped(tmp_path, own={}).endings
    assert soon.lost == ["pii of users in cn of beijing; then nothing may answer it for tiny-moe"]


def test_records_have_personal_data_alone(tmp_path: Path) -> None:
    found = mapped(tmp_path, own=HERE | {"storage_regions": ["cn", "hk"]})
    beijing, singapore = found.records
    assert (beijing.tenant, beijing.feature, beijing.task) == ("beijing", "support", "chat")
    assert beijing.recipients == ["Abroad <Pte>"]  # what is stored in hk may not have it
    assert (beijing.countries, beijing.leaves_to) == (["sg"], ["sg"])
    assert beijing.agreements == ["CAC-contract C-1", "DPA D-1"]
    assert (beijing.retention_days, beijing.evidence_days) == (30, 184)
    assert singapore.recipients == ["Ours Ltd"]  # it buys nothing
    assert singapore.leaves_to == ["cn", "hk"]


def test_what_is_not_stated_stays_unknown_in_a_record(tmp_path: Path) -> None:
    found = mapped(tmp_path, packs=("ccpa",), own={}, facts={})
    beijing = found.records[0]
    assert (beijing.countries, beijing.leaves_to, beijing.retention_days) == (None, None, None)
    assert beijing.recipients == ["local", OFFER]


def test_the_fields_of_its_document_are_these() -> None:
    schema = DataFlowMap.model_json_schema()
    assert list(schema["properties"]) == [
        *("config", "as_of", "packs", "version", "endings", "recipients", "flows", "records"),
    ]
    fields = {name: list(each["properties"]) for name, each in schema["$defs"].items()}
    assert fields == {
        "Agreement": [
            *("kind", "reference", "valid_until", "days_left", "sources", "destinations"),
        ],
        "Ending": ["target", "agreement", "lost"],
        "Flow": [
            *("tenants", "users_in", "sensitivities", "data_classes", "verdicts"),
            "refused_models",
        ],
        "Recipient": [
            *("target", "models", "operator", "operator_jurisdiction", "storage_regions"),
            *("inference_jurisdictions", "retention_days", "trains_on_data", "open_weights"),
            *("allowed_sensitivity", "agreements", "registrations", "documents"),
        ],
        "Record": [
            *("tenant", "feature", "task", "users_in", "data_classes", "recipients"),
            *("countries", "leaves_to", "agreements", "retention_days", "evidence_days"),
        ],
        "Registered": ["jurisdiction", "number", "model_name"],
        "Verdict": [
            *("target", "code", "rule", "source", "fact", "fact_is_known", "agreements"),
            *("leaves_to", "registered"),
        ],
    }
