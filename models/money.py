"""Money as integers, in two units, because no single one fits both uses.

A price of $0.0001 per million tokens is 0.1 nano-USD per token: only pico-USD (1e-12 USD)
holds it exactly. A ledger sums amounts in 64-bit columns: in pico-USD they overflow at
9.2 million USD, in nano-USD (1e-9 USD) at 9.2 billion. So prices per token are pico-USD,
amounts are nano-USD, and a request is rounded between them once, upward.

Floats are refused: 0.1 is not a tenth of a dollar in binary.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TypeAlias

PicoUsd: TypeAlias = int
NanoUsd: TypeAlias = int

PICO_PER_NANO = 1_000
NANO_PER_USD = 1_000_000_000
# 1 USD per million tokens = 1e-6 USD per token = 1e6 pico-USD per token.
PICO_PER_TOKEN_PER_USD_PER_MTOK = 1_000_000

# Far above any real price; keeps the arithmetic inside Decimal's default precision.
AMOUNT_USD_MAX = 1_000_000

# Decimal itself would read digits of any script, and underscores between them.
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,6})?")


def pico_usd_per_token(usd_per_mtok: str | Decimal) -> PicoUsd:
    """The price of one token, exactly; ValueError when pico-USD cannot hold it."""
    return _exact_units(usd_per_mtok, PICO_PER_TOKEN_PER_USD_PER_MTOK, "USD per M tokens")


def nano_usd_per_hour(usd_per_hour: str | Decimal) -> NanoUsd:
    """The price of one hour, exactly; ValueError when nano-USD cannot hold it."""
    return _exact_units(usd_per_hour, NANO_PER_USD, "USD per hour")


def nano_usd(usd: str | Decimal) -> NanoUsd:
    """An amount, exactly; ValueError when nano-USD cannot hold it."""
    return _exact_units(usd, NANO_PER_USD, "USD")


def ceil_nano(pico: PicoUsd) -> NanoUsd:
    """Round up to the ledger's unit: call it once per request, on the request's sum."""
    if pico < 0:
        raise ValueError(f"an amount to bill cannot be negative: {pico} pico-USD")
    return -(-pico // PICO_PER_NANO)


def usd_per_mtok(pico: PicoUsd) -> Decimal:
    """The list price that ``pico`` stands for."""
    return Decimal(pico) / PICO_PER_TOKEN_PER_USD_PER_MTOK


def format_usd(nano: NanoUsd) -> str:
    """Exact decimal text with at least two decimals: ``0.05``, ``-1.000000001``."""
    whole, fraction = divmod(abs(nano), NANO_PER_USD)
    decimals = f"{fraction:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else ''}{whole}.{decimals}"


def aligned_usd(amounts: Sequence[NanoUsd]) -> list[str]:
    """The same for a column: as many decimals as the one that needs most, so that the points stand
    under one another."""
    texts = [format_usd(nano) for nano in amounts]
    decimals = [len(text.partition(".")[2]) for text in texts]
    most = max(decimals, default=0)
    return [text + "0" * (most - own) for text, own in zip(texts, decimals, strict=True)]


def decimal_amount(amount: str | Decimal, what: str) -> Decimal:
    """An amount as a file may state it: a quoted decimal, within bounds; ValueError else."""
    if not isinstance(amount, str | Decimal):
        raise ValueError(f"write {what} as a quoted string, not as {type(amount).__name__}")
    if isinstance(amount, str) and not _DECIMAL.fullmatch(amount.strip()):
        raise ValueError(f"write {what} in digits with a point, such as '2.30', not {amount!r}")
    value = Decimal(amount)
    if not value.is_finite() or not 0 <= value <= AMOUNT_USD_MAX:
        raise ValueError(f"{what} must be between 0 and {AMOUNT_USD_MAX}: {amount!r}")
    return value


def _exact_units(amount: str | Decimal, units_per_usd: int, what: str) -> int:
    value = decimal_amount(amount, what)
    step = Decimal(1) / units_per_usd
    if value % step:
        raise ValueError(f"{what} cannot be finer than {step:f}: {amount!r}")
    return int(value / step)
