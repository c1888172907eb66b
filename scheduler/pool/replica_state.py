"""The state of one replica: the tokens that this scheduler has in flight there, and its reports.

Sums are kept incrementally, so that a decision costs the same whatever is in flight. A request
reserves its prompt and its expected answer, and the expectation is raised as the answer streams.
Work that the report shows beyond the state belongs to other schedulers and takes room as well.
An absurd report is not taken in, and takes away the trust in the one before it: both leave only
the in-flight level that the last good report showed to be safe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt

from scheduler.arrival import Arrival
from scheduler.decision import Refusal, Verdict, verdicts_on
from scheduler.learned.lengths import LengthCurve
from scheduler.pool.circuit_breaker import Breaker
from scheduler.replica import EngineLimits, EngineLoad, LoadReport, Replica
from scheduler.settings import Settings
from scheduler.target import Target

PREFILL_TOK_S_MAX = 1e8
DECODE_STEP_S_MAX = 60.0
REFINE_TOKENS = 16  # streamed before an expectation is first looked at again, then at each doubling
# Room for the sum of the answers to be longer than expected, in standard deviations; a length's
# own deviation is taken as its mean, as in an exponential distribution.
SAFETY_DEVIATIONS = 2.0


def is_plausible(report: EngineLoad, limits: EngineLimits) -> bool:
    """Comparisons are written so that NaN fails them."""
    prefill, step = report.prefill_tok_s, report.decode_step_s
    return (
        0 <= report.running <= limits.max_num_seqs
        and 0 <= report.kv_tokens_used <= limits.kv_tokens_max
        and report.waiting >= 0
        and report.waiting_prefill_tokens >= 0
        and (prefill is None or 0 < prefill <= PREFILL_TOK_S_MAX)
        and (step is None or 0 < step <= DECODE_STEP_S_MAX)
    )


@dataclass(slots=True)
class InFlightEntry:
    """One request in flight."""

    prompt_tokens: int
    prefill_tokens: int  # of the prompt, without what the prefix cache holds
    output_tokens_max: int
    output_tokens: int  # expected
    lengths: LengthCurve | None
    streamed_tokens: int = 0
    refine_at_tokens: int = REFINE_TOKENS


@dataclass(slots=True, eq=False)
class ReplicaState:
    replica: Replica
    breaker: Breaker = field(default_factory=Breaker)
    is_alive: bool = True
    entries: dict[str, InFlightEntry] = field(default_factory=dict)
    prompt_tokens: int = 0  # this and the next four: sums over the entries
    output_tokens: int = 0
    streamed_tokens: int = 0
    prefill_tokens_waiting: int = 0  # of requests without a first token
    output_squares: int = 0
    report: LoadReport | None = None  # the last good one
    reported_at: float | None = None
    costed: LoadReport | None = None  # the last one that was learned from
    is_trusted: bool = False
    has_news: bool = True  # since it was last found to have no room, it may have got some
    safe_in_flight: int = 0
    untracked_requests: int = 0
    untracked_kv_tokens: int = 0

    target: Target = field(init=False)
    verdicts: Mapping[Refusal | None, Verdict] = field(init=False)

    def __post_init__(self) -> None:
        self.target = self.replica.target
        self.verdicts = verdicts_on(self.target)

    def add(self, arrival: Arrival, prefill_tokens: int) -> None:
        expected = arrival.output_tokens_expected
        entry = InFlightEntry(
            arrival.prompt_tokens,
            prefill_tokens,
            max(expected, arrival.max_output_tokens),
            expected,
            arrival.lengths,
        )
        self.entries[arrival.request_id] = entry
        self.prompt_tokens += entry.prompt_tokens
        self.output_tokens += expected
        self.output_squares += expected * expected
        self.prefill_tokens_waiting += prefill_tokens

    def progress(self, request_id: str, tokens_out: int) -> None:
        entry = self.entries[request_id]
        tokens = min(tokens_out, entry.output_tokens_max)
        if tokens <= entry.streamed_tokens:
            return
        if entry.streamed_tokens == 0:
            self.prefill_tokens_waiting -= entry.prefill_tokens
            self.has_news = True
        self.streamed_tokens += tokens - entry.streamed_tokens
        entry.streamed_tokens = tokens
        if tokens >= entry.refine_at_tokens or tokens >= entry.output_tokens:
            entry.refine_at_tokens = 2 * tokens
            self._expect(entry, self._refined(entry))

    def _refined(self, entry: InFlightEntry) -> int:
        """The expected answer, given that so much of it has streamed."""
        streamed, output_tokens_max = entry.streamed_tokens, entry.output_tokens_max
        if entry.lengths is not None:
            expected = round(entry.lengths.expected_total(streamed, output_tokens_max))
        else:
            expected = entry.output_tokens
            while expected <= streamed:
                expected *= 2
        return min(output_tokens_max, max(expected, streamed + 1))

    def _expect(self, entry: InFlightEntry, output_tokens: int) -> None:
        self.output_tokens += output_tokens - entry.output_tokens
        self.output_squares += output_tokens**2 - entry.output_tokens**2
        entry.output_tokens = output_tokens

    def remove(self, request_id: str) -> None:
        entry = self.entries.pop(request_id)
        self.has_news = True
        self.prompt_tokens -= entry.prompt_tokens
        self.output_tokens -= entry.output_tokens
        self.output_squares -= entry.output_tokens**2
        self.streamed_tokens -= entry.streamed_tokens
        if entry.streamed_tokens == 0:
            self.prefill_tokens_waiting -= entry.prefill_tokens

    def take_report(self, report: LoadReport, now: float) -> bool:
        """Take in a report of this generation. False if it was absurd."""
        was_trusted, self.is_trusted = self.is_trusted, is_plausible(report, self.replica.limits)
        if not self.is_trusted:
            return False
        queued, untracked_requests = self.engine_queues, self.untracked_requests
        self.report, self.reported_at = report, now
        kv_tokens_held = self.prompt_tokens + self.streamed_tokens
        self.untracked_kv_tokens = max(0, report.kv_tokens_used - kv_tokens_held)
        self.untracked_requests = max(0, report.running + report.waiting - len(self.entries))
        if not self.engine_queues:
            self.safe_in_flight = len(self.entries)
        self.has_news |= not was_trusted or (queued and not self.engine_queues)
        self.has_news |= self.untracked_requests < untracked_requests
        return True

    def is_fresh(self, settings: Settings, now: float) -> bool:
        if not self.is_trusted or self.reported_at is None:
            return False
        return now - self.reported_at <= settings.admission.report_age_ms_max / 1000

    @property
    def engine_queues(self) -> bool:
        """More waits in the engine than its next step can take in. A request that has just
        arrived there also counts as waiting, and must not keep the next one out."""
        report, limits = self.report, self.replica.limits
        if report is None or report.waiting == 0:
            return False
        return (
            report.running + report.waiting > limits.max_num_seqs
            or report.waiting_prefill_tokens > limits.max_num_batched_tokens
            or report.kv_tokens_used + report.waiting_prefill_tokens > limits.kv_tokens_max
        )

    @property
    def in_flight(self) -> int:
        return len(self.entries)

    @property
    def kv_tokens_reserved(self) -> int:
        return self.prompt_tokens + self.output_tokens

    @property
    def kv_share(self) -> float:
        return self.kv_tokens_reserved / self.replica.limits.kv_tokens_max

    def slots_free(self, settings: Settings, is_fresh: bool) -> int:
        """Requests that may be added. Without a fresh report, growth is frozen."""
        max_num_seqs = self.replica.limits.max_num_seqs
        if is_fresh:
            return max_num_seqs - len(self.entries) - self.untracked_requests
        safe = max(settings.admission.ramp_requests, self.safe_in_flight)
        return min(safe, max_num_seqs) - len(self.entries)

    def has_kv_room(
        self, prompt_tokens: int, output_tokens: int, settings: Settings, is_fresh: bool
    ) -> bool:
        """Whether the future peak of the batch, this request included, fits the KV cache.

        The peak (Past-Future, arXiv 2507.10150) is at one of the ends: until then all that are
        still there have grown by the same number of tokens. It is looked for only where the sum
        of all that will ever be held does not fit anyway.
        """
        limits = self.replica.limits
        room = int(limits.kv_tokens_max * (1 - settings.admission.kv_headroom))
        # Each request leaves its last block unfilled. What the engine reports beyond the state
        # has that in it already, besides what other schedulers hold.
        unfilled = (len(self.entries) + 1) * (limits.kv_block_tokens - 1)
        room -= max(unfilled, self.untracked_kv_tokens if is_fresh else 0)
        room -= int(SAFETY_DEVIATIONS * sqrt(self.output_squares + output_tokens**2))
        if self.kv_tokens_reserved + prompt_tokens + output_tokens <= room:
            return True
        held_most = self.prompt_tokens + self.streamed_tokens + prompt_tokens
        return held_most < room and self._peak(prompt_tokens, output_tokens) <= room

    def _peak(self, prompt_tokens: int, output_tokens: int) -> int:
        batch = [
            (
                entry.output_tokens - entry.streamed_tokens,
                entry.prompt_tokens + entry.streamed_tokens,
            )
            for entry in self.entries.values()
        ]
        batch.append((output_tokens, prompt_tokens))
        batch.sort(reverse=True)
        peak = held = 0
        for count, (left, tokens) in enumerate(batch, 1):
            held += tokens
            peak = max(peak, held + count * left)
        return peak

    def prefill_tok_s(self, settings: Settings) -> float:
        measured = self.report.prefill_tok_s if self.report else None
        return measured or settings.admission.prefill_tok_s_assumed
