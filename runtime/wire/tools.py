"""The tools of a chat, and which of them a target compiles into a grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from runtime.wire.field_types import Description, FunctionName, Strict, broken

_BREAKS = re.compile(r'["\\]')  # in a grammar that holds a call, where names stand as they are
_EVERYWHERE = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what every vendor takes as a tool's name


class FunctionSpec(Strict):
    name: FunctionName
    description: Description | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Strict):
    type: Literal["function"]
    function: FunctionSpec


class NamedFunction(Strict):
    name: FunctionName


class NamedTool(Strict):
    type: Literal["function"]
    function: NamedFunction


ToolChoice = Literal["none", "auto", "required"] | NamedTool


def check_choice(tools: Sequence[Tool], choice: ToolChoice | None) -> None:
    """A call can be forced only of a tool that there is."""
    if choice in (None, "none", "auto"):
        return
    if not tools:
        raise broken(("tool_choice",), "may be sent only with tools")
    if isinstance(choice, NamedTool) and all(
        tool.function.name != choice.function.name for tool in tools
    ):
        raise broken(("tool_choice", "function", "name"), "must name one of the tools")


def compiled_tools(tools: Sequence[Tool], choice: ToolChoice | None) -> Iterator[tuple[int, Tool]]:
    """The tools whose arguments an engine holds to their schema: those that ask for it. Of the
    others the schema is text of the prompt; a call that is forced has their name, and JSON."""
    for index, tool in enumerate(tools):
        if tool.function.strict and choice != "none":
            yield index, tool


def choice_kind(choice: ToolChoice | None) -> str:
    """The choice of tools in one word; a model that is told nothing chooses by itself."""
    return "named" if isinstance(choice, NamedTool) else choice or "auto"


def is_forced(choice: ToolChoice | None) -> bool:
    """Whether the answer has to be a call."""
    return choice == "required" or isinstance(choice, NamedTool)


def check_names(tools: Sequence[Tool], choice: ToolChoice | None) -> None:
    """Checks the names of tools whose calls an engine's grammar would spell."""
    if not is_forced(choice) and not any(compiled_tools(tools, choice)):
        return
    for index, tool in enumerate(tools):
        is_spelt = not isinstance(choice, NamedTool) or choice.function.name == tool.function.name
        if is_spelt and _BREAKS.search(tool.function.name):
            says = "must be without quotes and backslashes where a call is forced or strict"
            raise broken(("tools", index, "function", "name"), says)


def taken_everywhere(tools: Sequence[Tool]) -> bool:
    """Whether no vendor refuses the names of these tools."""
    return all(_EVERYWHERE.fullmatch(tool.function.name) for tool in tools)
