"""The sections of a configuration file that say which models answer which tasks. Each has an
example that a check accepts."""

from __future__ import annotations

from cluster.reference.config_example import Section
from runtime.config_rules import (
    AbilitiesConfig,
    CandidateConfig,
    DefaultsConfig,
    NeedsConfig,
    QualityConfig,
    RuleConfig,
)

_TWO_POOLS = """\
args:
  pools:
    - { model: deepseek-v3.2, card: h200, checkpoint: /models/deepseek-ai/DeepSeek-V3.2,
        engine: { tensor_parallel: 8 } }
    - { model: gpt-oss-120b, card: h200, checkpoint: /models/openai/gpt-oss-120b }
"""
_RULE = (
    _TWO_POOLS
    + """\
user_config:
  rules:
    support:
      tasks: [customer_support]
      candidates: [gpt-oss-120b, deepseek-v3.2]
"""
)
WHICH_MODELS = (
    Section(
        "user_config.rules",
        RuleConfig,
        "By a name that a request may ask for as its `model`. `model: auto` takes the rule whose "
        "`tasks` hold the header `X-Baseload-Task` of the request. A request that names a model "
        "gets that one, or none. Candidates are left out in this order: what the law forbids, what "
        "cannot do what is asked, what is below the floor, what may cost too much. The language "
        "of a request leaves out only while another candidate has it.",
        _TWO_POOLS
        + """\
user_config:
  rules:
    coding:
      tasks: [code_generation, code_review]
      candidates: [gpt-oss-120b, { model: deepseek-v3.2, substitute: failure }]
      choose: in_order
      quality_floor: 0.7
      cost_usd_max: "0.05"
      first_token_ms_max: 800
      deadline_ms: 60000
  quality:
    gpt-oss-120b: { overall: 0.8 }
    deepseek-v3.2: { overall: 0.85 }
""",
    ),
    Section(
        "user_config.rules.candidates",
        CandidateConfig,
        "A list; the name of a model alone is a candidate with the defaults.",
        _TWO_POOLS
        + """\
user_config:
  rules:
    support:
      tasks: [customer_support]
      candidates:
        - gpt-oss-120b
        - { model: deepseek-v3.2, substitute: failure, first_token_ms_max: 1200 }
""",
    ),
    Section(
        "user_config.rules.needs",
        NeedsConfig,
        "Compared with `user_config.abilities`.",
        _RULE + "      needs: { tools: true, languages: [zh, yue], context_tokens: 32000 }\n",
    ),
    Section(
        "user_config.rules.defaults",
        DefaultsConfig,
        "For requests that leave these out.",
        _RULE + "      defaults: { temperature: 0.2, max_tokens: 2048 }\n",
    ),
    Section(
        "user_config.quality",
        QualityConfig,
        "By the model's catalogue id: scores that others measured, believed until enough results "
        "of your own speak against them. Scores of one benchmark can be compared, those of two "
        "seldom.",
        _RULE
        + "  quality:\n    gpt-oss-120b: { overall: 0.8, tasks: { customer_support: 0.82 } }\n",
    ),
    Section(
        "user_config.abilities",
        AbilitiesConfig,
        "By the model's catalogue id. What stands here leaves a model out; what does not, leaves "
        "it to the target to refuse. A request that names the model is sent whatever stands here.",
        _RULE
        + "  abilities:\n    gpt-oss-120b: { images: false, languages: [en], "
        + "context_tokens_max: 131072 }\n",
    ),
)
