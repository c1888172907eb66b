"""What is documented of the APIs that vendors sell models through, where they differ.

A vendor is where its API is, how a key is shown there, which fields of a request it takes and
under which names, and what its errors mean. The facts are in ``data/vendors.yaml``, each with its
source and the day on which it was read; nothing here knows a vendor by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from models.data_file import BadDataFile, Entry, Source, data_path, duplicates, read_entries
from models.unknown_names import did_you_mean


class BadVendors(BadDataFile):
    """A file of vendors that nothing must be sent by."""


class Wire(StrEnum):
    """The API that a vendor speaks."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class Auth(StrEnum):
    """How a key is shown."""

    BEARER = "bearer"  # authorization: Bearer <key>
    X_API_KEY = "x-api-key"  # x-api-key: <key>


class Meaning(StrEnum):
    """Whose trouble an error is, and whether it passes."""

    RATE_LIMITED = "rate_limited"  # ours, for a while
    BUSY = "busy"  # the vendor's, for a while
    NO_MONEY = "no_money"  # our account's, until somebody pays
    KEY_REFUSED = "key_refused"  # our key's
    ACCESS_REFUSED = "access_refused"  # our account's, for this model
    CONTENT_POLICY = "content_policy"  # the request's: what it says is not answered there
    BAD_REQUEST = "bad_request"  # the request's
    FAILED = "failed"  # the vendor's


@dataclass(frozen=True, eq=False)
class VendorTerms:
    """What holds for one model at one vendor. Instances are constants, each equal to itself only.

    Fields are named as OpenAI's chat completions name them; one inside another has a dot, as in
    ``tools.strict``. ``takes`` are those of engines that are sent on; a request that sets one of
    ``not_taken`` has to go elsewhere; ``left_out`` are those that may be dropped and told.
    """

    vendor: str
    wire: Wire = Wire.OPENAI
    auth: Auth = Auth.BEARER
    headers: Mapping[str, str] = field(default_factory=dict)  # of every request
    serves_completions: bool = True
    takes: frozenset[str] = frozenset()
    not_taken: frozenset[str] = frozenset()
    not_together: tuple[frozenset[str], ...] = ()
    left_out: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)
    added: Mapping[str, Any] = field(default_factory=dict)  # to each request
    formats: frozenset[str] = frozenset({"json_object", "json_schema"})
    tool_choices: frozenset[str] = frozenset({"none", "auto", "required", "named"})
    temperature_min: float = 0.0
    temperature_max: float = 2.0
    stops_max: int | None = None
    asks_for_usage: bool = True  # of a stream, by stream_options
    errors: Mapping[str, Meaning] = field(default_factory=dict)
    rate_headers: RateHeaders | None = None

    def key_lines(self, key: str) -> tuple[str, ...]:
        """The header lines that show the key, and those that each request has beside them."""
        shown = (
            f"x-api-key: {key}" if self.auth is Auth.X_API_KEY else f"authorization: Bearer {key}"
        )
        return (shown, *(f"{name}: {value}" for name, value in self.headers.items()))


_Text = Annotated[str, Field(min_length=1, max_length=300)]
_Url = Annotated[str, Field(pattern=r"^https://[a-z0-9.-]+(/[A-Za-z0-9._/-]*)?$", max_length=200)]


