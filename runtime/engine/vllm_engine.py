"""vLLM in this process: ``AsyncLLM`` and vLLM's own OpenAI serving classes.

The only file that imports vllm. vLLM renders chat templates, parses tools and reasoning and
writes the frames; this file starts it, feeds the load meter and answers on the private app.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runtime.engine.lifeline import LIFELINE_ENV
from runtime.engine.load_meter import LoadMeter
from runtime.engine.private_app import PrivateApp
from runtime.engine.settings import EngineFacts, EngineSettings

CPU_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB; the tiny model overrides the number of blocks
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # replicas share the cores
    "OMP_NUM_THREADS": "1",  # spinning threads of several replicas would fight for the cores
}
ENVIRONMENT = {
    LIFELINE_ENV: "1",
    "VLLM_NO_USAGE_STATS": "1",
    # vLLM's own logging setup closes every handler that the process has, Serve's among them;
    # Serve then takes the replica for broken when its controller comes back.
    "VLLM_CONFIGURE_LOGGING": "0",
    "HF_HUB_OFFLINE": "1",  # a server does not fetch
    "TOKENIZERS_PARALLELISM": "false",
}
OWNED_FLAGS = frozenset({"model", "served-model-name", "host", "port", "api-key"})
# They run foreign code, read prompts that are not text, or bring in flags from another file.
REFUSED_FLAGS = frozenset({"trust-remote-code", "middleware", "enable-prompt-embeds", "config"})

_FLAG = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9-]+)*")


def command_line(settings: EngineSettings, device: str) -> list[str]:
    """The vLLM flags of these settings; ValueError names a flag that may not be given."""
    refused = [name for name in settings.vllm_flags if not _may_be_given(name)]
    if refused:
        raise ValueError(f"vllm_flags may not hold {', '.join(sorted(refused))}")
    flags: dict[str, str | int | float | bool] = {
        "model": str(settings.checkpoint),
        "served-model-name": settings.model,
        "max-model-len": settings.context_tokens_max,
        "max-num-seqs": settings.running_max,
        "max-num-batched-tokens": settings.batched_tokens_max,
        "tensor-parallel-size": settings.tensor_parallel,
        "disable-log-stats": True,
        "enable-prompt-tokens-details": True,
        "enable-logging-iteration-details": True,  # tells the load meter of each step's tokens
        "generation-config": "vllm",
    }
    if device == "cpu":
        flags["enforce-eager"] = True
        if settings.tensor_parallel == 1:
            flags["distributed-executor-backend"] = "uni"
    if settings.kv_blocks is not None:
        flags["num-gpu-blocks-override"] = settings.kv_blocks
    if settings.tool_parser is not None:
        flags |= {"enable-auto-tool-choice": True, "tool-call-parser": settings.tool_parser}
    if settings.reasoning_parser is not None:
        flags["reasoning-parser"] = settings.reasoning_parser
    flags |= settings.vllm_flags
    return [part for name, value in flags.items() for part in _flag(name, value)]


def _may_be_given(name: str) -> bool:
    """vLLM also reads flags with underscores, and flags that are cut short."""
    spelt = name.replace("_", "-")
    return _FLAG.fullmatch(spelt) is not None and not any(
        flag.startswith(spelt) for flag in OWNED_FLAGS | REFUSED_FLAGS
    )


def _flag(name: str, value: str | int | float | bool) -> list[str]:
    if value is True:
        return [f"--{name}"]
    if value is False:
        return [f"--no-{name}"]
    return [f"--{name}={value}"]  # one word: a value can never be read as a flag


class VllmEngine:
    """A started engine. ``app`` answers requests; ``probe`` generates one token."""

    def __init__(self, llm: Any, app: PrivateApp) -> None:
        self._llm = llm
        self.app = app
        self.facts = app.facts
        self.meter = app.meter
        self._probes = 0

    @classmethod
    async def start(cls, settings: EngineSettings, token: str) -> VllmEngine:
        """Blocks the loop for the seconds to minutes that the start takes, as vLLM does."""
        started_s = time.monotonic()
        os.environ.update(ENVIRONMENT)
        device = settings.device if settings.device != "auto" else _device()
        if device == "cpu":
            for name, value in CPU_ENVIRONMENT.items():
                os.environ.setdefault(name, value)
            if settings.tensor_parallel == 1:
                # Lets vLLM keep the one worker inside the engine core: a worker process of its
                # own spins on shared memory, and several of them starve each other.
                os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"

        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.entrypoints.launchers.cli_args import make_arg_parser
        from vllm.usage.usage_lib import UsageContext
        from vllm.utils.argparse_utils import FlexibleArgumentParser
        from vllm.v1.engine.async_llm import AsyncLLM

        parser = make_arg_parser(FlexibleArgumentParser())
        args = parser.parse_args(command_line(settings, device))
        args.served_model_name = [settings.model]
        meter = LoadMeter()
        llm: Any = None
        llm = AsyncLLM.from_engine_args(
            AsyncEngineArgs.from_cli_args(args),
            usage_context=UsageContext.OPENAI_API_SERVER,
            stat_loggers=[_stat_logger(meter, lambda: longest_scheduled_s(llm))],
        )
        meter.waiting_prefill_tokens = lambda: _waiting_prefill_tokens(llm)
        facts = _facts(llm, settings, time.monotonic() - started_s)
        app = await _private_app(llm, args, facts, meter, token)
        return cls(llm, app)

    @property
    def dead(self) -> bool:
        return bool(self._llm.errored)

    async def probe(self) -> None:
        """One real token from the engine; raises what the engine raises."""
        from vllm import SamplingParams

        self._probes += 1
        params = SamplingParams(max_tokens=1, temperature=0.0)
        prompt = {"prompt_token_ids": [1]}
        async for _ in self._llm.generate(prompt, params, f"probe-{self._probes}"):
            pass

    def close(self) -> None:
        self._llm.shutdown(timeout=0)


def _device() -> str:
    from vllm.platforms import current_platform

    return "cpu" if current_platform.is_cpu() else "cuda"


def _facts(llm: Any, settings: EngineSettings, started_s: float) -> EngineFacts:
    import vllm

    config = llm.vllm_config
    cache = config.cache_config
    return EngineFacts(
        model=settings.model,
        engine=f"vllm {vllm.__version__}",
        kv_tokens_max=cache.num_gpu_blocks * cache.block_size,
        kv_block_tokens=cache.block_size,
        context_tokens_max=config.model_config.max_model_len,
        running_max=config.scheduler_config.max_num_seqs,
        batched_tokens_max=config.scheduler_config.max_num_batched_tokens,
        started_s=round(started_s, 2),
    )


def _stat_logger(meter: LoadMeter, scheduled_s: Callable[[], float]) -> Any:
    """A vLLM stat-logger class whose instances feed ``meter``."""
    from vllm.v1.metrics.loggers import StatLoggerBase

    class MeterLogger(StatLoggerBase):  # type: ignore[misc]
        def __init__(self, vllm_config: Any, engine_index: int = 0) -> None: ...

        def record(
            self,
            scheduler_stats: Any,
            iteration_stats: Any,
            mm_cache_stats: Any = None,
            engine_idx: int = 0,
        ) -> None:
            details = scheduler_stats.iteration_details if scheduler_stats else None
            if details is not None or iteration_stats is not None:
                note_step(meter, details, iteration_stats, scheduled_s)
            if scheduler_stats is not None:
                meter.on_state(
                    running=scheduler_stats.num_running_reqs,
                    waiting=scheduler_stats.num_waiting_reqs
                    + scheduler_stats.num_skipped_waiting_reqs,
                    kv_usage=scheduler_stats.kv_cache_usage,
                    hit_tokens=scheduler_stats.prefix_cache_stats.hits,
                )

        def log_engine_initialized(self) -> None: ...

    return MeterLogger


def note_step(meter: LoadMeter, details: Any, stats: Any, scheduled_s: Callable[[], float]) -> None:
    """``details`` are None for a step that computed nothing, ``stats`` for one without output:
    a piece of a long prompt, which vLLM's own statistics count only at its end."""
    first_step_s: float | None = None
    if meter.is_idle:
        ended = [each.inference_time for each in stats.finished_requests] if stats else []
        first_step_s = max([scheduled_s(), *ended]) or None
    prompt_tokens = details.num_ctx_tokens if details else stats.prompt_token_stats.computed
    meter.on_step(
        time.monotonic(),
        prompt_tokens=prompt_tokens,
        output_tokens=stats.num_generation_tokens if stats else 0,
        preempted=stats.num_preempted_reqs if stats else 0,
        first_step_s=first_step_s,
    )


