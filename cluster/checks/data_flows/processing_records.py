"""Records of processing: who has whose personal data, where, by which agreement, and how long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cluster.checks.data_flows.flows import ALLOWED
from cluster.checks.data_flows.map_schema import Flow, Recipient, Record
from runtime.config import GatewayConfig
from runtime.wire.tags import Sensitivity, is_personal


def records(
    config: GatewayConfig, flows: Iterable[Flow], recipients: Sequence[Recipient]
) -> Iterator[Record]:
    """One for each tenant, of the feature and the task that its configuration names."""
    by_target = {each.target: each for each in recipients}
    personal = [each for each in flows if any(map(_is_personal, each.sensitivities))]
    of_tenant: dict[str, list[Flow]] = {}
    for flow in personal:
        for tenant in flow.tenants:
            of_tenant.setdefault(tenant, []).append(flow)
    for tenant, found in of_tenant.items():
        yield _record(config, tenant, found, by_target)


def _record(
    config: GatewayConfig,
    tenant: str,
    flows: Sequence[Flow],
    by_target: Mapping[str, Recipient],
) -> Record:
    terms = config.tenants.get(tenant)
    defaults = terms.defaults if terms is not None else None
    allowed = [each for flow in flows for each in flow.verdicts if each.code == ALLOWED]
    having = [by_target[name] for name in dict.fromkeys(each.target for each in allowed)]
    kept = [each.retention_days for each in having]
    return Record(
        tenant=tenant,
        feature=defaults.feature if defaults else None,
        task=defaults.task if defaults else None,
        users_in=list(dict.fromkeys(user for flow in flows for user in flow.users_in)),
        data_classes=flows[0].data_classes,
        recipients=sorted({each.operator or each.target for each in having}),
        countries=_joined(
            [each.inference_jurisdictions for each in having]
            + [each.storage_regions for each in having]
        ),
        leaves_to=_joined([each.leaves_to for each in allowed]),
        agreements=sorted({name for each in allowed for name in each.agreements}),
        retention_days=max((days for days in kept if days is not None), default=None)
        if None not in kept
        else None,
        evidence_days=config.compliance.retain_days,
    )


def _joined(places: Sequence[list[str] | None]) -> list[str] | None:
    """None where one of them is not known."""
    if any(each is None for each in places):
        return None
    return sorted({place for each in places for place in each or ()})


def _is_personal(sensitivity: str) -> bool:
    return is_personal(Sensitivity(sensitivity))
