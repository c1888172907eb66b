"""A completion request: one or more prompts, as text or as token ids, each bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from models.vendors import VendorTerms
from runtime.request_limits import LIMITS
from runtime.wire.answer_format import Compiled, ResponseFormat
from runtime.wire.field_types import Text, TokenId, broken
from runtime.wire.sampling import Sampling

DEFAULT_MAX_TOKENS = 16  # what the API promises where the caller names none

TokenIds = Annotated[
    list[TokenId], Field(fail_fast=True, min_length=1, max_length=LIMITS.prompt_ids_max)
]
Prompts = Field(fail_fast=True, min_length=1, max_length=LIMITS.prompts_max)


class CompletionRequest(Sampling):
    LOCAL: ClassVar[dict[str, Any]] = {
        **Sampling.LOCAL,
        "response_format": ResponseFormat(type="text"),  # few vendors read it here
    }
    prompt_field: ClassVar[str] = "prompt"

    prompt: Text | Annotated[list[Text], Prompts] | TokenIds | Annotated[list[TokenIds], Prompts]
    echo: bool | None = None
    logprobs: int | None = Field(None, ge=0, le=LIMITS.logprobs_max)
    response_format: ResponseFormat | None = None

    @property
    def prompts(self) -> list[Any]:
        """Each prompt by itself: a text, or a list of token ids."""
        if isinstance(self.prompt, str) or isinstance(self.prompt[0], int):
            return [self.prompt]
        return list(self.prompt)

    @property
    def choices(self) -> int:
        return (self.n or 1) * len(self.prompts)

    @property
    def prompt_token_counts(self) -> list[int] | None:
        prompts = self.prompts
        return None if isinstance(prompts[0], str) else [len(ids) for ids in prompts]

    @property
    def answer_tokens_max(self) -> int | None:
        return DEFAULT_MAX_TOKENS if self.max_tokens is None else self.max_tokens

    def texts(self) -> Iterator[str]:
        return (prompt for prompt in self.prompts if isinstance(prompt, str))

    def texts_by_prompt(self) -> Iterator[Iterable[str]]:
        return ((text,) for text in self.texts())

    def prefix_parts(self) -> Iterator[str]:
        """Nothing of token ids, which are not hashed, nor of several prompts, which share none."""
        if len(self.prompts) == 1:
            if self.cache_salt is not None:
                yield self.cache_salt
            yield from self.texts()

    def refused_field(self, terms: VendorTerms | None) -> str | None:
        if terms is not None and not terms.serves_completions:
            return "prompt"
        return super().refused_field(terms)

    def upstream_fields(
        self, *, openai_only: bool, terms: VendorTerms | None = None
    ) -> dict[str, Any]:
        fields = super().upstream_fields(openai_only=openai_only, terms=terms)
        if not openai_only:
            self.fit_in(fields)
        return fields

    @model_validator(mode="after")
    def _check(self) -> Self:
        compiled = Compiled()
        self.check_shared(compiled)
        if self.max_tokens == 0 and not self.echo:
            raise broken(("max_tokens",), "may be 0 only when echo is true")
        if self.choices > LIMITS.choices_max:
            says = f"times the number of prompts must be at most {LIMITS.choices_max}"
            raise broken(("n",), says)
        if self.response_format is not None:
            compiled.add_format(self.response_format)
        self.keep(compiled)
        return self
