"""The main figures of an outcome as people read them: a label, the value, and what it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.pages import UNKNOWN
from benchmarks.simulation.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Figure:
    """``key`` is its name in the JSON."""

    key: str
    label: str
    says: str
    text: Callable[[float], str]

    def of(self, outcome: Outcome) -> str:
        value: float | None = getattr(outcome, self.key)
        return UNKNOWN if value is None else self.text(value)


def usd(value: float) -> str:
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.4f}"


def share(value: float) -> str:
    return f"{value:.1%}"


def duration(value_ms: float) -> str:
    return f"{value_ms:,.0f} ms"


FIGURES = (
    Figure("spend_usd", "spend, USD", "paid, plus what was missed at its price elsewhere", usd),
    Figure("bound_usd", "bound, USD", "what nobody can get below, even knowing the future", usd),
    Figure("buy_all_usd", "buying all, USD", "the same requests without any engine", usd),
    Figure("regret", "regret", "share of the possible saving that was missed", "{:.3f}".format),
    Figure(
        "spend_over_bound", "spend / bound", "how many times the bound was spent", "{:.2f}".format
    ),
    Figure("slo_attainment", "in time", "answered within the budget, of all", "{:.2%}".format),
    Figure("goodput", "goodput, 1/s", "answered in time, per second", "{:,.1f}".format),
    Figure("local_utilization", "use of engines", "work on tokens, of what they can do", share),
    Figure("spilled_share", "bought", "answered by an offer, of all", share),
    Figure("held_p99_ms", "held, p99", "from arrival to decision", duration),
    Figure("ttft_local_p95_ms", "first token here, p95", "of those answered here", duration),
    Figure("ttft_bought_p95_ms", "first token bought, p95", "of those bought", duration),
    Figure(
        "preemptions", "preemptions", "requests that an engine had to start again", "{:,}".format
    ),
    Figure(
        "decisions_per_s", "decisions/s", "of one core that does nothing else", "{:,.0f}".format
    ),
    Figure(
        "cpu_us_per_decision", "CPU per request", "computing of the scheduler", "{:,.0f} µs".format
    ),
)

REGRET_MEANS = (
    "Regret: of what someone who knows the future could save against buying everything, the share "
    "that was not saved. 0 is the bound, 1 is buying everything. Where buying everything is dear, "
    "regret is small whatever was spent: spend / bound shows it."
)


def regret_in_words(outcome: Outcome) -> str:
    """What the regret of one outcome means, in one sentence."""
    if outcome.bound_usd is None:
        return "No regret: without the bound there is nothing to compare with."
    if outcome.regret is None:
        return "No regret: buying everything costs no more than the bound."
    saving = usd(outcome.buy_all_usd - outcome.bound_usd)
    return (
        f"Regret {outcome.regret:.3f}: someone who knows the future could save {saving} USD "
        f"against buying everything; {outcome.regret:.1%} of that was not saved."
    )
