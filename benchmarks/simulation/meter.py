"""What a modelled replica counts about its steps: totals, and the running averages it reports.

The averages are those of a real engine's meter: a step with prefill says how fast prompts are
read, any other how long a decode step lasts.
"""

from __future__ import annotations

from dataclasses import dataclass

AVERAGE_WEIGHT = 0.1  # of the newest sample in the running averages


@dataclass(slots=True)
class Meter:
    busy_s: float = 0.0
    steps: int = 0
    prefilled_tokens: int = 0
    decoded_tokens: int = 0
    prefix_hit_tokens: int = 0
    preemptions: int = 0
    prefill_tok_s: float | None = None
    decode_step_s: float | None = None

    def on_step(self, step_s: float, prefilled: int, decoded: int) -> None:
        """One step has ended."""
        self.busy_s += step_s
        self.steps += 1
        self.prefilled_tokens += prefilled
        self.decoded_tokens += decoded
        if prefilled:
            self.prefill_tok_s = _average(self.prefill_tok_s, prefilled / step_s)
        elif decoded:
            self.decode_step_s = _average(self.decode_step_s, step_s)


def _average(old: float | None, sample: float) -> float:
    return sample if old is None else old + AVERAGE_WEIGHT * (sample - old)
