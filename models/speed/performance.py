"""How fast a model runs in a layout on a card, under a load: a prediction, with its error.

Calibrated on one node of H100 and H200 (models/data/calibration.yaml). Other cards take the same
efficiencies at their own figures. A card with little arithmetic for its bandwidth (H20) reaches a
larger share of it: the one public measurement took in prompts of DeepSeek-R1 twice as fast as is
predicted here. No measured row has pipeline stages, context parallelism or several nodes: what the
arithmetic says of those is given at the slow end of its band, so that no plan rests on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.cards import Card
from models.layout import Layout
from models.shape import Shape
from models.sizing.kv_cache import KvDtype, default_kv_dtype
from models.speed.calibration import load_calibration
from models.speed.roofline import times
from models.speed.work import Load, UnknownSpeed, work_of

__all__ = ["Load", "Speed", "UnknownSpeed", "is_tested", "predict"]


@dataclass(frozen=True, slots=True)
class Speed:
    """``ttft_ms`` is that of a request that waits for no other prompt; in a closed loop, some of
    the other clients' prompts are before it. ``tpot_ms`` includes what prompts of others, taken
    in meanwhile, add to each token. The band is that of ``tpot_ms``: models not seen in the fit
    were measured within a factor of ``1 + band_pct / 100`` of it, up or down. ``prompt_share`` is
    the share of the cards' time that prompts take.
    """

    ttft_ms: float
    ttft_closed_loop_ms: float
    tpot_ms: float
    out_tok_s_per_card: float
    band_pct: float
    ttft_band_pct: float
    prompt_share: float


def is_tested(layout: Layout) -> bool:
    """Whether layouts of this kind are among the measured rows."""
    return layout.pp == 1 and layout.dcp == 1 and layout.nodes == 1


def predict(
    shape: Shape,
    layout: Layout,
    card: Card,
    load: Load,
    *,
    kv_dtype: KvDtype | None = None,
    engine: str = "vllm",
) -> Speed:
    """Whether the KV cache holds that many requests is not asked here (models/sizing/memory.py).

    Raises UnknownSpeed for a card without figures, KeyError for an engine never measured.
    """
    calibration = load_calibration()
    work = work_of(shape, layout, card, load, kv_dtype or default_kv_dtype(shape))
    found = times(work, calibration.factors, calibration.engines[engine])
    slower = 1.0 if is_tested(layout) else 1 + calibration.tpot_band_pct / 100
    request_s = (found.ttft_closed_loop_s + load.output_tokens * found.tpot_s) * slower
    return Speed(
        ttft_ms=found.ttft_s * slower * 1e3,
        ttft_closed_loop_ms=found.ttft_closed_loop_s * slower * 1e3,
        tpot_ms=found.tpot_s * slower * 1e3,
        out_tok_s_per_card=load.concurrency * load.output_tokens / request_s / layout.cards,
        band_pct=calibration.tpot_band_pct,
        ttft_band_pct=calibration.ttft_band_pct,
        prompt_share=found.prompts_s / found.tpot_s,
    )
