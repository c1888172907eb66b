"""What a caller says about a request in X-Baseload-* headers, beside the request itself.

A misspelt header would silently lose a compliance or cost tag, so an unknown one is refused. Some
go by other names, too: `featureId`, `x-task-category`. The tenant comes from the API key alone: who
says it (`tenantId`) must say the key's own. What a tenant's configuration adds to what is said, and
forbids to say, stands in ``tag_terms``.

A deadline puts a request into the off-peak lane: it may be held until an answer could only just be
complete in time, and its caller keeps the connection open. It is a time, so that it
means the same wherever it is read, and at most ``LIMITS.deadline_ms_max`` away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from runtime.errors import BadRequest, OtherTenant, UnknownField
from runtime.message_text import shown
from runtime.request_limits import LIMITS, refusals
from scheduler.compliance.jurisdictions import COUNTRIES

PREFIX = "x-baseload-"
TENANT = "tenant"
# Names that are in use elsewhere for the same, in small letters as all names of headers.
ALIASES = {
    alias: field
    for field, aliases in {
        TENANT: "tenantid tenant-id x-tenant-id",
        "feature": "featureid feature-id x-feature-id",
        "task": "taskcategory task-category x-task-category",
    }.items()
    for alias in aliases.split()
}


class Sensitivity(StrEnum):
    PUBLIC = "public"
    INTERNAL = "internal"
    PII = "pii"
    REGULATED = "regulated"


_RANK = {each: rank for rank, each in enumerate(Sensitivity)}


def stricter(one: Sensitivity, other: Sensitivity) -> Sensitivity:
    return max(one, other, key=_RANK.__getitem__)


def is_personal(sensitivity: Sensitivity) -> bool:
    return _RANK[sensitivity] >= _RANK[Sensitivity.PII]


class CostTier(StrEnum):
    ECONOMY = "economy"
    STANDARD = "standard"
    PREMIUM = "premium"


class Tell(StrEnum):
    COST = "cost"


@dataclass(frozen=True, slots=True)
class Tags:
    """A tag is None where the caller did not say, and no default does."""

    feature: str | None = None
    task: str | None = None
    locale: str | None = None
    sensitivity: Sensitivity = Sensitivity.INTERNAL
    region: str | None = None
    latency_budget_ms: int | None = None
    cost_tier: CostTier = CostTier.STANDARD
    deadline: datetime | None = None
    tell: Tell | None = None  # what a stream shall say at its end beside the answer


NO_TAGS = Tags()


def as_personal(tags: Tags) -> Tags:
    """The sensitivity with at least as much protection as personal data needs."""
    return replace(tags, sensitivity=stricter(tags.sensitivity, Sensitivity.PII))


def parse_tags(
    headers: Iterable[tuple[str, str]],
    *,
    tenant: str = "",
    defaults: Tags = NO_TAGS,
    required: frozenset[str] = frozenset(),
) -> Tags:
    """The tags among ``headers``; others are ignored. ``required`` holds field names of Tags."""
    said = _said(headers, tenant)
    missing = sorted(required - said.keys())
    if missing:
        name = header_of(missing[0])
        raise BadRequest(f"This API key requires the header `{name}`.", param=name)
    return replace(defaults, **said) if said else defaults


def _said(headers: Iterable[tuple[str, str]], tenant: str) -> dict[str, Any]:
    """By field. OtherTenant where another tenant than the key's is named."""
    said: dict[str, Any] = {}
    for header, value in headers:
        lowered = header.lower()
        if lowered.startswith(PREFIX):
            field = lowered.removeprefix(PREFIX).replace("-", "_")
            # `x-baseload-cost_tier` reads as the same field, but is not the header we name.
            if field not in _PARSERS or "_" in lowered:
                name = shown(lowered)
                raise UnknownField(f"There is no header `{name}`. Known: {_KNOWN}.", param=name)
        elif lowered in ALIASES:
            field = ALIASES[lowered]
        else:
            continue
        if field == TENANT:
            _agree(lowered, value, tenant)
        elif field in said:
            raise BadRequest(f"The header `{lowered}` was sent twice.", param=lowered)
        else:
            said[field] = _parsed(lowered, field, value.strip())
    return said


