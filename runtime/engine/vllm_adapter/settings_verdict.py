"""What vLLM says of an engine that is not started."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from runtime.engine.engine_settings import EngineSettings
from runtime.engine.vllm_adapter import block_size
from runtime.engine.vllm_adapter.command_line import set_environment
from runtime.engine.vllm_adapter.flag_parser import (
    SAID_CHARS_MAX,
    FlagRefused,
    device_of_vllm,
    one_line,
    parsed,
)


@dataclass(frozen=True, slots=True)
class SettingsVerdict:
    """What vLLM says of an engine's settings before it loads a model.

    ``refused`` is why it would not start, ``flag`` the flag or field that it means, ``instead``
    what to write there; ``unchecked`` is why vLLM could not be asked all of it. None: nothing.
    """

    refused: str | None = None
    flag: str | None = None
    instead: str = ""
    unchecked: str | None = None


def verify(settings: EngineSettings, *, on_cpu: bool, configure: bool) -> SettingsVerdict:
    """Goes as far as a start goes without weights and memory. ``configure``: not only through
    vLLM's flags, but to its own configuration, if this is a machine for such an engine."""
    device = "cpu" if on_cpu else "cuda"
    set_environment(settings, device)
    try:
        args = parsed(settings, device)
    except FlagRefused as refused:
        return SettingsVerdict(refused.message, refused.flag, refused.instead)
    except Exception as error:  # noqa: BLE001 -- whatever vLLM's parser meets on another platform
        return SettingsVerdict(unchecked=f"vLLM's parser does not run here: {one_line(error)}")
    if not configure:
        return SettingsVerdict()
    if device_of_vllm() != device:
        return SettingsVerdict(unchecked=f"the vLLM of this machine is for {device_of_vllm()}")
    if settings.layout.nodes > 1:
        return SettingsVerdict(unchecked="an engine over several nodes is configured on those")
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.usage.usage_lib import UsageContext

    try:
        made = AsyncEngineArgs.from_cli_args(args)
        config = made.create_engine_config(UsageContext.OPENAI_API_SERVER)
    except Exception as error:  # noqa: BLE001 -- the same call that a start makes
        field = error.errors()[0]["loc"][-1:] if isinstance(error, ValidationError) else ()
        flag = str(field[0]).replace("_", "-") if field else None
        return SettingsVerdict(f"vLLM refuses this engine: {one_line(error)}", flag)
    if (why := block_size.refusal(config)) is not None:
        return SettingsVerdict(
            f"vLLM refuses this KV block size: {why[:SAID_CHARS_MAX]}", *block_size.OUT
        )
    return SettingsVerdict()
