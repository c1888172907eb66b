"""The fields that chats and completions share, and the types every field is made of.

Strict everywhere: "1" is not 1, an unknown field is refused, each number and text has a bound.

Accepted and not passed on, because leaving them out cannot change the answer: ``user``,
``safety_identifier``, ``prompt_cache_key`` and ``metadata`` (labels for the vendor's own books),
``store`` where false, ``service_tier`` where it asks for nothing special, and
``stream_options.include_obfuscation``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from runtime.http.limits import LIMITS

Text = Annotated[str, Field(max_length=LIMITS.content_chars_max)]
Name = Annotated[
    str, Field(min_length=1, max_length=LIMITS.name_chars_max, pattern=r"^[^\s<|\\/>]+$")
]
Label = Annotated[str, Field(max_length=LIMITS.label_chars_max)]
StopText = Annotated[str, Field(min_length=1, max_length=LIMITS.stop_chars_max)]
TokenIdText = Annotated[str, Field(pattern=r"^[0-9]{1,7}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Penalty = Annotated[Finite, Field(ge=-2, le=2)]
Bias = Annotated[Finite, Field(ge=-100, le=100)]

# What vLLM understands and a vendor's endpoint may refuse.
VLLM_ONLY: dict[str, Any] = dict.fromkeys(
    ("top_k", "min_p", "repetition_penalty", "min_tokens", "ignore_eos"), True
)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class StreamOptions(Strict):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Sampling(Strict):
    model: str = Field(
        min_length=1,
        max_length=LIMITS.model_chars_max,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$",
    )
    max_tokens: int | None = Field(None, ge=0, le=LIMITS.max_tokens_max)
    temperature: Finite | None = Field(None, ge=0, le=2)
    top_p: Finite | None = Field(None, gt=0, le=1)
    n: int | None = Field(None, ge=1, le=LIMITS.n_max)
    stop: (
        StopText
        | Annotated[list[StopText], Field(fail_fast=True, max_length=LIMITS.stop_max)]
        | None
    ) = None
    seed: int | None = Field(None, ge=-LIMITS.integer_max, le=LIMITS.integer_max)
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: (
        Annotated[dict[TokenIdText, Bias], Field(max_length=LIMITS.logit_bias_max)] | None
    ) = None
    stream: bool | None = None
    stream_options: StreamOptions | None = Field(None, exclude=True)

    top_k: int | None = Field(None, ge=-1, le=LIMITS.top_k_max)
    min_p: Finite | None = Field(None, ge=0, le=1)
    repetition_penalty: Finite | None = Field(None, gt=0, le=LIMITS.repetition_penalty_max)
    min_tokens: int | None = Field(None, ge=0, le=LIMITS.max_tokens_max)
    ignore_eos: bool | None = None

    user: Label | None = Field(None, exclude=True)
    safety_identifier: Label | None = Field(None, exclude=True)
    prompt_cache_key: Label | None = Field(None, exclude=True)
    metadata: Annotated[dict[Label, Label], Field(max_length=LIMITS.metadata_max)] | None = Field(
        None, exclude=True
    )
    store: Literal[False] | None = Field(None, exclude=True)
    service_tier: Literal["auto", "default"] | None = Field(None, exclude=True)

    @property
    def streaming(self) -> bool:
        return bool(self.stream)

    @property
    def wants_usage(self) -> bool:
        """Whether the client asked to see usage in its stream."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def choices(self) -> int:
        """How many answers are generated, so how many finish reasons end the stream."""
        return self.n or 1

    @property
    def answer_tokens_max(self) -> int | None:
        """What the caller allows per choice; None where they leave it to the context."""
        return self.max_tokens

    def output_tokens_max(self, context_tokens: int) -> int:
        """The most tokens that one choice can have."""
        asked = self.answer_tokens_max
        return context_tokens if asked is None else min(asked, context_tokens)

    def texts(self) -> Iterator[str]:
        """Every text that reaches the prompt."""
        raise NotImplementedError

    def prefix_parts(self) -> Iterator[str]:
        """The prompt from its beginning, as far as two requests can share one in an engine."""
        raise NotImplementedError

    def text_chars(self) -> int:
        return sum(map(len, self.texts()))

    def prompt_bytes(self) -> int:
        return sum(len(text) if text.isascii() else len(text.encode()) for text in self.texts())

    def upstream_fields(self, *, openai_only: bool) -> dict[str, Any]:
        """The validated fields in the form that every target reads alike."""
        left_out = VLLM_ONLY if openai_only else None
        return self.model_dump(exclude_none=True, by_alias=True, exclude=left_out)

    def check_shared(self) -> None:
        """Rules over several fields that both kinds of request have."""
        if self.stream_options is not None and not self.stream:
            raise broken(("stream_options",), "may be sent only when stream is true")
        most = self.answer_tokens_max
        if self.min_tokens and most is not None and self.min_tokens > most:
            raise broken(("min_tokens",), "must not exceed the most tokens allowed")


def broken(at: tuple[str | int, ...], says: str) -> PydanticCustomError:
    return PydanticCustomError("request", says, {"at": at})