def _agree(header: str, value: str, tenant: str) -> None:
    """A server hands headers over as Latin-1, and the name of a tenant may have any sign."""
    if value.strip().encode("latin-1", "replace") != tenant.encode():
        raise OtherTenant(param=header)


def _parsed(header: str, field: str, value: str) -> Any:
    parse, allowed, _ = _PARSERS[field]
    if len(value) > LIMITS.header_value_chars_max:
        refusals["header_value_chars_max"] += 1
    else:
        try:
            return parse(value)
        except ValueError:
            pass
    raise BadRequest(f"The header `{header}` must be {allowed}.", param=header)


def allowed_value(field: str, value: str) -> str:
    """ValueError, in words, for one that a caller could not say."""
    try:
        _PARSERS[field].parse(value)
    except ValueError:
        raise ValueError(f"expected {_PARSERS[field].allowed}") from None
    return value


def header_of(field: str) -> str:
    return PREFIX + field.replace("_", "-")


def _matching(pattern: str) -> Callable[[str], str]:
    compiled = re.compile(pattern, re.ASCII)

    def parse(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError
        return value

    return parse


def _country(value: str) -> str:
    """A code that is no country's would be a user whom no rule names."""
    if value not in COUNTRIES:
        raise ValueError
    return value


def _latency_budget_ms(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise ValueError
    budget_ms = int(value)
    if not 1 <= budget_ms <= LIMITS.latency_budget_ms_max:
        refusals["latency_budget_ms_max"] += 1
        raise ValueError
    return budget_ms


def _deadline(value: str) -> datetime:
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError
    try:
        return at.astimezone(UTC)
    except OverflowError:  # the first or the last day of the calendar
        raise ValueError from None


class _Tag(NamedTuple):
    """``allowed`` ends the sentence "the header must be"; ``meaning`` is for the documents."""

    parse: Callable[[str], Any]
    allowed: str
    meaning: str


_label = _matching(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
LABEL = "1 to 64 of A-Z a-z 0-9 . _ / -, a letter or digit first"
LOCALE = "a language tag such as zh-CN"
_PARSERS: dict[str, _Tag] = {
    "feature": _Tag(
        _label, LABEL, "the part of your product that asks: in the ledger, reports and the log"
    ),
    "task": _Tag(
        _label,
        LABEL,
        "the kind of work: model auto takes the rule of it, and lengths of answers are learned "
        "by it; in the ledger and the log, too",
    ),
    "locale": _Tag(
        _matching(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}"),
        LOCALE,
        "the language of the answer: rules choose models by it, and by that of the text where "
        "nobody says it",
    ),
    "sensitivity": _Tag(
        Sensitivity,
        "one of " + ", ".join(Sensitivity),
        "what the request holds: it is sent only to providers whose allowed_sensitivity has it. "
        "Personal data that is found in its text raises it to pii, the tenant's "
        "sensitivity_floor raises it, and nothing lowers it",
    ),
    "region": _Tag(
        _country,
        "a country of ISO 3166 in two small letters such as cn",
        "where its user is, for the policy packs in force. Only keys of a tenant with is_edge may "
        "say it, any other no more than its own home",
    ),
    "latency_budget_ms": _Tag(
        _latency_budget_ms,
        f"a whole number of milliseconds from 1 to {LIMITS.latency_budget_ms_max}",
        "how long the caller waits for the first token; left out, the server's ttft_budget_ms",
    ),
    "cost_tier": _Tag(
        CostTier,
        "one of " + ", ".join(CostTier),
        "its class in the queue: premium goes first, economy last",
    ),
    "deadline": _Tag(
        _deadline,
        "a time with its offset such as 2030-01-31T18:00:00Z",
        "when the whole answer must be there, within "
        f"{LIMITS.deadline_ms_max // 3_600_000} hours: it is served when there is room to spare",
    ),
    "tell": _Tag(
        Tell, "one of " + ", ".join(Tell), "what a stream says in a comment at its end: its cost"
    ),
}
TAG_HEADERS = {header_of(field): tag.allowed for field, tag in _PARSERS.items()}
TAG_MEANINGS = {header_of(field): tag.meaning for field, tag in _PARSERS.items()}
TAG_DEFAULTS = {header_of(field): getattr(NO_TAGS, field) for field in _PARSERS}
_KNOWN = ", ".join(TAG_HEADERS)
