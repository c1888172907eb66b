"""The Prometheus series of attempts that ended. To find a series by its labels costs more than to
add to it, so those of a model and a place are looked up once."""

from __future__ import annotations

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram

from models.money import NANO_PER_USD
from runtime.ledger.rows import Settle
from scheduler.decision import Reason

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_PLACE = ("model", "place")


@dataclass(frozen=True, slots=True)
class _Of:
    """One model at one place, "local" or "offer"."""

    prompt_tokens: Counter
    completion_tokens: Counter
    cost_usd: Counter
    ttft_s: Histogram
    held_s: Histogram
    ended: dict[tuple[Reason, str], Counter] = field(default_factory=dict)  # by reason and outcome


class AttemptSeries:
    """Models, places, reasons and outcomes are from the configuration and from enums: bounded."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._ended = Counter(
            "baseload_attempts",
            "Attempts that ended: requests, each once for every target that it was sent to",
            (*_PLACE, "reason", "outcome"),
            registry=registry,
        )
        self._tokens = Counter(
            "baseload_tokens", "Tokens of ended attempts", (*_PLACE, "kind"), registry=registry
        )
        self._cost = Counter(
            "baseload_cost_usd", "Cost of ended attempts, in USD", _PLACE, registry=registry
        )
        self._ttft = Histogram(
            "baseload_ttft_seconds",
            "Time from a request's arrival to its first token",
            _PLACE,
            registry=registry,
            buckets=SECONDS,
        )
        self._held = Histogram(
            "baseload_held_seconds",
            "Time from a request's arrival to the decision where to send it",
            _PLACE,
            registry=registry,
            buckets=SECONDS,
        )
        self._of: dict[tuple[str, str], _Of] = {}

    def note(self, model: str, place: str, reason: Reason, outcome: str, row: Settle) -> None:
        of = self._of.get((model, place)) or self._look_up(model, place)
        ended = of.ended.get((reason, outcome))
        if ended is None:
            ended = self._ended.labels(model, place, reason.value, outcome)
            of.ended[reason, outcome] = ended
        ended.inc()
        of.prompt_tokens.inc(row.prompt_tokens or 0)
        of.completion_tokens.inc(row.completion_tokens or 0)
        of.cost_usd.inc(row.cost_nano_usd / NANO_PER_USD)
        of.held_s.observe(row.held_ms / 1000)
        if row.ttft_ms is not None:
            of.ttft_s.observe(row.ttft_ms / 1000)

    def _look_up(self, model: str, place: str) -> _Of:
        found = self._of[model, place] = _Of(
            self._tokens.labels(model, place, "prompt"),
            self._tokens.labels(model, place, "completion"),
            self._cost.labels(model, place),
            self._ttft.labels(model, place),
            self._held.labels(model, place),
        )
        return found
