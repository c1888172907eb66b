"""A chat as OpenAI has it, written as a request to Anthropic's Messages API.

What has no counterpart there is not left out and not bent: ``NotTaken`` names it, and the request
goes elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.wire.anthropic.message_turns import NAME, Turns, blocks_of
from runtime.wire.anthropic.untranslatable import NotTaken

_SAME = ("model", "max_tokens", "temperature", "top_p", "stream")
_TOOL_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
TEMPERATURE_MAX = 1


def messages_request(chat: Mapping[str, Any]) -> dict[str, Any]:
    """``chat`` are the fields of a chat completion's request. Raises NotTaken, nothing else."""
    rest = dict(chat)
    written = {name: rest.pop(name) for name in _SAME if name in rest}
    if "max_tokens" not in written:
        raise NotTaken("max_tokens")
    if written.get("temperature", 0) > TEMPERATURE_MAX:
        raise NotTaken("temperature")
    rest.pop("stream_options", None)  # usage is always told
    written |= _conversation(rest.pop("messages"), has_tools=bool(rest.get("tools")))
    written |= _tools(rest)
    written |= _stops(rest.pop("stop", None))
    written |= _form(rest.pop("response_format", None))
    if (top_k := rest.pop("top_k", 0)) > 0:  # else all tokens
        written["top_k"] = top_k
    for name in rest:
        raise NotTaken(name)
    return written


def _conversation(messages: list[dict[str, Any]], *, has_tools: bool) -> dict[str, Any]:
    """What the system says stands before the conversation; in its midst there is no place."""
    start = 0
    while start < len(messages) and messages[start]["role"] == "system":
        start += 1
    system = [block for message in messages[:start] for block in blocks_of(message.get("content"))]
    turns = Turns()
    for message in messages[start:]:
        turns.add(message)
    said: dict[str, Any] = {"messages": turns.ended(has_tools=has_tools)}
    return {"system": system, **said} if system else said


def _tools(rest: dict[str, Any]) -> dict[str, Any]:
    tools, choice = rest.pop("tools", None), rest.pop("tool_choice", None)
    may_be_several = rest.pop("parallel_tool_calls", None) is not False
    if not tools:
        return {}
    written: dict[str, Any] = {"tools": list(map(_tool, tools))}
    if isinstance(choice, dict):
        written["tool_choice"] = {"type": "tool", "name": choice["function"]["name"]}
    elif choice is not None or not may_be_several:
        written["tool_choice"] = {"type": _TOOL_CHOICES[choice or "auto"]}
    if not may_be_several and choice != "none":
        written["tool_choice"]["disable_parallel_tool_use"] = True
    return written


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    function = tool["function"]
    if not NAME.fullmatch(function["name"]):
        raise NotTaken("tools.function.name")
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    if schema.get("type") != "object":
        raise NotTaken("tools.function.parameters")
    written = {"name": function["name"], "input_schema": schema}
    if function.get("description"):
        written["description"] = function["description"]
    if function.get("strict"):
        written["strict"] = True
    return written


def _stops(stop: str | list[str] | None) -> dict[str, Any]:
    stops = [stop] if isinstance(stop, str) else stop
    if not stops:
        return {}
    if not all(map(str.strip, stops)):
        raise NotTaken("stop")
    return {"stop_sequences": stops}


def _form(form: dict[str, Any] | None) -> dict[str, Any]:
    """Only a strict schema is held to there, so one that is not strict could be refused."""
    if form is None or form["type"] == "text":
        return {}
    if form["type"] != "json_schema" or not form["json_schema"].get("strict"):
        raise NotTaken("response_format")
    return {
        "output_config": {
            "format": {"type": "json_schema", "schema": form["json_schema"]["schema"]}
        }
    }
