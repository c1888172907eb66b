"""The fields that chats and completions share.

What is not declared here never reaches a target; ``unserved_fields`` says what becomes of it. Of
what vLLM serves and vendors do not, hints are left out where a request is bought, and named; a
field that decides what the answer is keeps the request at local replicas.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from models.vendors import VendorTerms
from runtime.grammar.constraint import Constraint, Path
from runtime.request_limits import LIMITS
from runtime.wire.answer_format import Compiled, StructuredOutputs, is_held
from runtime.wire.field_types import Finite, Strict, TokenId, broken
from runtime.wire.texts_in import LONG_NUMBER, texts_in
from runtime.wire.vendor_fields import HINTS, kept_from_vendor, refused_field

StopText = Annotated[str, Field(min_length=1, max_length=LIMITS.stop_chars_max)]
BadWord = Annotated[str, Field(min_length=1, max_length=LIMITS.bad_word_chars_max)]
Salt = Annotated[
    str, Field(min_length=1, max_length=LIMITS.salt_chars_max, pattern=r"^[^@/\\\x00]*$")
]
TokenIdText = Annotated[str, Field(pattern=r"^[0-9]{1,7}$")]
Penalty = Annotated[Finite, Field(ge=-2, le=2)]
Bias = Annotated[Finite, Field(ge=-100, le=100)]

VENDOR_STOPS_MAX = 4

_ELSEWHERE = frozenset({"messages", "prompt", "model", "tools"})  # their texts are read as such


class StreamOptions(Strict):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None
    continuous_usage_stats: bool | None = None


class Sampling(Strict):
    # Fields that local replicas serve, each with the value that asks for what is done anyway.
    LOCAL: ClassVar[dict[str, Any]] = {
        "stop_token_ids": [],
        "bad_words": [],
        "allowed_token_ids": None,
        "include_stop_str_in_output": False,
        "skip_special_tokens": True,
        "spaces_between_special_tokens": True,
        "add_special_tokens": None,
        "thinking_token_budget": -1,
        "return_token_ids": False,
        "return_tokens_as_token_ids": False,
        "structured_outputs": None,
    }
    prompt_field: ClassVar[str]  # the one that is too long where a prompt is
    # Found while parsing, in the few requests that have any. No fields: nobody can send them.
    ignored: ClassVar[tuple[str, ...]] = ()  # names of what was sent and has no effect
    fitted: ClassVar[tuple[tuple[Path, dict[str, Any]], ...]] = ()
    constraints: ClassVar[tuple[Constraint, ...]] = ()

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
    cache_salt: Salt | None = None

    stop_token_ids: (
        Annotated[list[TokenId], Field(fail_fast=True, max_length=LIMITS.stop_ids_max)] | None
    ) = None
    bad_words: (
        Annotated[list[BadWord], Field(fail_fast=True, max_length=LIMITS.bad_words_max)] | None
    ) = None
    allowed_token_ids: (
        Annotated[
            list[TokenId], Field(fail_fast=True, min_length=1, max_length=LIMITS.allowed_ids_max)
        ]
        | None
    ) = None
    include_stop_str_in_output: bool | None = None
    skip_special_tokens: bool | None = None
    spaces_between_special_tokens: bool | None = None
    add_special_tokens: bool | None = None
    thinking_token_budget: int | None = Field(None, ge=-1, le=LIMITS.max_tokens_max)
    return_token_ids: bool | None = None
    return_tokens_as_token_ids: bool | None = None
    structured_outputs: StructuredOutputs | None = None

    @property
    def streaming(self) -> bool:
        return bool(self.stream)

    @property
    def wants_usage(self) -> bool:
        """Whether the client asked to see usage in its stream."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def wants_usage_often(self) -> bool:
        """Whether an engine is to tell usage in each frame. Of several answers it tells that of
        the one in the frame, which nobody could add up."""
        options = self.stream_options
        asked = options is not None and bool(options.continuous_usage_stats)
        return asked and self.wants_usage and self.choices == 1

    @property
    def choices(self) -> int:
        """How many answers are generated, so how many finish reasons end the stream."""
        return self.n or 1

    @property
    def answer_tokens_max(self) -> int | None:
        """What the caller allows per choice; None where they leave it to the context."""
        return self.max_tokens

    @property
    def message_count(self) -> int:
        """How many messages a chat template frames; raw prompts have none."""
        return 0

    @property
    def asks_tools(self) -> bool:
        """Whether the model is offered tools to call."""
        return False

    @property
    def asks_structure(self) -> bool:
        """Whether the answer has to be JSON, or of a schema or grammar."""
        return self.structured_outputs is not None

    def with_defaults(self, *, temperature: float | None, max_tokens: int | None) -> Self:
        """The request with these where its caller has said nothing."""
        told: dict[str, float | int] = {}
        if temperature is not None and self.temperature is None:
            told["temperature"] = temperature
        if max_tokens is not None and self.answer_tokens_max is None:
            told["max_tokens"] = max_tokens
        return self.model_copy(update=told) if told else self

    @property
    def prompt_token_counts(self) -> list[int] | None:
        """The exact count of each prompt, where they are token ids; None where they are text."""
        return None

    @property
    def local_only(self) -> str | None:
        """A field for which the request must not be bought, if it has one."""
        return self._only_for_engines(frozenset())

    def refused_field(self, terms: VendorTerms | None) -> str | None:
        """A field for which such a vendor may not have the request, if it has one."""
        if terms is None:
            return self.local_only
        return self._only_for_engines(terms.takes) or refused_field(self, terms)

    def _only_for_engines(self, taken: frozenset[str]) -> str | None:
        if self.model_fields_set.isdisjoint(self.LOCAL):
            return None
        for name in sorted((self.model_fields_set & self.LOCAL.keys()) - taken):
            value = getattr(self, name)
            if value is not None and value != self.LOCAL[name]:
                return name
        return None

    @property
    def taken_everywhere(self) -> bool:
        """Whether no vendor refuses what is sent on: with a pool at hand, nobody need find out."""
        return not isinstance(self.stop, list) or len(self.stop) <= VENDOR_STOPS_MAX

    def output_tokens_max(self, context_tokens: int) -> int:
        """The most tokens that one choice can have."""
        asked = self.answer_tokens_max
        return context_tokens if asked is None else min(asked, context_tokens)

    def texts(self) -> Iterator[str]:
        """Every text that reaches the prompt."""
        raise NotImplementedError

    def texts_by_prompt(self) -> Iterator[Iterable[str]]:
        """The same, of each prompt by itself."""
        raise NotImplementedError

    def prefix_parts(self) -> Iterator[str]:
        """The prompt from its beginning, as far as two requests can share one in an engine."""
        raise NotImplementedError

    def upstream_fields(
        self, *, openai_only: bool, terms: VendorTerms | None = None
    ) -> dict[str, Any]:
        """The validated fields in the form that every target reads alike."""
        left_out = self.kept_back(terms) if openai_only else None
        return self.model_dump(exclude_none=True, by_alias=True, exclude=left_out)

    def kept_back(self, terms: VendorTerms | None) -> dict[str, bool]:
        """The fields that only engines know, but for those that a vendor takes, too."""
        names = (*HINTS, *self.LOCAL)
        return dict.fromkeys(names, True) if terms is None else kept_from_vendor(names, terms)

    def other_texts(self) -> Iterator[str]:
        """All strings and long numbers that its caller has set, but those of the prompt."""
        told = {name for name in self.model_fields_set - _ELSEWHERE if not self._is_plain(name)}
        if not told:
            return iter(())
        return texts_in(list(self.model_dump(exclude_defaults=True, include=told).values()))

    def _is_plain(self, name: str) -> bool:
        """Whether a field holds nothing that ``texts_in`` would find anything in."""
        value = getattr(self, name)
        return value is None or (isinstance(value, int | float) and abs(value) < LONG_NUMBER)

    def fit_in(self, fields: dict[str, Any]) -> None:
        """Schemas as engines can hold them; a vendor gets the caller's own."""
        for at, schema in self.fitted:
            place: Any = fields
            for step in at[:-1]:
                place = place[step]
            place[at[-1]] = schema
        if "ignore_eos" in self.ignored:
            del fields["ignore_eos"]

    def ignore(self, names: Iterable[str]) -> None:
        """Adds to what is named in the answer's headers."""
        self.__dict__["ignored"] = tuple(dict.fromkeys((*self.ignored, *names)))

    def ignored_by(self, *, bought: bool, terms: VendorTerms | None = None) -> tuple[str, ...]:
        """Names of what was sent and has no effect on the answer of such a target."""
        if not bought:
            return self.ignored
        taken = frozenset[str]() if terms is None else terms.takes
        left_out = () if terms is None else sorted(terms.left_out & self.model_fields_set)
        hints = (name for name in HINTS if name not in taken)
        told = (name for name in (*hints, *left_out) if getattr(self, name) is not None)
        often = ("stream_options.continuous_usage_stats",) if self.wants_usage_often else ()
        return tuple(dict.fromkeys((*self.ignored, *told, *often)))

    def ignored_header(
        self, *, bought: bool, terms: VendorTerms | None = None
    ) -> tuple[tuple[bytes, bytes], ...]:
        """The value of an answer's header; of many names the first."""
        names = self.ignored_by(bought=bought, terms=terms)
        if not names:
            return ()
        text = ", ".join(names)
        if len(text) > LIMITS.ignored_chars_max:
            text = text[: LIMITS.ignored_chars_max].rpartition(", ")[0] + ", ..."
        return ((b"x-baseload-ignored", text.encode()),)

    def check_shared(self, compiled: Compiled) -> None:
        """Rules over several fields that both kinds of request have."""
        most = self.answer_tokens_max
        if self.min_tokens and most is not None and self.min_tokens > most:
            raise broken(("min_tokens",), "must not exceed the most tokens allowed")
        if self.structured_outputs is not None:
            compiled.add_outputs(self.structured_outputs)
        form = getattr(self, "response_format", None)
        if self.ignore_eos and is_held(form, self.structured_outputs):
            compiled.left_out["ignore_eos"] = None  # nothing holds what comes after its end
        options = self.stream_options
        if options is not None and options.continuous_usage_stats and not self.wants_usage_often:
            compiled.left_out["stream_options.continuous_usage_stats"] = None

    def keep(self, compiled: Compiled) -> None:
        """What the checks have found."""
        if compiled.left_out:
            self.ignore(compiled.left_out)
        if compiled.fitted or compiled.constraints:
            self.__dict__["fitted"] = tuple(compiled.fitted)
            self.__dict__["constraints"] = tuple(compiled.constraints)
