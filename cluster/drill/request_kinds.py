"""The kinds of requests that a drill sends: each rule or model, kind of tenant, and data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from cluster.checks.data_flows.flows import Flows
from cluster.checks.data_flows.recipients import targets_of
from cluster.checks.data_flows.tenant_kinds import (
    ELSEWHERE,
    TenantKind,
    UserIn,
    a_country_elsewhere,
    named_countries,
    tenant_kinds,
    users_of,
)
from runtime.config import GatewayConfig
from runtime.config_rules import AUTO, DEFAULT_TASK
from runtime.wire.tag_terms import TagTerms
from runtime.wire.tags import Sensitivity, header_of, stricter

FEATURE = "drill"
PERSONAL_TEXT = "Please write to user123@mail.example.com about the order."
PLAIN_TEXT = "Please say in one sentence what a river is."
ANSWER_TOKENS_MAX = 32
DEADLINE_S = 3_600  # later than the drill ends


@dataclass(frozen=True, slots=True)
class RequestKind:
    """``asked`` is a rule's name, or a model's where ``is_rule`` is false. ``sensitivity`` is what
    the request counts as: a text with personal data says nothing of it, it has to be found."""

    asked: str
    is_rule: bool
    task: str | None
    tenants: tuple[str, ...]  # the first of them asks for all
    tenant_kind: TenantKind
    user_in: UserIn
    is_personal: bool
    sensitivity: Sensitivity
    headers: Mapping[str, str]

    @property
    def model(self) -> str:
        """What the request names as its model."""
        return AUTO if self.is_rule and self.task is not None else self.asked

    @property
    def tenant(self) -> str:
        return self.tenants[0]

    @property
    def text(self) -> str:
        return PERSONAL_TEXT if self.is_personal else PLAIN_TEXT


def request_kinds(
    config: GatewayConfig, pools: list[str], today: date, *, has_local_key: bool
) -> list[RequestKind]:
    """Tenants of which the same holds are one kind, and so are countries of an edge's users."""
    targets = targets_of(config, pools)
    flows = Flows(config, targets)
    facts = {each.name: each.facts for each in targets}
    elsewhere = a_country_elsewhere(named_countries(config.compliance.rules, facts))
    found = []
    for kind, names in _tenants(config, has_local_key=has_local_key):
        users = dict.fromkeys(flow.users_in[0] for flow in flows.of(kind, names, today))
        for user in users if kind.is_edge else users_of(kind, ()):
            country = elsewhere if user == ELSEWHERE else user
            found += [
                made
                for asked in _asked(config, pools)
                for made in _of_data(config, names, kind, country, asked)
            ]
    return found


def _tenants(
    config: GatewayConfig, *, has_local_key: bool
) -> Iterator[tuple[TenantKind, tuple[str, ...]]]:
    """Those of one kind whose requests need the same tags and have the same by default."""
    for kind, names in tenant_kinds(config, has_local_key=has_local_key).items():
        alike: dict[TagTerms, list[str]] = {}
        for name in names:
            alike.setdefault(config.tag_terms(name), []).append(name)
        yield from ((kind, tuple(each)) for each in alike.values())


def _asked(config: GatewayConfig, pools: list[str]) -> list[tuple[str, str | None, bool]]:
    """Every rule, with a task of it, and every model that stands in no rule."""
    rules: list[tuple[str, str | None, bool]] = [
        (name, min(rule.tasks - {DEFAULT_TASK}, default=None), True)
        for name, rule in config.rules.items()
    ]
    ruled = {model for rule in config.rules.values() for model in rule.models}
    sold = {model for provider in config.providers.values() for model in provider.offers}
    return rules + [(model, None, False) for model in sorted({*pools, *sold} - ruled)]


def _of_data(
    config: GatewayConfig,
    tenants: tuple[str, ...],
    kind: TenantKind,
    user_in: UserIn,
    asked: tuple[str, str | None, bool],
) -> Iterator[RequestKind]:
    terms = config.tag_terms(tenants[0])
    name, task, is_rule = asked
    if "region" in terms.required and user_in is None:
        return
    for is_personal in (False, True):
        usual = terms.defaults.sensitivity
        said = {"sensitivity": usual.value, "region": user_in or ""}
        said |= {"feature": FEATURE, "task": task or FEATURE, "locale": "en"}
        said |= {"latency_budget_ms": str(config.ttft_budget_ms), "cost_tier": "standard"}
        until = datetime.now(UTC) + timedelta(seconds=DEADLINE_S)
        said["deadline"] = until.isoformat()
        tags = {*terms.required, "feature"} | ({"task"} if task else set())
        tags |= {"region"} if kind.is_edge and user_in else set()
        yield RequestKind(
            asked=name,
            is_rule=is_rule,
            task=task,
            tenants=tenants,
            tenant_kind=kind,
            user_in=user_in,
            is_personal=is_personal,
            sensitivity=stricter(usual, Sensitivity.PII) if is_personal else usual,
            headers={header_of(tag): said[tag] for tag in sorted(tags)},
        )
