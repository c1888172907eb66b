"""How tasks would be answered: candidates that nobody serves, and what a rule asks in vain."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.application_args import AppArgs
from cluster.config_finding import ROUTING, ConfigFinding, error, warning
from models.unknown_names import did_you_mean
from runtime.config import GatewayConfig
from runtime.config_problems import Path, given
from runtime.config_rules import RuleConfig, called_as_models
from runtime.key_hash import LOCAL_TENANT

RULES: Path = (*ROUTING, "rules")
NAMES_SHOWN_MAX = 8


def rule_findings(config: GatewayConfig, args: AppArgs) -> Iterator[ConfigFinding]:
    pools = {pool.model for pool in args.pools}
    served = pools | {model for each in config.providers.values() for model in each.offers}
    for path, wrong in called_as_models(config.rules, pools, RULES):
        yield error(path, wrong)
    for name, rule in config.rules.items():
        yield from _candidates((*RULES, name), rule, served)
        yield from _floors((*RULES, name), rule, config)
        yield from _times((*RULES, name), rule)
    yield from _unread(config, served)
    if LOCAL_TENANT in config.tenants and not args.local_key:
        wrong = "no key is of this tenant: it is that of the key that a start makes"
        path = (*ROUTING, "tenants", LOCAL_TENANT)
        yield warning(path, wrong, "set local_key: true, or leave it out")


def _candidates(at: Path, rule: RuleConfig, served: set[str]) -> Iterator[ConfigFinding]:
    for number, model in enumerate(rule.models):
        if model not in served:
            known = ", ".join(sorted(served)[:NAMES_SHOWN_MAX])
            instead = did_you_mean(model, served) or f"served are {known}"
            path = (*at, "candidates", number)
            yield error(path, "no pool and no offer serves this model", instead, given(model))


def _floors(at: Path, rule: RuleConfig, config: GatewayConfig) -> Iterator[ConfigFinding]:
    """A model without a score passes every floor until results have come in."""
    for number, each in enumerate(rule.candidates):
        floor = rule.quality_floor if each.quality_floor is None else each.quality_floor
        known = config.quality.get(each.model)
        tasks = {} if known is None else known.tasks
        is_scored = known is not None and (known.overall is not None or rule.tasks <= tasks.keys())
        if floor > 0 and not is_scored:
            wrong = f"has no score in quality: it passes the floor of {floor:g} until it was seen"
            yield warning((*at, "candidates", number), wrong, value=given(each.model))


def _times(at: Path, rule: RuleConfig) -> Iterator[ConfigFinding]:
    limit, deadline = rule.first_token_ms_max, rule.deadline_ms
    if limit is not None and deadline is not None and deadline < limit:
        wrong = f"is less than first_token_ms_max, {limit}"
        yield warning((*at, "deadline_ms"), wrong, "", given(deadline))


def _unread(config: GatewayConfig, served: set[str]) -> Iterator[ConfigFinding]:
    for section, models in (("quality", config.quality), ("abilities", config.abilities)):
        for model in models:
            if model not in served:
                wrong = "says something of a model that no pool and no offer serves"
                yield warning((*ROUTING, section, model), wrong, did_you_mean(model, served))
    tasks = {task for rule in config.rules.values() for task in rule.tasks}
    for model, quality in config.quality.items():
        for task in quality.tasks:
            if task not in tasks:
                wrong = "is the score of a task that no rule has"
                path = (*ROUTING, "quality", model, "tasks", task)
                yield warning(path, wrong, did_you_mean(task, tasks))
