"""vLLM in this process: ``AsyncLLM`` and vLLM's own OpenAI serving classes.

It and `vllm_block_size` alone import vllm, which renders chat templates, parses tools and reasoning
and writes the frames; this file starts it, feeds the load meters and answers on the private app.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.lookup import did_you_mean
from runtime.engine import vllm_block_size
from runtime.engine.load_meter import LoadMeter
from runtime.engine.private_app import DETOKENIZE_PATH, TOKENIZE_PATH, PrivateApp
from runtime.engine.settings import EngineFacts, EngineSettings
from runtime.engine.vllm_command_line import command_line, set_environment
from runtime.engine.vllm_refusals import blame_the_form, note_form
from runtime.engine.vllm_steps import follow, longest_scheduled_s, note
from runtime.errors import ConfigError

SAID_CHARS_MAX = 500  # of one of vLLM's errors


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
        device = settings.device if settings.device != "auto" else _device()
        set_environment(settings, device)

        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine.async_llm import AsyncLLM

        try:
            args = _parsed(settings, device)
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
        app = await _private_app(llm, args, facts, meters, token)
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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What vLLM says of an engine's settings before it loads a model.

    ``refused`` is why it would not start, ``flag`` the flag or field that it means, ``instead``
    what to write there; ``unchecked`` is why vLLM could not be asked all of it. None: nothing.
    """

    refused: str | None = None
    flag: str | None = None
    instead: str = ""
    unchecked: str | None = None


def verify(settings: EngineSettings, *, on_cpu: bool, configure: bool) -> Verdict:
    """Goes as far as a start goes without weights and memory. ``configure``: not only through
    vLLM's flags, but to its own configuration, if this is a machine for such an engine."""
    device = "cpu" if on_cpu else "cuda"
    set_environment(settings, device)
    try:
        args = _parsed(settings, device)
    except FlagRefused as refused:
        return Verdict(refused.message, refused.flag, refused.instead)
    except Exception as error:  # noqa: BLE001 -- whatever vLLM's parser meets on another platform
        return Verdict(unchecked=f"vLLM's parser does not run here: {_one_line(error)}")
    if not configure:
        return Verdict()
    if _device() != device:
        return Verdict(unchecked=f"the vLLM of this machine is for {_device()}")
    if settings.layout.nodes > 1:
        return Verdict(unchecked="an engine over several nodes is configured on those")
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.usage.usage_lib import UsageContext

    try:
        made = AsyncEngineArgs.from_cli_args(args)
        config = made.create_engine_config(UsageContext.OPENAI_API_SERVER)
    except Exception as error:  # noqa: BLE001 -- the same call that a start makes
        field = error.errors()[0]["loc"][-1:] if isinstance(error, ValidationError) else ()
        flag = str(field[0]).replace("_", "-") if field else None
        return Verdict(f"vLLM refuses this engine: {_one_line(error)}", flag)
    if (why := vllm_block_size.refusal(config)) is not None:
        return Verdict(
            f"vLLM refuses this KV block size: {why[:SAID_CHARS_MAX]}", *vllm_block_size.OUT
        )
    return Verdict()


class FlagRefused(ConfigError):
    """``flag`` is the flag without dashes, or the field, that is meant; None: not told."""

    def __init__(self, wrong: str, flag: str | None, instead: str = "") -> None:
        super().__init__(f"{wrong}; {instead}" if instead else wrong)
        self.flag = flag
        self.instead = instead


def _parsed(settings: EngineSettings, device: str) -> Any:
    """The settings as vLLM's command line reads them. Raises FlagRefused."""
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.reasoning import ReasoningParserManager
    from vllm.tool_parsers import ToolParserManager
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    class Parser(FlexibleArgumentParser):  # type: ignore[misc]
        def error(self, message: str) -> NoReturn:
            """argparse would print its usage and end the process."""
            raise _refused(message, vars(self.parse_known_args([])[0]))

    args = make_arg_parser(Parser()).parse_args(command_line(settings, device))
    args.served_model_name = [settings.model]
    for name, known in (
        ("tool_parser", ToolParserManager.list_registered()),
        ("reasoning_parser", ReasoningParserManager.list_registered()),
    ):
        if (wanted := getattr(settings, name)) and wanted not in known:
            instead = did_you_mean(wanted, known) or f"known are {', '.join(known)}"
            raise FlagRefused(f"vLLM knows no {name} {wanted!r}", name, instead)
    return args


