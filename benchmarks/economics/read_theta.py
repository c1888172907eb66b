"""Theta from where it was found: a number, a sweep's result, or a plan's.

A plan's document brings more than theta: its band, the cards of a replica, and the mix it was
made for. A sweep's brings theta under its own name, its mix unless that was a trace's, and its
band where runs were repeated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.economics.input_checks import BadInput, above_zero
from benchmarks.economics.sensitivity import THETA, Span

FILE_BYTES_MAX = 8 << 20
BAND_PCT_MAX = 99
SAME_MIX = Decimal("0.01")
SWEEP_KEY = "theta_out_tok_s_per_card"
PLAN_KEY = "out_tok_s_per_card"


@dataclass(frozen=True, slots=True)
class Theta:
    """``tok_s`` is output of one card. What the source does not say is None."""

    tok_s: Decimal
    source: str
    span: Span = THETA
    cards_per_replica: int | None = None
    input_per_output: Decimal | None = None
    model: str | None = None

    def at(self, input_per_output: Decimal) -> str:
        """Names the source; and the mix that it was found for, where another is asked about."""
        own = self.input_per_output
        if own is None or abs(input_per_output / own - 1) <= SAME_MIX:
            return self.source
        return f"{self.source}, found at {own:.4g} input tokens per output token: not at these"


def read_theta(text: str) -> Theta:
    """A number, or the path of a JSON file."""
    path = Path(text)
    if path.suffix != ".json":
        return Theta(above_zero("theta", text), "given")
    return _of_document(text, _document(path))


def _of_document(name: str, document: Mapping[str, Any]) -> Theta:
    if SWEEP_KEY in document:
        if document[SWEEP_KEY] is None:
            raise BadInput(f"{name}: the sweep found no theta; it says why")
        return Theta(
            tok_s=_number(name, document, SWEEP_KEY),
            source=f"{name}, a sweep",
            span=_span(name, document),
            input_per_output=_mix(name, document.get("traffic")),
            model=_model(document),
        )
    chosen = document.get("chosen")
    if not isinstance(chosen, dict) or chosen.get(PLAN_KEY) is None:
        raise BadInput(
            f"{name}: holds no theta: neither {SWEEP_KEY} of a sweep, nor chosen.{PLAN_KEY} of a "
            "plan with a layout that works"
        )
    return Theta(
        tok_s=_number(name, chosen, PLAN_KEY),
        source=f"{name}, a plan",
        span=_span(name, chosen),
        cards_per_replica=_cards_per_replica(document.get("cards"), chosen.get("replicas")),
        input_per_output=_mix(name, document),
        model=_model(document),
    )


def _model(document: Mapping[str, Any]) -> str | None:
    model = document.get("model")
    return model if isinstance(model, str) else None


def _mix(name: str, asked: object) -> Decimal | None:
    if not isinstance(asked, dict) or not {"input_tokens", "output_tokens"} <= asked.keys():
        return None
    return _number(name, asked, "input_tokens") / _number(name, asked, "output_tokens")


def _cards_per_replica(cards: object, replicas: object) -> int | None:
    if not isinstance(cards, int) or not isinstance(replicas, int) or replicas < 1:
        return None
    return cards // replicas


def _document(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise BadInput(f"theta {path}: cannot be read ({error.strerror})") from None
    if len(content) > FILE_BYTES_MAX:
        raise BadInput(f"theta {path}: is larger than {FILE_BYTES_MAX} bytes: not a result of ours")
    try:
        document = json.loads(content, parse_float=str)
    except (ValueError, RecursionError):
        raise BadInput(f"theta {path}: is not JSON: cut short? make it again") from None
    if not isinstance(document, dict):
        raise BadInput(f"theta {path}: must hold one JSON object")
    return document


def _number(name: str, document: Mapping[str, Any], key: str) -> Decimal:
    return above_zero(f"{name}: {key}", str(document[key]))


def _span(name: str, document: Mapping[str, Any]) -> Span:
    if document.get("band_pct") is None:
        return THETA
    band = min(_number(name, document, "band_pct"), Decimal(BAND_PCT_MAX)) / 100
    return Span(1 - band, 1 + band, f"the band of {name}")
