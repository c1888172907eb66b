"""The map as plain lines: what ends first, then what has no target, then all of it."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.checks.data_flows.flows import ALLOWED
from cluster.checks.data_flows.map_schema import DataFlowMap
from cluster.cli.data_flows.map_in_words import (
    of_ending,
    of_flow,
    of_loss,
    of_recipient,
    of_record,
    of_verdict,
    summary,
    title_of,
)

RECORDS_SHOWN = 20


def map_lines(found: DataFlowMap) -> Iterator[str]:
    yield f"Where data of {found.config} may go: {title_of(found)}"
    yield summary(found)
    if found.endings:
        yield from ("", "WHAT ENDS")
        for ending in found.endings:
            yield f"  {of_ending(ending)}"
            yield from (f"    {of_loss(ending, each)}" for each in ending.lost)
            if not ending.lost:
                yield "    No request depends on it."
    if refused := [flow for flow in found.flows if flow.refused_models]:
        yield from ("", "WHAT NOTHING MAY ANSWER")
        yield from (f"  {of_flow(each)}: {', '.join(each.refused_models)}" for each in refused)
    yield from ("", "WHAT MAY GO WHERE")
    for flow in found.flows:
        yield f"  {of_flow(flow)}"
        width = max((len(each.target) for each in flow.verdicts), default=0)
        for each in flow.verdicts:
            is_allowed = "yes" if each.code == ALLOWED else "no "
            yield f"    {is_allowed}  {each.target.ljust(width)}  {of_verdict(each)}"
    yield from ("", "RECIPIENTS")
    for recipient in found.recipients:
        yield f"  {recipient.target}"
        yield from (f"    {name}: {text}" for name, text in of_recipient(recipient).items())
    yield from ("", "RECORDS OF PROCESSING (personal data, by tenant)")
    for record in found.records[:RECORDS_SHOWN]:
        yield "  " + "; ".join(f"{name}: {text}" for name, text in of_record(record).items())
    if (more := len(found.records) - RECORDS_SHOWN) > 0:
        yield f"  and {more} more: --json and --report have all"