def _refused(message: str, destinations: Iterable[str]) -> FlagRefused:
    found = re.search(r"--([\w.-]+)", message)
    flag = found[1] if found else None
    if flag is None or not message.startswith("unrecognized arguments"):
        return FlagRefused(" ".join(message.split())[:SAID_CHARS_MAX], flag)
    known = [name.replace("_", "-") for name in destinations]
    return FlagRefused(f"vLLM knows no flag {flag!r}", flag, did_you_mean(flag, known))


def _one_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        told = "; ".join(
            ".".join(map(str, item["loc"])) + ": " + item["msg"] for item in error.errors()
        )
    else:
        told = str(error)
    return " ".join(told.split())[:SAID_CHARS_MAX] or type(error).__name__


def _device() -> str:
    from vllm.platforms import current_platform

    return "cpu" if current_platform.is_cpu() else "cuda"


async def _facts(llm: Any, settings: EngineSettings, started_s: float) -> EngineFacts:
    import vllm

    config = llm.vllm_config
    cache = config.cache_config
    blocks = cache.num_gpu_blocks // settings.data_parallel  # vLLM adds up its ranks
    weights_bytes = await llm.collective_rpc("baseload_weights_bytes")
    return EngineFacts(
        model=settings.model,
        engine=f"vllm {vllm.__version__}",
        kv_tokens_max=cache.kv_cache_size_tokens or blocks * cache.block_size,
        kv_block_tokens=cache.block_size,
        kv_blocks=blocks,
        weights_bytes=max(weights_bytes),
        ranks=settings.data_parallel,
        context_tokens_max=config.model_config.max_model_len,
        running_max=config.scheduler_config.max_num_seqs,
        batched_tokens_max=config.scheduler_config.max_num_batched_tokens,
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


async def _private_app(
    llm: Any, args: Any, facts: EngineFacts, meters: Sequence[LoadMeter], token: str
) -> PrivateApp:
    from vllm.entrypoints.launchers.api_server.app_state import init_app_state
    from vllm.entrypoints.openai.chat_completion.api_router import create_chat_completion
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
    from vllm.entrypoints.openai.completion.api_router import create_completion
    from vllm.entrypoints.openai.completion.protocol import CompletionRequest
    from vllm.entrypoints.serve.exception_handling.error_response import create_error_response
    from vllm.entrypoints.serve.tokenize.api_router import detokenize, tokenize
    from vllm.entrypoints.serve.tokenize.protocol import (
        DetokenizeRequest,
        TokenizeChatRequest,
        TokenizeCompletionRequest,
    )
    from vllm.exceptions import VLLMError, VLLMValidationError

    async def chat(request: Request) -> Response:
        parsed = ChatCompletionRequest.model_validate_json(await request.body())
        note_form(parsed)
        return _answer(await create_chat_completion(parsed, request))

    async def complete(request: Request) -> Response:
        parsed = CompletionRequest.model_validate_json(await request.body())
        note_form(parsed)
        return _answer(await create_completion(parsed, request))

    async def to_tokens(request: Request) -> Response:
        body = await request.json()
        kind = TokenizeChatRequest if "messages" in body else TokenizeCompletionRequest
        return _answer(await tokenize(kind.model_validate(body), request))

    async def to_text(request: Request) -> Response:
        parsed = DetokenizeRequest.model_validate_json(await request.body())
        return _answer(await detokenize(parsed, request))

    async def on_error(request: Request, error: Exception) -> Response:
        if isinstance(error, ValidationError):
            error = ValueError("; ".join(item["msg"] for item in error.errors()[:3]))
        answer = create_error_response(error)
        return JSONResponse(answer.model_dump(), status_code=answer.error.code)

    known = (VLLMError, ValueError, TypeError, OverflowError, NotImplementedError)
    tokens = {TOKENIZE_PATH: to_tokens, DETOKENIZE_PATH: to_text}
    errors = dict.fromkeys(known, on_error)
    app = PrivateApp(facts, meters, token, chat, complete, errors, tokens)
    await init_app_state(llm, app.state, args, await llm.get_supported_tasks())
    blame_the_form(app.state.openai_serving_chat, VLLMValidationError)
    blame_the_form(app.state.openai_serving_completion, VLLMValidationError)
    return app


def _answer(response: Response | None) -> Response:
    return response if response is not None else Response(status_code=499)  # the client has left
