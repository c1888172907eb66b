"""What an engine's time goes into: seconds per step, per prefilled and per decoded token.

An engine runs in steps, and each takes a fixed time plus a share for every token it handles. The
engine counts its busy seconds, steps and tokens; what grew between two reports is one equation.
From these the three costs are learned per pool, so that a request can be priced in the seconds of
an engine that it takes: the one resource that prefill and decode share.
"""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.arrival import Arrival
from scheduler.learned.least_squares import FadingLeastSquares
from scheduler.replica import EngineLimits, LoadReport
from scheduler.settings import Settings

SAMPLE_S = 1.0  # busy seconds that make one equation
SAMPLE_FADE = 0.98
# How far off the assumed costs may be: the prior counts as one sample that is so many times wrong.
PRIOR_SPREAD = 20.0
SAMPLE_S_MAX, TOKENS_PER_SAMPLE_MAX = 1e6, 1e9  # counters that grew by more are absurd


@dataclass(slots=True)
class StepCost:
    step_s: float
    prefill_token_s: float
    decode_token_s: float
    is_measured: bool
    _model: FadingLeastSquares

    @classmethod
    def assumed(cls, settings: Settings) -> StepCost:
        step_s = settings.admission.decode_step_s_assumed
        prefill_token_s = 1 / settings.admission.prefill_tok_s_assumed
        # A request's share of a step when the batch is full is in ``step_s``.
        first = [step_s, prefill_token_s, 0.0]
        weights = [1 / (PRIOR_SPREAD * cost) ** 2 for cost in (step_s, prefill_token_s, step_s)]
        model = FadingLeastSquares(first, weights, SAMPLE_FADE)
        return cls(step_s, prefill_token_s, 0.0, False, model)

    def learn(self, before: LoadReport, after: LoadReport) -> None:
        """Two reports of one boot, at least ``SAMPLE_S`` busy seconds apart."""
        busy_s = after.busy_s - before.busy_s
        steps = after.steps - before.steps
        prefilled = after.prefilled_tokens - before.prefilled_tokens
        decoded = after.decoded_tokens - before.decoded_tokens
        if not (0 < busy_s < SAMPLE_S_MAX and min(steps, prefilled, decoded) >= 0):
            return
        if not 0 < steps + prefilled + decoded < TOKENS_PER_SAMPLE_MAX:
            return
        self._model.observe((steps, prefilled, decoded), busy_s, 1 / busy_s**2)
        self.step_s, self.prefill_token_s, self.decode_token_s = self._model.solve()
        self.is_measured = True

    def prefill_s(self, tokens: float) -> float:
        return tokens * self.prefill_token_s

    def work_s(self, arrival: Arrival, cached_tokens: float, limits: EngineLimits) -> float:
        """Engine seconds that a request takes. Of the fixed time of its steps it bears the share
        of a full batch that it fills: a slot's, or its KV's where that runs out first."""
        output = arrival.output_tokens_expected
        kv_tokens = arrival.prompt_tokens + output / 2
        share = max(1 / limits.max_num_seqs, kv_tokens / limits.kv_tokens_max)
        decode_s = output * (self.decode_token_s + self.step_s * min(1.0, share))
        return self.prefill_s(max(1.0, arrival.prompt_tokens - cached_tokens)) + decode_s
