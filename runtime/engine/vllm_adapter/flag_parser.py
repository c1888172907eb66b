"""An engine's settings, read by vLLM's own command-line parser."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NoReturn

from pydantic import ValidationError

from models.unknown_names import did_you_mean
from runtime.engine.engine_settings import EngineSettings
from runtime.engine.vllm_adapter.command_line import command_line
from runtime.errors import ConfigError

SAID_CHARS_MAX = 500  # of one of vLLM's errors


class FlagRefused(ConfigError):
    """``flag`` is the flag without dashes, or the field, that is meant; None: not told."""

    def __init__(self, wrong: str, flag: str | None, instead: str = "") -> None:
        super().__init__(f"{wrong}; {instead}" if instead else wrong)
        self.flag = flag
        self.instead = instead


def parsed(settings: EngineSettings, device: str) -> Any:
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


def one_line(error: Exception) -> str:
    """One of vLLM's errors, cut short."""
    if isinstance(error, ValidationError):
        told = "; ".join(
            ".".join(map(str, item["loc"])) + ": " + item["msg"] for item in error.errors()
        )
    else:
        told = str(error)
    return " ".join(told.split())[:SAID_CHARS_MAX] or type(error).__name__


def device_of_vllm() -> str:
    """What the vLLM of this machine is made for."""
    from vllm.platforms import current_platform

    return "cpu" if current_platform.is_cpu() else "cuda"
