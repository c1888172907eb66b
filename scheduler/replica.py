"""A local replica, and the raw facts it reports about itself."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.target import Incarnation, Target, TargetKind


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What an engine can take, as it says itself once it has started; where it has data-parallel
    ranks, what one of them can take."""

    kv_tokens_max: int
    context_tokens_max: int
    max_num_seqs: int  # requests that run at once
    max_num_batched_tokens: int  # of one step
    kv_block_tokens: int = 1  # the KV cache is given out in blocks of so many


@dataclass(frozen=True, slots=True)
class Replica:
    """A running engine of a pool, as it registered itself.

    ``generation`` grows with each boot of the same replica, so a late report of a dead
    engine is recognised. The ranks of a data-parallel engine have a KV cache each: every rank
    joins as a replica of its own.
    """

    replica_id: str
    model: str
    generation: int
    limits: EngineLimits

    @property
    def target(self) -> Target:
        return Target(TargetKind.LOCAL, self.replica_id)

    @property
    def incarnation(self) -> Incarnation:
        return Incarnation(self.target, self.generation)


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """What an engine tells about its load: raw values only, verdicts are the scheduler's.

    ``prefill_tok_s`` and ``decode_step_s`` are running averages measured by the engine, None
    until it has measured any. ``kv_tokens_used`` counts whole blocks. The last four are totals
    since the engine's start, 0 where it does not count them.
    """

    running: int
    waiting: int
    kv_tokens_used: int
    waiting_prefill_tokens: int
    prefill_tok_s: float | None
    decode_step_s: float | None
    preemptions: int
    prefix_hit_tokens: int
    busy_s: float = 0.0  # seconds in steps
    steps: int = 0
    prefilled_tokens: int = 0
    decoded_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport(EngineLoad):
    """One push from the engine of this replica, in this boot."""

    replica_id: str
    generation: int