class _Plain(Entry):
    """YAML knows lists and texts, and no sets and no enumerations."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Scope(_Plain):
    """One of several places where a vendor has its API; without a URL, each account has its own.
    Where data rests and where models run are two facts, for readers: what laws ask for stands in
    the configuration."""

    note: _Text
    base_url: _Url | None = None


class Usage(_Plain):
    """Where the tokens stand that an answer was billed for. ``frame`` is the one of a stream."""

    frame: Literal["own", "with_last_choice", "in_last_choice", "start_and_delta"]
    cached: tuple[str, ...]  # names in the usage object, a dot for one inside another


class RateHeaders(_Plain):
    """What the head of an answer says of limits: ``{}`` stands for what is limited."""

    remaining: _Text
    reset: _Text
    reset_is: Literal["time", "duration"]
    limited: tuple[str, ...]


class _Fields(_Plain):
    takes: frozenset[str] = frozenset()
    not_taken: frozenset[str] = frozenset()
    not_together: tuple[frozenset[str], ...] = ()
    left_out: frozenset[str] = frozenset()
    renamed: dict[str, str] = Field(default_factory=dict)
    added: dict[str, Any] = Field(default_factory=dict)
    formats: frozenset[Literal["json_object", "json_schema"]] | None = None
    tool_choices: frozenset[Literal["none", "auto", "required", "named"]] | None = None
    temperature_min: float | None = None
    temperature_max: float | None = None
    stops_max: int | None = None
    asks_for_usage: bool | None = None


class _OfModels(_Fields):
    """Models whose terms differ: ``models`` are patterns of their names there."""

    models: tuple[_Text, ...]


class Vendor(_Plain):
    """One vendor as its entry in the file has it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$", max_length=40)]
    title: _Text
    wire: Wire = Wire.OPENAI
    auth: Auth = Auth.BEARER
    headers: dict[str, str] = Field(default_factory=dict)
    base_url: _Url | None = None
    scopes: dict[str, Scope] = Field(default_factory=dict)
    serves_completions: bool = True
    fields: _Fields = _Fields()
    of_models: tuple[_OfModels, ...] = ()
    usage: Usage
    rate_headers: RateHeaders | None = None
    errors: dict[str, Meaning] = Field(default_factory=dict)
    sources: tuple[Source, ...] = Field(min_length=1)

    def url(self, scope: str | None) -> str | None:
        """Where the API is; None where the vendor does not say so by itself."""
        if scope is None:
            return self.base_url
        found = self.scopes.get(scope)
        return found.base_url if found else None

    def terms(self, model: str) -> VendorTerms:
        """What holds for a model, by its name there."""
        parts = [self.fields, *(each for each in self.of_models if _is_one(model, each.models))]
        last_told: dict[str, Any] = {
            name: value
            for part in parts
            for name in ("formats", "tool_choices", *_NUMBERS)
            if (value := getattr(part, name)) is not None
        }
        not_taken = _union(part.not_taken for part in parts)
        return VendorTerms(
            vendor=self.name,
            wire=self.wire,
            auth=self.auth,
            headers=self.headers,
            serves_completions=self.serves_completions,
            takes=_union(part.takes for part in parts) - not_taken,
            not_taken=not_taken,
            not_together=tuple(each for part in parts for each in part.not_together),
            left_out=_union(part.left_out for part in parts),
            renamed={old: new for part in parts for old, new in part.renamed.items()},
            added={name: value for part in parts for name, value in part.added.items()},
            errors=self.errors,
            rate_headers=self.rate_headers,
            **last_told,
        )


_NUMBERS = ("temperature_min", "temperature_max", "stops_max", "asks_for_usage")


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset(chain.from_iterable(sets))


def _is_one(model: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(model.lower(), pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a choice of a vendor: which key, and in words."""

    at: str
    says: str


@dataclass(frozen=True)
class Vendors:
    """Every known vendor by its name."""

    by_name: Mapping[str, Vendor]

    def fault(self, name: str, scope: str | None, *, has_url: bool) -> Fault | None:
        """What is wrong with a vendor's name, or with its scope; None where nothing is."""
        vendor = self.by_name.get(name)
        if vendor is None:
            hint = (
                did_you_mean(name, self.by_name) or f"known are {', '.join(sorted(self.by_name))}"
            )
            return Fault("vendor", f"is no vendor that is known here; {hint}")
        if scope is not None and scope not in vendor.scopes:
            return Fault("scope", f"is no scope of {name}; {_scopes(vendor)}")
        if not has_url and vendor.url(scope) is None:
            instead = f"a scope ({', '.join(sorted(vendor.scopes))}) or " if vendor.scopes else ""
            return Fault("base_url", f"is missing: {name} needs {instead}a base_url")
        return None


def _scopes(vendor: Vendor) -> str:
    return f"there are {', '.join(sorted(vendor.scopes))}" if vendor.scopes else "it has none"


@cache
def load_vendors(path: Path | None = None) -> Vendors:
    """The vendors of this project, or of ``path``; raises BadVendors."""
    path = data_path("vendors.yaml") if path is None else path
    entries, problems = read_entries(path, "vendors", Vendor)
    problems += duplicates([entry.name for entry in entries])
    if problems:
        raise BadVendors(path, problems)
    return Vendors({entry.name: entry for entry in entries})
