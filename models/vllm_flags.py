"""What vLLM is told of a layout, by a plan and by an engine's start: flags without the dashes.

Sizes of 1 are spelt out too: nothing that a plan decides is left to the engine's own defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from models.layout import Layout

Flag: TypeAlias = str | int | float | bool
Flags: TypeAlias = dict[str, Flag]


@dataclass(frozen=True, slots=True)
class LayoutFlag:
    """vLLM's ``flag`` for a ``size`` of `Layout`, which is a ``setting`` of an engine's section."""

    flag: str
    size: str
    setting: str


LAYOUT_FLAGS = (
    LayoutFlag("tensor-parallel-size", "tp", "tensor_parallel"),
    LayoutFlag("pipeline-parallel-size", "pp", "pipeline_parallel"),
    LayoutFlag("data-parallel-size", "dp", "data_parallel"),
    LayoutFlag("decode-context-parallel-size", "dcp", "context_parallel"),
    LayoutFlag("enable-expert-parallel", "expert_parallel", "expert_parallel"),
)
CONTEXT_BACKEND = "dcp-comm-backend"
EXECUTOR, RANKS_BACKEND = "distributed-executor-backend", "data-parallel-backend"
RANKS_PER_NODE = "data-parallel-size-local"
FLAGS_OF_LAYOUTS = frozenset(
    {
        *(each.flag for each in LAYOUT_FLAGS),
        CONTEXT_BACKEND,
        EXECUTOR,
        RANKS_BACKEND,
        RANKS_PER_NODE,
    }
)


def layout_flags(layout: Layout, ranks_of_node: int | None = None) -> Flags:
    """``ranks_of_node`` are data-parallel ranks, `ranks_per_node` if None.

    Within a node the workers are processes of their own, or none for a single card.
    """
    flags: Flags = {each.flag: getattr(layout, each.size) for each in LAYOUT_FLAGS}
    if layout.dcp > 1:
        # Sparse attention splits a context with this backend only, whatever a model prefers.
        flags[CONTEXT_BACKEND] = "ag_rs"
    if layout.nodes == 1:
        flags[EXECUTOR] = "mp" if layout.cards > 1 else "uni"
        return flags
    flags[EXECUTOR] = "ray"
    if layout.dp > 1:
        flags[RANKS_BACKEND] = "ray"
        # Left out, it would be all ranks, on one node.
        flags[RANKS_PER_NODE] = ranks_of_node or ranks_per_node(layout)
    return flags


def ranks_per_node(layout: Layout) -> int:
    """Data-parallel ranks of one node; 1 also where a rank takes several nodes."""
    return min(layout.dp, max(1, layout.cards_per_node // (layout.tp * layout.pp)))


def parser_flags(tool_parser: str | None, reasoning_parser: str | None) -> Flags:
    """What vLLM is told to read a model's answers with."""
    flags: Flags = {}
    if tool_parser is not None:
        flags |= {"enable-auto-tool-choice": True, "tool-call-parser": tool_parser}
    if reasoning_parser is not None:
        flags["reasoning-parser"] = reasoning_parser
    return flags


def command_words(flags: Flags) -> list[str]:
    """The flags as words of a command line: one word each, so that no value is read as a flag."""
    return [_word(name, value) for name, value in flags.items()]


def _word(name: str, value: Flag) -> str:
    if value is True:
        return f"--{name}"
    if value is False:
        return f"--no-{name}"
    return f"--{name}={value}"
