"""Requests for the tokens of a text, or the text of tokens, as vLLM's server takes them.

A chat to be counted is a chat request: the same body, so that the count is that of its prompt. Of
its fields only those that the prompt is made of go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError
from pydantic_core import to_json

from runtime.errors import BadRequest
from runtime.request_limits import LIMITS
from runtime.wire.field_types import Strict, Text
from runtime.wire.json_body import decode
from runtime.wire.parse_request import parse_chat
from runtime.wire.texts_in import texts_in
from runtime.wire.validation_error import to_error

_OPTIONS = ("add_special_tokens", "add_generation_prompt", "return_token_strs")
_OF_THE_PROMPT = ("messages", "tools", "chat_template_kwargs", "continue_final_message")
_EFFORT = "reasoning_effort"  # a template reads it under this name


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """``fields`` are what an engine is sent, without the model."""

    model: str
    fields: dict[str, Any]

    @property
    def texts(self) -> list[str] | None:
        """All that it holds; None where that is token ids."""
        return None if "tokens" in self.fields else list(texts_in(self.fields))

    def to_engine(self) -> bytes:
        return to_json({**self.fields, "model": self.model})


class _Options(Strict):
    add_special_tokens: bool | None = None
    add_generation_prompt: bool | None = None
    return_token_strs: bool | None = None


_Model = TypeVar("_Model", bound=Strict)


class _Prompt(_Options):
    model: str = Field(min_length=1, max_length=LIMITS.model_chars_max)
    prompt: Text


class _Tokens(Strict):
    model: str = Field(min_length=1, max_length=LIMITS.model_chars_max)
    tokens: Annotated[
        list[Annotated[int, Field(ge=0, le=LIMITS.token_id_max)]],
        Field(fail_fast=True, max_length=LIMITS.prompt_ids_max),
    ]


def parse_tokenize(body: bytes) -> TokenRequest:
    """Parses a request for the tokens of a prompt, or of a chat. Raises BadRequest and its like."""
    document = decode(body)
    if isinstance(document, dict) and "messages" in document:
        return _chat(document)
    if isinstance(document, dict) and "prompt" not in document:
        raise BadRequest("Send `prompt` or `messages`.", param="prompt")
    told = _valid(_Prompt, document)
    return TokenRequest(told.model, told.model_dump(exclude_none=True, exclude={"model"}))


def parse_detokenize(body: bytes) -> TokenRequest:
    told = _valid(_Tokens, decode(body))
    return TokenRequest(told.model, {"tokens": told.tokens})


def _chat(document: dict[str, Any]) -> TokenRequest:
    options = _valid(
        _Options, {name: document.pop(name) for name in _OPTIONS if name in document}
    ).model_dump(exclude_none=True)
    chat = parse_chat(to_json(document))
    fields = chat.upstream_fields(openai_only=False)
    told = {name: fields[name] for name in _OF_THE_PROMPT if name in fields}
    if _EFFORT in fields:
        told["chat_template_kwargs"] = {
            _EFFORT: fields[_EFFORT],
            **told.get("chat_template_kwargs", {}),
        }
    if told.get("continue_final_message"):
        options.setdefault("add_generation_prompt", False)  # the one excludes the other
    return TokenRequest(chat.model, {**told, **options})


def _valid(kind: type[_Model], document: Any) -> _Model:
    try:
        return kind.model_validate(document)
    except ValidationError as failed:
        raise to_error(failed, document) from None
