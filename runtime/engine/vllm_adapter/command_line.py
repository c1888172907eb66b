"""What vLLM is told when it starts: flags and environment, worked out from the settings.

Each replica says how its workers run. vLLM's own guess looks at Ray: inside a placement group it
would start Ray actors for cards that the replica holds itself.
"""

from __future__ import annotations

import os

from models.vllm_flags import Flags, command_words, layout_flags, parser_flags
from runtime.engine.engine_settings import EngineSettings
from runtime.engine.process_setup import LIFELINE_ENV
from runtime.request_limits import LIMITS

CPU_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB; the tiny model overrides the number of blocks
    "OMP_NUM_THREADS": "1",  # spinning threads of several replicas would fight for the cores
    # The model runs eagerly on CPUs, and so does what vLLM compiles beside it: the first request
    # with logprobs would hold its engine for as long as a C++ compiler takes.
    "TORCHDYNAMO_DISABLE": "1",
}
ENVIRONMENT = {
    LIFELINE_ENV: "1",
    "VLLM_NO_USAGE_STATS": "1",
    # vLLM's own logging setup closes every handler that the process has, Serve's among them;
    # Serve then takes the replica for broken when its controller comes back.
    "VLLM_CONFIGURE_LOGGING": "0",
    "HF_HUB_OFFLINE": "1",  # a server does not fetch
    "TOKENIZERS_PARALLELISM": "false",
    "VLLM_MAX_STOP_STRINGS": str(LIMITS.stop_max),
}
WORKER_EXTENSION = "runtime.engine.vllm_worker_extension.WorkerFacts"


def set_environment(settings: EngineSettings, device: str) -> None:
    """Sets the environment of this process and those it starts. What the operator has set for a CPU
    stays."""
    os.environ.update(ENVIRONMENT)
    if settings.layout.nodes > 1:
        spans = settings.cards_per_rank > settings.cards_per_node
        os.environ["VLLM_RAY_DP_PACK_STRATEGY"] = "span" if spans else "strict"
    if device != "cpu":
        return
    for name, value in CPU_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", _cores(settings.layout.cards))
    # Without processes of its own, vLLM keeps the one worker inside the engine core: a worker
    # process spins on shared memory, and several of them starve each other.
    alone = settings.layout.cards == 1
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0" if alone else "1"


def _cores(workers: int) -> str:
    """A single worker shares all cores with other replicas; vLLM binds several to one each."""
    if workers == 1:
        return "nobind"
    cores = sorted(os.sched_getaffinity(0))
    return "|".join(str(cores[worker % len(cores)]) for worker in range(workers))


def command_line(settings: EngineSettings, device: str) -> list[str]:
    """The vLLM flags of these settings."""
    flags: Flags = {
        "model": str(settings.checkpoint),
        "served-model-name": settings.model,
        "max-model-len": settings.context_tokens_max,
        "max-num-seqs": settings.max_num_seqs,
        "max-num-batched-tokens": settings.max_num_batched_tokens,
        "disable-log-stats": True,
        "enable-prompt-tokens-details": True,
        "enable-logging-iteration-details": True,  # tells the load meter of each step's tokens
        "generation-config": "vllm",
        "worker-extension-cls": WORKER_EXTENSION,
        # The one that requests are checked by; vLLM would let an engine's first request choose.
        "structured-outputs-config.backend": "xgrammar",
    }
    flags |= layout_flags(settings.layout, settings.ranks_per_node)
    if device == "cpu":
        flags["enforce-eager"] = True
    if settings.kv_blocks is not None:
        flags["num-gpu-blocks-override"] = settings.kv_blocks
    flags |= parser_flags(settings.tool_parser, settings.reasoning_parser)
    return command_words(flags | settings.vllm_flags)
