"""The planner's factors from measured rows, and their error on models that a fit never saw.

Errors are of logarithms, so that half and twice count alike; far ones count by their distance, not
its square. Every model weighs the same, however many rows it has. Each factor is held near what
is known of such hardware, the more the less the rows say about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from benchmarks.fits.planner_rows import Row
from models.sizing.kv_cache import default_kv_dtype
from models.speed.roofline import Engine, Factors, times
from models.speed.work import Work, work_of

Array = NDArray[np.float64]

TTFT_WEIGHT = 0.4  # its rows hold queues and tokenizers that no card explains
SPREAD = 0.15  # of a prediction's logarithm, up to which errors count by their square
EVALUATIONS_MAX = 60


@dataclass(frozen=True, slots=True)
class Prior:
    """What a factor is near, and how far off (in logarithms) it is easily."""

    value: float
    spread: float
    meaning: str


FACTORS: dict[str, Prior] = {
    "read_shared": Prior(0.85, 0.1, "of the bandwidth: other weights, keys and values"),
    "read_routed": Prior(0.8, 0.15, "of the bandwidth: routed experts"),
    "compute_shared": Prior(0.65, 0.2, "of the dense peak: other weights"),
    "compute_routed": Prior(0.4, 0.3, "of the dense peak: routed experts"),
    "compute_attention": Prior(0.5, 0.3, "of the BF16 peak: attention"),
    "link": Prior(0.6, 0.3, "of one way of a link"),
    "passes": Prior(6.0, 0.4, "activations through memory, per layer or visited expert"),
    "layer_s": Prior(60e-6, 0.3, "launches of a layer"),
    "moe_layer_s": Prior(30e-6, 0.3, "added by routed experts"),
    "latent_layer_s": Prior(20e-6, 0.3, "added by latent attention"),
    "sparse_layer_s": Prior(50e-6, 0.4, "added by an indexer; one model in the rows has it"),
    "hop_s": Prior(4e-6, 0.4, "before a message between cards flows"),
    "step_s": Prior(0.5e-3, 0.4, "of the CPU, per step"),
    "request_s": Prior(15e-6, 0.4, "of the CPU, per step and running request"),
    "prompt_launches": Prior(8.0, 0.3, "launches of a step with a prompt, in those of decode"),
    "prompt_launches_felt": Prior(0.3, 0.5, "share of them that running requests wait for"),
    "queue": Prior(0.06, 0.5, "share of the other clients' prompts that a prompt waits for"),
}
ENGINE: dict[str, Prior] = {
    "layer": Prior(1.0, 0.15, "times the launches of a layer"),
    "first_token_s": Prior(0.05, 0.7, "added to the first token"),
}
OTHER_ENGINES = ("sglang", "trtllm")
VLLM = Engine()


@dataclass(frozen=True, slots=True)
class Fitted:
    factors: Factors
    engines: dict[str, Engine]

    @property
    def parameters(self) -> int:
        return len(FACTORS) + len(ENGINE) * len(OTHER_ENGINES)


@dataclass(frozen=True, slots=True)
class Columns:
    """The rows as columns: ``work`` has an array in each field, which the formulas do not mind."""

    work: Work
    engines: tuple[str, ...]
    engine_index: NDArray[np.intp]  # of each row, in ``engines``
    ttft_s: Array
    tpot_s: Array

    def predict(self, fitted: Fitted) -> tuple[Array, Array]:
        """TTFT in the closed loop and TPOT, in seconds."""
        engines = [fitted.engines[name] for name in self.engines]
        by_row = {
            field.name: np.array([getattr(each, field.name) for each in engines])[self.engine_index]
            for field in fields(Engine)
        }
        found = times(self.work, fitted.factors, cast(Any, Engine)(**by_row))
        return cast(Array, found.ttft_closed_loop_s), cast(Array, found.tpot_s)


def columns(rows: Sequence[Row]) -> Columns:
    works = [
        work_of(row.shape, row.layout, row.card, row.load, default_kv_dtype(row.shape))
        for row in rows
    ]
    by_field = {
        field.name: np.array([getattr(work, field.name) for work in works], dtype=float)
        for field in fields(Work)
    }
    engines = tuple(sorted({row.engine for row in rows}))
    return Columns(
        work=cast(Any, Work)(**by_field),
        engines=engines,
        engine_index=np.array([engines.index(row.engine) for row in rows]),
        ttft_s=np.array([row.ttft_ms for row in rows]) / 1e3,
        tpot_s=np.array([row.tpot_ms for row in rows]) / 1e3,
    )


def fit(rows: Sequence[Row]) -> Fitted:
    table = columns(rows)
    counts = Counter(row.model for row in rows)
    weights = np.array([counts[row.model] ** -0.5 for row in rows])
    weights /= np.sqrt(np.mean(weights**2))
    priors = [*FACTORS.values(), *(prior for _ in OTHER_ENGINES for prior in ENGINE.values())]
    start = np.log([prior.value for prior in priors])
    spreads = np.array([prior.spread for prior in priors])

    def residuals(logs: Array) -> Array:
        ttft_s, tpot_s = table.predict(_fitted(logs))
        tpot = _bounded(np.log(tpot_s / table.tpot_s)) * weights
        ttft = _bounded(np.log(ttft_s / table.ttft_s) * TTFT_WEIGHT) * weights
        return np.concatenate([tpot, ttft, (logs - start) / spreads])

    found = least_squares(residuals, start, max_nfev=EVALUATIONS_MAX)
    return _fitted(found.x)


def held_out(rows: Sequence[Row], also: Sequence[Row] = ()) -> tuple[Array, Array]:
    """TTFT and TPOT in seconds of each row, by a fit to the rows of all other models.

    ``also`` are rows to predict that no fit sees; they come last.
    """
    asked = [*rows, *also]
    models = np.array([row.model for row in asked])
    ttft_s, tpot_s = np.zeros(len(asked)), np.zeros(len(asked))
    for model in sorted(set(models)):
        others = fit([row for row in rows if row.model != model])
        table = columns([row for row in asked if row.model == model])
        ttft_s[models == model], tpot_s[models == model] = table.predict(others)
    return ttft_s, tpot_s


def _bounded(errors: Array) -> Array:
    """Square roots of soft absolute losses: squares near 0, absolute values far from it."""
    scaled = errors / SPREAD
    return cast(Array, np.sqrt(2 * (np.sqrt(1 + scaled**2) - 1)) * np.sign(errors) * 5**-0.5)


def _fitted(logs: Array) -> Fitted:
    values = iter(np.exp(logs).tolist())
    factors = Factors(**{name: next(values) for name in FACTORS})
    engines = {name: Engine(**{key: next(values) for key in ENGINE}) for name in OTHER_ENGINES}
    return Fitted(factors, {"vllm": VLLM} | engines)
