"""The turns of a conversation that a rule serves: where the last one was, and what is cached there.

Nobody is told that vendors keep prompts: once one has said of a further turn that it read nothing
from a cache, nothing holds the conversation there any more.
"""

from __future__ import annotations

from runtime.request.job import Job
from scheduler.compliance.compliance_matrix import LOCAL
from scheduler.routing.sessions import Kept, Sessions
from scheduler.target import Target, TargetKind


def keep_turn(
    sessions: Sessions, job: Job, target: Target, cached_tokens: int | None, now: float
) -> None:
    """Keeps a turn after a whole answer, of which the target reported so many cached tokens. A
    request that names its model is no rule's, and stays there anyway."""
    arrival = job.arrival
    if not job.rule or not arrival.blocks:
        return
    name = LOCAL if target.kind is TargetKind.LOCAL else target.id
    caches_nothing = arrival.caching_offer == name and not cached_tokens
    kept = Kept(job.model, name, 0 if caches_nothing else arrival.prompt_tokens)
    sessions.served(arrival.blocks, kept, now)
