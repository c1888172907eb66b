"""The evidence of a request and of each target that it is sent to, from what its gateway knows."""

from __future__ import annotations

from datetime import timedelta

from runtime.detect.personal_data import Finding
from runtime.gateway import Gateway
from runtime.request.evidence import Evidence, Found, words_of
from runtime.targets.build_compliance_matrix import traits_of
from runtime.targets.provider_accounts import utc_today
from runtime.wire.tags import Tags
from scheduler.compliance.compliance_matrix import LOCAL
from scheduler.compliance.request_traits import Traits
from scheduler.compliance.verdict_grounds import Grounds
from scheduler.target import Target, TargetKind


def evidence_of(
    gateway: Gateway,
    tenant: str,
    said: Tags,
    effective: Tags,
    finding: Finding | None,
    asked: str,
) -> Evidence:
    """The evidence before any target was looked at; ``finding`` is None where nobody looked for
    anything, and ``asked`` what the request calls its model."""
    days = timedelta(gateway.config.compliance.retain_days)
    return Evidence(
        said=words_of(said),
        effective=words_of(effective),
        traits=traits_of(gateway.config, tenant, effective),
        found=None if finding is None else Found.of(finding),
        config_version=gateway.config_version,
        matrix_version=gateway.matrix.version,
        retain_until=utc_today(gateway.clock) + days,
        asked=asked,
    )


def grounds_of(gateway: Gateway, target: Target, traits: Traits, model: str) -> Grounds | None:
    """What it rests on that the target may have requests of this kind, which the model answers."""
    name = LOCAL if target.kind is TargetKind.LOCAL else target.id
    return gateway.matrix.grounds(name, traits, utc_today(gateway.clock), model)
