"""A plan together with what it is a plan for: the model as it was named, its shape, its engine."""

from __future__ import annotations

from dataclasses import dataclass

from models.catalogue import Model
from models.layout import Layout
from models.planned_vllm_flags import engine_args
from models.planner import MEMORY_UTILIZATION, LayoutPlan, Plan
from models.shape import Shape
from models.sizing.kv_cache import kv_bytes_per_token_per_card
from models.vllm_flags import Flags


@dataclass(frozen=True, slots=True)
class Planned:
    """``model`` is None for a config that is not in the catalogue."""

    name: str
    shape: Shape
    model: Model | None
    plan: Plan

    def kv_bytes_per_token_per_card(self, layout: Layout) -> int:
        return kv_bytes_per_token_per_card(self.shape, layout, self.plan.kv_dtype)

    def engine_args(self, found: LayoutPlan) -> Flags:
        assert found.fit is not None, "only a layout that fits has arguments"  # noqa: S101
        return engine_args(
            self.model,
            found.layout,
            self.plan.card,
            context_tokens_max=self.shape.context_tokens_max,
            running_max=max(1, -(-found.concurrency // found.layout.dp)),
            batched_tokens_max=found.fit.batched_tokens_max,
            kv_dtype=self.plan.kv_dtype,
            memory_utilization=MEMORY_UTILIZATION,
        )
