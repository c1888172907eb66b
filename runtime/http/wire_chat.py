"""A chat request, each field bounded. Text only: no URL in a request is ever fetched.

A message that the official client returned as an answer can be sent back as it is: its null and
empty fields are accepted and left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import to_json

from runtime.http.json_schema import SchemaCheck, has_regex
from runtime.http.limits import LIMITS
from runtime.http.wire_sampling import VLLM_ONLY, Name, Sampling, Strict, Text, broken

Id = Annotated[str, Field(min_length=1, max_length=LIMITS.id_chars_max)]
FunctionName = Annotated[str, Field(max_length=LIMITS.name_chars_max, pattern=r"^[A-Za-z0-9_.-]+$")]
Description = Annotated[str, Field(max_length=LIMITS.description_chars_max)]
_EFFORTS = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_VLLM_ONLY: dict[str, Any] = {
    **VLLM_ONLY,
    "messages": {"__all__": {"reasoning", "reasoning_content"}},
}


class TextPart(Strict):
    type: Literal["text"]
    text: Text


class CalledFunction(Strict):
    name: FunctionName
    arguments: Text


class ToolCall(Strict):
    id: Id
    type: Literal["function"] = "function"
    function: CalledFunction


class Message(Strict):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: (
        Text
        | Annotated[
            list[TextPart],
            Field(fail_fast=True, min_length=1, max_length=LIMITS.content_parts_max),
        ]
        | None
    ) = None
    name: Name | None = None
    tool_call_id: Id | None = None
    tool_calls: (
        Annotated[list[ToolCall], Field(fail_fast=True, max_length=LIMITS.tool_calls_max)] | None
    ) = None
    reasoning: Text | None = None
    reasoning_content: Text | None = None

    refusal: None = Field(None, exclude=True)
    audio: None = Field(None, exclude=True)
    function_call: None = Field(None, exclude=True)
    annotations: Annotated[list[Any], Field(max_length=0)] | None = Field(None, exclude=True)

    def texts(self) -> Iterator[str]:
        if isinstance(self.content, str):
            yield self.content
        else:
            for part in self.content or ():
                yield part.text
        for call in self.tool_calls or ():
            yield call.function.name
            yield call.function.arguments
        for extra in (self.name, self.reasoning, self.reasoning_content):
            if extra:
                yield extra


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


class AnswerSchema(Strict):
    name: FunctionName
    description: Description | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(Strict):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: AnswerSchema | None = None


class ChatRequest(Sampling):
    messages: Annotated[
        list[Message], Field(fail_fast=True, min_length=1, max_length=LIMITS.messages_max)
    ]
    max_tokens: int | None = Field(None, ge=1, le=LIMITS.max_tokens_max)
    max_completion_tokens: int | None = Field(None, ge=1, le=LIMITS.max_tokens_max)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=LIMITS.logprobs_max)
    tools: Annotated[list[Tool], Field(fail_fast=True, max_length=LIMITS.tools_max)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: _EFFORTS | None = None

    @property
    def answer_tokens_max(self) -> int | None:
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    def texts(self) -> Iterator[str]:
        for message in self.messages:
            yield from message.texts()
        if self.tools:
            yield self.tools_text

    def prefix_parts(self) -> Iterator[str]:
        """Templates put the tools before the conversation."""
        if self.tools:
            yield self.tools_text
        for message in self.messages:
            yield message.role
            yield from message.texts()

    @cached_property
    def tools_text(self) -> str:
        tools = [tool.model_dump(exclude_none=True) for tool in self.tools or ()]
        return to_json(tools).decode()

    def upstream_fields(self, *, openai_only: bool) -> dict[str, Any]:
        """See Sampling.

        ``developer`` is ``system`` under a newer name, and templates that do not know it drop
        the message. One of the two names for the bound on the answer is sent: vendors of open
        models ignore the newer one, and an ignored bound costs money.
        """
        left_out = _VLLM_ONLY if openai_only else None
        fields = self.model_dump(exclude_none=True, by_alias=True, exclude=left_out)
        for message in fields["messages"]:
            if message["role"] == "developer":
                message["role"] = "system"
            if not message.get("tool_calls"):
                message.pop("tool_calls", None)
        if "max_completion_tokens" in fields:
            fields["max_tokens"] = fields.pop("max_completion_tokens")
        if not self.tools:
            for name in ("tools", "tool_choice", "parallel_tool_calls"):
                fields.pop(name, None)
        return fields

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.check_shared()
        if self.top_logprobs and not self.logprobs:
            raise broken(("top_logprobs",), "may be sent only when logprobs is true")
        for index, message in enumerate(self.messages):
            _check_message(index, message)
        schemas = SchemaCheck()
        self._check_tools(schemas)
        self._check_format(schemas)
        return self

    def _check_format(self, schemas: SchemaCheck) -> None:
        form = self.response_format
        if form is None:
            return
        at = ("response_format", "json_schema")
        if (form.type == "json_schema") != (form.json_schema is not None):
            raise broken(at, "must be sent when type is 'json_schema', and only then")
        if form.json_schema is not None:
            schema = form.json_schema.schema_
            fault = schemas.fault(schema)
            if fault is None and has_regex(schema):
                fault = "must not use pattern or patternProperties"
            if fault is not None:
                raise broken((*at, "schema"), fault)

    def _check_tools(self, schemas: SchemaCheck) -> None:
        tools, choice = self.tools or [], self.tool_choice
        for index, tool in enumerate(tools):
            fault = schemas.fault(tool.function.parameters or {})
            if fault is not None:
                raise broken(("tools", index, "function", "parameters"), fault)
        if choice in (None, "none", "auto"):
            if choice == "auto" and not tools:
                raise broken(("tool_choice",), "may be sent only with tools")
            return
        if not tools:
            raise broken(("tool_choice",), "may be sent only with tools")
        if isinstance(choice, NamedTool):
            tools = [tool for tool in tools if tool.function.name == choice.function.name]
            if not tools:
                raise broken(("tool_choice", "function", "name"), "must name one of the tools")
        if any(has_regex(tool.function.parameters) for tool in tools):
            raise broken(
                ("tools",), "must not use pattern or patternProperties if a call is forced"
            )


def _check_message(index: int, message: Message) -> None:
    at = ("messages", index)
    if message.tool_calls and message.role != "assistant":
        raise broken((*at, "tool_calls"), "may be sent only by the assistant")
    if (message.role == "tool") != (message.tool_call_id is not None):
        raise broken(
            (*at, "tool_call_id"), "belongs to messages of the role 'tool', and only there"
        )
    if message.content is None and not message.tool_calls:
        raise broken((*at, "content"), "is required")
