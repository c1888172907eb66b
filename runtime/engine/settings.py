"""How one engine is started, and what it turned out to be."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

VLLM_FLAGS_MAX = 64  # entries of `vllm_flags`


class EngineSettings(BaseModel):
    """Start-up settings of one engine.

    ``vllm_flags`` are vLLM's own command-line flags without the dashes, for what has no name
    here. Flags that this class owns, or that would run foreign code, are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(max_length=128)  # catalogue id, and the name that clients ask for
    checkpoint: Path
    context_tokens_max: int = Field(default=4096, ge=16)
    running_max: int = Field(default=32, ge=1)
    batched_tokens_max: int = Field(default=2048, ge=16)
    kv_blocks: int | None = Field(default=None, ge=8)
    tensor_parallel: int = Field(default=1, ge=1)
    tool_parser: str | None = None
    reasoning_parser: str | None = None
    device: str = Field(default="auto", pattern="^(auto|cpu|cuda)$")
    vllm_flags: dict[str, str | int | float | bool] = Field(
        default_factory=dict, max_length=VLLM_FLAGS_MAX
    )


class EngineFacts(BaseModel):
    """What the engine reports about itself once it has started."""

    model_config = ConfigDict(frozen=True)

    model: str
    engine: str  # name and version
    kv_tokens_max: int
    context_tokens_max: int
    running_max: int
    batched_tokens_max: int
    kv_block_tokens: int = 1
    started_s: float  # seconds that the start took
