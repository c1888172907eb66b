"""How one engine is started, and what it turned out to be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from models.config_values import written
from models.layout import CARDS_PER_NODE, Layout
from models.vllm_flags import LAYOUT_FLAGS, ranks_per_node
from runtime.config_problems import given, wrong_at
from runtime.engine.allowed_vllm_flags import why_refused
from scheduler.replica import EngineLimits

VLLM_FLAGS_MAX = 64  # entries of `vllm_flags`
CARDS_MAX = 64  # of one engine
# Keys that had other names than vLLM's; files that have them stay valid.
OLDER_NAMES = {"max_num_seqs": "running_max", "max_num_batched_tokens": "batched_tokens_max"}


def _flag_value(value: Any) -> Any:
    if not isinstance(value, str | int | float):
        raise ValueError(f"expected text, a number, true or false, got {given(value)}")
    return value


def _or_older(name: str) -> AliasChoices:
    return AliasChoices(name, OLDER_NAMES[name])


FlagValue = Annotated[Any, BeforeValidator(_flag_value), written("text, a number, true or false")]


class EngineSettings(BaseModel):
    """Start-up settings of one engine.

    ``vllm_flags`` are vLLM's own command-line flags without the dashes, for what has no name
    here. Flags that this class owns, or that would run foreign code, are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str = Field(max_length=128)
    """Catalogue id of the model, which is the name that clients ask for."""
    checkpoint: Path
    """Folder of the weights."""
    context_tokens_max: int = Field(default=4096, ge=16)
    """Tokens that prompt and answer of one request may have together (max-model-len)."""
    max_num_seqs: int = Field(default=32, ge=1, validation_alias=_or_older("max_num_seqs"))
    """Requests that one rank runs at once. `running_max` is its older name."""
    max_num_batched_tokens: int = Field(
        default=2048, ge=16, validation_alias=_or_older("max_num_batched_tokens")
    )
    """Tokens of one step of a rank, at least max_num_seqs. `batched_tokens_max` is its older
    name."""
    kv_blocks: int | None = Field(default=None, ge=8)
    """KV cache in blocks (num-gpu-blocks-override); none lets vLLM take the memory it finds."""
    tensor_parallel: int = Field(default=1, ge=1)
    """Cards that share each layer (tensor-parallel-size)."""
    pipeline_parallel: int = Field(default=1, ge=1)
    """Stages that the layers are cut into (pipeline-parallel-size)."""
    data_parallel: int = Field(default=1, ge=1)
    """Ranks with a KV cache each; the Scheduler takes each for a replica (data-parallel-size)."""
    data_parallel_local: int | None = Field(default=None, ge=1)
    """Ranks per node (data-parallel-size-local); none works it out."""
    expert_parallel: bool = False
    """Whether each expert is whole on some card, not cut over all (enable-expert-parallel)."""
    context_parallel: int = Field(default=1, ge=1)
    """Cards that share the KV cache of one request (decode-context-parallel-size)."""
    cards_per_node: int = Field(default=CARDS_PER_NODE, ge=1)
    """Cards of one node, from which follows how many nodes a layout takes."""
    tool_parser: str | None = None
    """vLLM's parser of tool calls (tool-call-parser); none takes the catalogue's."""
    reasoning_parser: str | None = None
    """vLLM's parser of reasoning (reasoning-parser); none takes the catalogue's."""
    device: Annotated[str, written("auto, cpu or cuda")] = Field(
        default="auto", pattern="^(auto|cpu|cuda)$"
    )
    """What the engine computes on; `auto` takes what the installed vLLM is made for."""
    vllm_flags: dict[str, FlagValue] = Field(default_factory=dict, max_length=VLLM_FLAGS_MAX)
    """vLLM's own flags without their dashes, for what has no key here."""

    @model_validator(mode="before")
    @classmethod
    def _by_one_name(cls, data: Any) -> Any:
        for name, older in OLDER_NAMES.items():
            if isinstance(data, Mapping) and name in data and older in data:
                raise wrong_at((older,), f"is the older name of {name}, which is given, too")
        return data

    @model_validator(mode="after")
    def _flags_may_be_given(self) -> Self:
        for name in self.vllm_flags:
            if (why := why_refused(name)) is not None:
                raise wrong_at(("vllm_flags", name), why)
        return self

    @model_validator(mode="after")
    def _batch_holds_what_runs(self) -> Self:
        """As vLLM's ``SchedulerConfig`` refuses it."""
        if self.max_num_batched_tokens < self.max_num_seqs:
            wrong = f"is less than max_num_seqs, {self.max_num_seqs}: each takes a token of a step"
            raise wrong_at(("max_num_batched_tokens",), wrong)
        return self

    @model_validator(mode="after")
    def _fits_nodes(self) -> Self:
        layout = self.layout
        if layout.cards > CARDS_MAX:
            raise ValueError(f"{layout} takes {layout.cards} cards; one engine has {CARDS_MAX}")
        if layout.nodes > 1 and layout.cards % self.cards_per_node:
            raise ValueError(
                f"{layout} takes {layout.cards} cards: more than one node of "
                f"{self.cards_per_node}, and then it must fill its nodes"
            )
        return self

    @property
    def layout(self) -> Layout:
        sizes = {each.size: getattr(self, each.setting) for each in LAYOUT_FLAGS}
        return Layout(**sizes, cards_per_node=self.cards_per_node)

    @property
    def cards_per_rank(self) -> int:
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def ranks_per_node(self) -> int:
        """1 also where a rank takes several nodes."""
        return self.data_parallel_local or ranks_per_node(self.layout)


class EngineFacts(BaseModel):
    """What the engine reports about itself once it has started.

    Each data-parallel rank has its own KV cache and runs its own requests, so the limits are
    those of one rank.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    engine: str  # name and version
    limits: EngineLimits
    kv_blocks: int | None = None
    weights_bytes: int | None = None  # of the card that holds most
    ranks: int = 1  # data-parallel
    started_s: float  # seconds that the start took
