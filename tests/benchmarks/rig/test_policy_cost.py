"""The two gateways that are compared differ in what is to be measured, and in no more."""

from __future__ import annotations

from benchmarks.rig.policy_cost import PROMPT_CHARS, RULE, plain_config, prompt, with_policy
from runtime.config import GatewayConfig
from runtime.detect.personal_data import find_personal_data
from runtime.policy_packs import shipped_packs

PLAIN = plain_config("http://127.0.0.1:1/v1", "bl-" + "k" * 43)


def test_the_prompt_has_its_length_and_nobodys_data() -> None:
    text = prompt()
    assert len(text) == PROMPT_CHARS
    assert not find_personal_data([text]).is_personal


def test_one_has_every_pack_and_a_rule_and_the_other_none() -> None:
    ruled, plain = (
        GatewayConfig.model_validate(with_policy(PLAIN)),
        GatewayConfig.model_validate(PLAIN),
    )
    assert set(ruled.compliance.packs) == set(shipped_packs())
    assert list(ruled.rules) == [RULE]
    assert not plain.compliance.packs
    assert not plain.rules
    offers = [{name: each.offers for name, each in of.providers.items()} for of in (ruled, plain)]
    assert offers[0] == offers[1]
