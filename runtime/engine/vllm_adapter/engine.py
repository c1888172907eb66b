"""vLLM in this process: starts ``AsyncLLM``, feeds the load meters and answers on a private app."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from runtime.engine.engine_settings import EngineFacts, EngineSettings
from runtime.engine.load_meter import LoadMeter
from runtime.engine.private_app import PrivateApp
from runtime.engine.vllm_adapter.command_line import set_environment
from runtime.engine.vllm_adapter.flag_parser import FlagRefused, device_of_vllm, parsed
from runtime.engine.vllm_adapter.openai_serving import private_app
from runtime.engine.vllm_adapter.step_statistics import follow, longest_scheduled_s, note
from runtime.errors import ConfigError
from scheduler.replica import EngineLimits


class VllmEngine:
    """A started engine. ``app`` answers requests; ``probe`` generates one token at a rank."""

    def __init__(self, llm: Any, app: PrivateApp) -> None:
        self._llm = llm
        self.app = app
        self.facts = app.facts
        self.meters = app.meters
        self._probes = 0

    @classmethod
    async def start(cls, settings: EngineSettings, token: str) -> VllmEngine:
        """Blocks the loop for the seconds to minutes that the start takes, as vLLM does."""
        started_s = time.monotonic()
        device = settings.device if settings.device != "auto" else device_of_vllm()
        set_environment(settings, device)

        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine.async_llm import AsyncLLM

        try:
            args = parsed(settings, device)
        except FlagRefused as refused:
            wrong = f"vLLM refuses the flags of {settings.model}: {refused.message}"
            raise ConfigError(wrong) from None
        meters = [LoadMeter() for _ in range(settings.data_parallel)]
        llm: Any = None
        llm = AsyncLLM.from_engine_args(
            AsyncEngineArgs.from_cli_args(args),
            usage_context=UsageContext.OPENAI_API_SERVER,
            stat_loggers=[_stat_logger(meters, lambda: llm)],
        )
        follow(llm, meters)
        facts = await _facts(llm, settings, time.monotonic() - started_s)
        app = await private_app(llm, args, facts, meters, token)
        return cls(llm, app)

    @property
    def dead(self) -> bool:
        return bool(self._llm.errored)

    async def probe(self, rank: int = 0) -> None:
        """One real token from the engine; raises what the engine raises."""
        from vllm import SamplingParams

        self._probes += 1
        params = SamplingParams(max_tokens=1, temperature=0.0)
        prompt = {"prompt_token_ids": [1]}
        at = rank if self.facts.ranks > 1 else None
        name = f"probe-{self._probes}"
        async for _ in self._llm.generate(prompt, params, name, data_parallel_rank=at):
            pass

    def close(self) -> None:
        self._llm.shutdown(timeout=0)


async def _facts(llm: Any, settings: EngineSettings, started_s: float) -> EngineFacts:
    import vllm

    config = llm.vllm_config
    cache = config.cache_config
    blocks = cache.num_gpu_blocks // settings.data_parallel  # vLLM adds up its ranks
    weights_bytes = await llm.collective_rpc("baseload_weights_bytes")
    return EngineFacts(
        model=settings.model,
        engine=f"vllm {vllm.__version__}",
        limits=EngineLimits(
            kv_tokens_max=cache.kv_cache_size_tokens or blocks * cache.block_size,
            context_tokens_max=config.model_config.max_model_len,
            max_num_seqs=config.scheduler_config.max_num_seqs,
            max_num_batched_tokens=config.scheduler_config.max_num_batched_tokens,
            kv_block_tokens=cache.block_size,
        ),
        kv_blocks=blocks,
        weights_bytes=max(weights_bytes),
        ranks=settings.data_parallel,
        started_s=round(started_s, 2),
    )


def _stat_logger(meters: Sequence[LoadMeter], llm: Callable[[], Any]) -> Any:
    """A vLLM stat-logger class; vLLM makes one of it for each rank."""
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
            def scheduled_s() -> float:
                return longest_scheduled_s(llm(), engine_idx, len(meters))

            note(meters[engine_idx], scheduler_stats, iteration_stats, scheduled_s)

        def log_engine_initialized(self) -> None: ...

    return MeterLogger
