"""What a decision costs the scheduler with many replicas and a long queue."""

from __future__ import annotations

from benchmarks.documents.markdown import paragraphs, table
from benchmarks.documents.results import Result
from benchmarks.documents.section import Section

_COMMAND = "python -m benchmarks.studies.scale"


def section(result: Result) -> Section:
    found = result.document["cpu_us_per_decision"]
    rows = [[f"{e['replicas']:,}", f"{e['queued']:,}", f"{e['cpu_us']:.0f}"] for e in found]
    memory = result.document.get("memory_mib") or []
    grown = (
        f"While {result.document['requests']:,} requests stream through eight simulated replicas, "
        f"the process grows from {memory[0]:.0f} to {memory[-1]:.0f} MiB."
        if memory
        else ""
    )
    body = paragraphs(
        "CPU per request, with its arrival, its end, load reports and ticks:",
        table(("replicas", "in the queue", "CPU µs per decision"), rows, ""),
        grown,
        result.in_full(_COMMAND),
    )
    first, last = found[0], found[-1]
    short = (
        f"A decision costs {first['cpu_us']:.0f} µs of CPU with {first['replicas']:,} replicas and "
        f"{last['cpu_us']:.0f} µs with {last['replicas']:,} replicas and {last['queued']:,} "
        "requests in the queue, load reports and ticks included."
    )
    return Section("Decisions at scale", body, short=short)