def longest_scheduled_s(llm: Any) -> float:
    """How long the engine has worked on a request that it has not finished; 0 for none that is
    known: vLLM tells when it began together with the first token."""
    states = llm.output_processor.request_states.values() if llm is not None else ()
    begun = [each.stats.scheduled_ts for each in states if each.stats and each.stats.scheduled_ts]
    return time.monotonic() - min(begun) if begun else 0.0


def _waiting_prefill_tokens(llm: Any) -> int:
    states = llm.output_processor.request_states.values()
    return sum(state.prompt_len or 0 for state in states if state.is_prefilling)


async def _private_app(
    llm: Any, args: Any, facts: EngineFacts, meter: LoadMeter, token: str
) -> PrivateApp:
    from vllm.entrypoints.launchers.api_server.app_state import init_app_state
    from vllm.entrypoints.openai.chat_completion.api_router import create_chat_completion
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
    from vllm.entrypoints.openai.completion.api_router import create_completion
    from vllm.entrypoints.openai.completion.protocol import CompletionRequest
    from vllm.entrypoints.serve.exception_handling.error_response import create_error_response
    from vllm.exceptions import VLLMError

    async def chat(request: Request) -> Response:
        parsed = ChatCompletionRequest.model_validate_json(await request.body())
        return _answer(await create_chat_completion(parsed, request))

    async def complete(request: Request) -> Response:
        parsed = CompletionRequest.model_validate_json(await request.body())
        return _answer(await create_completion(parsed, request))

    async def on_error(request: Request, error: Exception) -> Response:
        if isinstance(error, ValidationError):
            error = ValueError("; ".join(item["msg"] for item in error.errors()[:3]))
        answer = create_error_response(error)
        return JSONResponse(answer.model_dump(), status_code=answer.error.code)

    known = (VLLMError, ValueError, TypeError, OverflowError, NotImplementedError)
    app = PrivateApp(facts, meter, token, chat, complete, dict.fromkeys(known, on_error))
    tasks = await llm.get_supported_tasks()
    await init_app_state(llm, app.state, args, tasks)
    return app


def _answer(response: Response | None) -> Response:
    # None: the client left before the first token; vLLM has aborted the request.
    return response if response is not None else Response(status_code=499)


async def died(engine: VllmEngine, poll_s: float = 0.2) -> None:
    """Returns when the engine is dead."""
    while not engine.dead:
        await asyncio.sleep(poll_s)
