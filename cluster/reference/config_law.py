"""The sections of a configuration file that say which laws are kept, and what is known of targets.
Each has an example that a check accepts."""

from __future__ import annotations

from cluster.reference.config_example import Section
from runtime.config_facts import (
    ComplianceConfig,
    ContractConfig,
    FactsConfig,
    RegistrationConfig,
)

_KEPT_LAWS = """\
user_config:
  compliance:
    packs: [pipl, cn-genai]
    own:
      storage_regions: [cn]
      inference_jurisdictions: [cn]
      operator_jurisdiction: cn
      trains_on_data: false
      registrations:
        - { jurisdiction: cn, number: Beijing-2026-0001, model_name: Example Assistant }
"""
_PROVIDER = """\
user_config:
  compliance: {{ packs: [gdpr, hipaa] }}
  providers:
    stand-in:
      base_url: https://api.example.com/v1
      key_env: PATH
      offers: {{ tiny-moe: tiny-moe }}
      facts:
{facts}"""
WHICH_LAWS = (
    Section(
        "user_config.compliance",
        ComplianceConfig,
        "Shipped packs, with their sources, are in "
        "[models/data/policy_packs](../models/data/policy_packs): a starting point that somebody "
        "who knows the law has to read. A target that a rule forbids, or of which it asks what is "
        "not stated here, gets no request; where none is left, the answer is 403 "
        "`no_compliant_target` with the rule and the fact for each.",
        _KEPT_LAWS,
    ),
    Section(
        "user_config.providers.facts",
        FactsConfig,
        "The same keys stand in `user_config.compliance.own`, for the replicas here.",
        _PROVIDER.format(
            facts="        inference_jurisdictions: [us]\n"
            "        storage_regions: [us]\n"
            "        operator_jurisdiction: us\n"
            "        retention_days: 30\n"
            "        trains_on_data: false\n"
        ),
    ),
    Section(
        "user_config.providers.facts.contracts",
        ContractConfig,
        "A transfer mechanism excuses data from staying where a rule wants it, from `sources` to "
        "`destinations`, through its last day.",
        _PROVIDER.format(
            facts="        contracts:\n"
            '          - { kind: DPA, reference: DPA-17, valid_until: "2027-11-30" }\n'
            '          - { kind: SCC, reference: SCC-4, valid_until: "2027-11-30",\n'
            "              sources: [eea], destinations: [us] }\n"
        ),
    ),
    Section(
        "user_config.providers.facts.registrations",
        RegistrationConfig,
        "What a law such as `cn-genai` asks for.",
        _PROVIDER.format(
            facts="        registrations:\n"
            "          - { jurisdiction: cn, number: Shanghai-2026-0002, model_name: Example }\n"
        ),
    ),
)
