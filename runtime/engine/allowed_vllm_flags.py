"""Which of vLLM's command-line flags `vllm_flags` may hold, under their names without dashes.

A flag that has a field of its own would be set in two places, and placement would not know of it.
"""

from __future__ import annotations

import re

from models.vllm_flags import EXECUTOR, LAYOUT_FLAGS, RANKS_BACKEND, RANKS_PER_NODE

FIELD_OF_FLAG = {
    "max-model-len": "context_tokens_max",
    "max-num-seqs": "max_num_seqs",
    "max-num-batched-tokens": "max_num_batched_tokens",
    "num-gpu-blocks-override": "kv_blocks",
    **{each.flag: each.setting for each in LAYOUT_FLAGS},
    RANKS_PER_NODE: "data_parallel_local",
}
# Those of the catalogue hold where the settings name none.
PARSER_FIELDS = {"tool-call-parser": "tool_parser", "reasoning-parser": "reasoning_parser"}
# The engine's start works these out from the settings and the catalogue.
DERIVED_FLAGS = frozenset({EXECUTOR, RANKS_BACKEND, "enable-auto-tool-choice"})
OWNED_FLAGS = frozenset(
    {
        "model",
        "served-model-name",
        "host",
        "port",
        "api-key",
        "worker-extension-cls",
        "structured-outputs-config.backend",
    }
)
# They run foreign code, read prompts that are not text, or bring in flags from another file.
REFUSED_FLAGS = frozenset({"trust-remote-code", "middleware", "enable-prompt-embeds", "config"})

_FLAG = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9-]+)*")


def why_refused(name: str) -> str | None:
    """Why `vllm_flags` may not hold ``name``; None: it may, if vLLM knows it.

    vLLM also reads flags with underscores, and flags that are cut short.
    """
    spelt = name.replace("_", "-").removeprefix("no-")
    if not _FLAG.fullmatch(spelt):
        return "is no name of a flag: write it in lower case, without the dashes in front"
    for flag, field in (FIELD_OF_FLAG | PARSER_FIELDS).items():
        if flag.startswith(spelt):
            return f"has a field of its own: write {field} beside vllm_flags"
    if any(flag.startswith(spelt) for flag in DERIVED_FLAGS | OWNED_FLAGS):
        return "may not be given: the engine's start decides it"
    if any(flag.startswith(spelt) for flag in REFUSED_FLAGS):
        return "may not be given: it would open the engine to foreign code or input"
    return None
