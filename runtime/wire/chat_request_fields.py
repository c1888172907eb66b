"""A chat request: its messages, its tools, and how its answer is to be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import to_json

from models.vendors import VendorTerms
from runtime.request_limits import LIMITS
from runtime.wire.answer_format import Compiled, ResponseFormat, for_vendor
from runtime.wire.chat_messages import Message, for_target
from runtime.wire.field_types import Strict, broken
from runtime.wire.sampling import Sampling
from runtime.wire.tools import (
    Tool,
    ToolChoice,
    check_choice,
    check_names,
    choice_kind,
    compiled_tools,
    is_forced,
    taken_everywhere,
)
from runtime.wire.vendor_fields import HINTS

_EFFORTS = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_ShortText = Annotated[str, Field(max_length=LIMITS.switch_chars_max)]
_Scalar = bool | Annotated[int, Field(ge=-1, le=LIMITS.max_tokens_max)] | _ShortText


class TemplateSwitches(Strict):
    """What the templates of served models read besides the conversation; never a template."""

    enable_thinking: _Scalar | None = None
    thinking: _Scalar | None = None
    thinking_mode: _Scalar | None = None
    thinking_effort: _Scalar | None = None
    thinking_budget: _Scalar | None = None
    reasoning_effort: _Scalar | None = None
    clear_thinking: _Scalar | None = None
    preserve_thinking: _Scalar | None = None
    drop_thinking: _Scalar | None = None
    truncate_history_thinking: _Scalar | None = None
    low_effort: _Scalar | None = None
    tools_in_user_message: _Scalar | None = None
    date_string: _Scalar | None = None


class ChatRequest(Sampling):
    LOCAL: ClassVar[dict[str, Any]] = {
        **Sampling.LOCAL,
        "chat_template_kwargs": TemplateSwitches(),
        "continue_final_message": False,
        "add_generation_prompt": True,
        "include_reasoning": True,
    }
    _FOR_ENGINES: ClassVar[dict[str, Any]] = {
        "messages": {"__all__": {"reasoning", "reasoning_content"}},
    }
    _KEPT_BACK: ClassVar[dict[str, Any]] = {**dict.fromkeys((*HINTS, *LOCAL), True), **_FOR_ENGINES}
    prompt_field: ClassVar[str] = "messages"

    messages: Annotated[
        list[Message], Field(fail_fast=True, min_length=1, max_length=LIMITS.messages_max)
    ]
    max_tokens: int | None = Field(None, ge=1, le=LIMITS.max_tokens_max)
    max_completion_tokens: int | None = Field(None, ge=1, le=LIMITS.max_tokens_max)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=LIMITS.logprobs_max)
    tools: Annotated[list[Tool], Field(fail_fast=True, max_length=LIMITS.tools_max)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: _EFFORTS | None = None

    chat_template_kwargs: TemplateSwitches | None = None
    continue_final_message: bool | None = None
    add_generation_prompt: bool | None = None
    include_reasoning: bool | None = None

    @property
    def answer_tokens_max(self) -> int | None:
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def message_count(self) -> int:
        return len(self.messages)

    @property
    def taken_everywhere(self) -> bool:
        return super().taken_everywhere and (not self.tools or taken_everywhere(self.tools))

    @property
    def asks_tools(self) -> bool:
        return bool(self.tools) and self.tool_choice != "none"

    @property
    def asks_structure(self) -> bool:
        form = self.response_format
        return super().asks_structure or (form is not None and form.type != "text")

    def texts(self) -> Iterator[str]:
        for message in self.messages:
            yield from message.texts()
        if self.tools:
            yield self.tools_text

    def other_texts(self) -> Iterator[str]:
        yield from super().other_texts()
        for message in self.messages:
            yield from message.ids()

    def texts_by_prompt(self) -> Iterator[Iterable[str]]:
        """A chat is one prompt."""
        yield self.texts()

    def prefix_parts(self) -> Iterator[str]:
        """Templates put the tools before the conversation."""
        if self.cache_salt is not None:
            yield self.cache_salt
        if self.tools:
            yield self.tools_text
        for message in self.messages:
            yield message.role
            yield from message.texts()

    @cached_property
    def tools_text(self) -> str:
        tools = [tool.model_dump(exclude_none=True) for tool in self.tools or ()]
        return to_json(tools).decode()

    def refused_field(self, terms: VendorTerms | None) -> str | None:
        refused = super().refused_field(terms)
        if terms is None or refused is not None:
            return refused
        form = self.response_format
        if form is not None and form.type not in ("text", *terms.formats):
            return "response_format"
        if self.tools and choice_kind(self.tool_choice) not in terms.tool_choices:
            return "tool_choice"
        if "messages.name" in terms.not_taken and any(each.name for each in self.messages):
            return "messages.name"
        strict = any(tool.function.strict for tool in self.tools or ())
        return "tools.strict" if strict and "tools.strict" in terms.not_taken else None

    def upstream_fields(
        self, *, openai_only: bool, terms: VendorTerms | None = None
    ) -> dict[str, Any]:
        """The fields that a target is sent, by the contract of ``Sampling``.

        One of the two names for the bound on the answer is sent: vendors of open models ignore
        the newer one, and an ignored bound costs money.
        """
        left_out = self._left_out(terms) if openai_only else None
        fields = self.model_dump(exclude_none=True, by_alias=True, exclude=left_out)
        for message in fields["messages"]:
            for_target(message, openai_only=openai_only)
        if "max_completion_tokens" in fields:
            fields["max_tokens"] = fields.pop("max_completion_tokens")
        if not self.tools:
            for name in ("tools", "tool_choice", "parallel_tool_calls"):
                fields.pop(name, None)
        if fields.get("continue_final_message"):
            fields["add_generation_prompt"] = False  # an engine takes one or the other
        if openai_only:
            for_vendor(fields.get("response_format", {}))
            return fields
        self.fit_in(fields)
        return fields

    def _left_out(self, terms: VendorTerms | None) -> dict[str, Any]:
        if terms is None:
            return self._KEPT_BACK
        return {**self.kept_back(terms), **self._FOR_ENGINES}

    @model_validator(mode="after")
    def _check(self) -> Self:
        compiled = Compiled()
        self.check_shared(compiled)
        if self.top_logprobs and not self.logprobs:
            raise broken(("top_logprobs",), "may be sent only when logprobs is true")
        if self.continue_final_message and self.add_generation_prompt:
            raise broken(("add_generation_prompt",), "excludes continue_final_message")
        for index, message in enumerate(self.messages):
            message.check(index)
        check_choice(self.tools or (), self.tool_choice)
        if self.tools:
            self._check_tools(self.tools, compiled)
        if self.response_format is not None:
            compiled.add_format(self.response_format)
        if is_forced(self.tool_choice):
            has_form = self.response_format is not None and self.response_format.type != "text"
            names = {
                "response_format": has_form,
                "structured_outputs": self.structured_outputs,
                "ignore_eos": self.ignore_eos,
            }
            compiled.left_out |= {name: None for name, held in names.items() if held}
        self.keep(compiled)
        return self

    def _check_tools(self, tools: list[Tool], compiled: Compiled) -> None:
        for index, tool in enumerate(tools):
            compiled.bound(tool.function.parameters or {}, _parameters(index))
        check_names(tools, self.tool_choice)
        for index, tool in compiled_tools(tools, self.tool_choice):
            compiled.add(tool.function.parameters or {}, _parameters(index))


def _parameters(index: int) -> tuple[str | int, ...]:
    return ("tools", index, "function", "parameters")
