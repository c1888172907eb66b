"""The map of one configuration."""

from __future__ import annotations

from datetime import date

from cluster.checks.data_flows.agreement_endings import endings
from cluster.checks.data_flows.flows import Flows
from cluster.checks.data_flows.map_schema import DataFlowMap
from cluster.checks.data_flows.processing_records import records
from cluster.checks.data_flows.recipients import recipient, targets_of
from cluster.checks.data_flows.tenant_kinds import tenant_kinds
from cluster.profile import Profile


def data_flow_map(name: str, profile: Profile, today: date) -> DataFlowMap:
    """``name`` is the file's."""
    config, args = profile.routing, profile.args
    flows = Flows(config, targets_of(config, [pool.model for pool in args.pools]))
    tenants = tenant_kinds(config, has_local_key=args.local_key)
    found = [flow for kind, names in tenants.items() for flow in flows.of(kind, names, today)]
    having = [recipient(target, today) for target in flows.targets]
    return DataFlowMap(
        config=name,
        as_of=today,
        packs=list(config.compliance.packs),
        version=flows.matrix.version,
        endings=endings(flows, tenants, today),
        recipients=having,
        flows=found,
        records=list(records(config, found, having)),
    )
