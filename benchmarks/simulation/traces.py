"""Reads public request traces: when requests came and how long they were.

Azure CSV has the columns TIMESTAMP, ContextTokens, GeneratedTokens. Mooncake JSONL has
``timestamp`` (ms), ``input_length``, ``output_length`` and ``hash_ids``, one per 512 prompt tokens,
each standing for the whole prefix up to its end. Rows are sorted by time and start at 0.

A row that generated 0 tokens counts as 1: a request that was served took at least one step, and
none of its cost would otherwise be seen. Anything else out of range is refused with its line, since
a trace that is repaired in silence measures something else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

TraceFormat: TypeAlias = Literal["azure", "mooncake"]
FORMAT_OF_EXTENSION: dict[str, TraceFormat] = {
    ".csv": "azure",
    ".jsonl": "mooncake",
    ".json": "mooncake",
}

ROWS_MAX = 2_000_000
LINE_BYTES_MAX = 1 << 20
TOKENS_MAX = 10_000_000
SPAN_S_MAX = 366 * 86_400
TIMESTAMP_MS_MAX = 10**14  # past any date; a float still tells its milliseconds apart
SHOWN_CHARS_MAX = 60

MOONCAKE_BLOCK_TOKENS = 512

_AZURE_COLUMNS = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]
_MOONCAKE_KEYS = ("timestamp", "input_length", "output_length", "hash_ids")


class BadTrace(ValueError):
    """A trace file that cannot be used, with the line and what to do about it.

    ``rows`` are those before a line that cannot be read: all of a trace that was cut short.
    """

    def __init__(
        self, path: Path, line: int | None, problem: str, rows: list[TraceRow] | None = None
    ) -> None:
        self.path = path
        self.line = line
        self.rows = rows or []
        place = f"{path}" if line is None else f"{path}, line {line}"
        super().__init__(f"{place}: {problem}")


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One request of a trace. ``blocks`` holds its whole prompt blocks where the trace has them."""

    at_s: float
    prompt_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()


class _BadLine(ValueError):
    """What is wrong with one line; the reader adds the place."""


def read_trace(path: str | Path, trace_format: TraceFormat) -> list[TraceRow]:
    """The rows of a trace by time, the first at 0; raises BadTrace."""
    path = Path(path)
    parse = _FORMATS.get(trace_format)
    if parse is None:
        raise ValueError(f"unknown trace format {trace_format!r}: use {' or '.join(_FORMATS)}")
    rows: list[TraceRow] = []
    for number, line in _lines(path):
        if number == 1 and trace_format == "azure":
            _check_header(path, line)
            continue
        if len(rows) == ROWS_MAX:
            raise BadTrace(path, number, f"more than {ROWS_MAX} rows: cut the file")
        try:
            rows.append(parse(line))
        except _BadLine as error:
            kept = _from_zero(path, rows) if rows else []
            raise BadTrace(path, number, str(error), kept) from None
    if not rows:
        raise BadTrace(path, None, "holds no rows: give a trace with at least one request")
    return _from_zero(path, rows)


def _from_zero(path: Path, rows: list[TraceRow]) -> list[TraceRow]:
    rows.sort(key=lambda row: row.at_s)
    start_s = rows[0].at_s
    if rows[-1].at_s - start_s > SPAN_S_MAX:
        raise BadTrace(
            path, None, f"its times span more than {SPAN_S_MAX} s: mend the one that is off"
        )
    return [replace(row, at_s=row.at_s - start_s) for row in rows]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines that hold something; no line is read further than its limit."""
    number = 0
    try:
        with path.open("rb") as file:
            while raw := file.readline(LINE_BYTES_MAX + 1):
                number += 1
                if len(raw) > LINE_BYTES_MAX:
                    raise BadTrace(
                        path, number, f"is longer than {LINE_BYTES_MAX} bytes: not a trace row"
                    )
                if line := raw.decode("utf-8-sig").strip():
                    yield number, line
    except OSError as error:
        raise BadTrace(
            path, None, f"cannot be read ({error.strerror}): give the path of a trace file"
        ) from None
    except UnicodeDecodeError:
        raise BadTrace(path, number, "is not UTF-8 text: unpack the file first") from None


def _check_header(path: Path, line: str) -> None:
    if line.split(",") != _AZURE_COLUMNS:
        raise BadTrace(
            path,
            1,
            f"the columns must be {','.join(_AZURE_COLUMNS)}, found {line[:SHOWN_CHARS_MAX]!r}: "
            "is this another format?",
        )


def _azure_row(line: str) -> TraceRow:
    cells = line.split(",")
    if len(cells) != len(_AZURE_COLUMNS):
        raise _BadLine(
            f"needs {len(_AZURE_COLUMNS)} columns, has {len(cells)}: cut short? "
            "mend or delete the line"
        )
    return TraceRow(
        at_s=_azure_time_s(cells[0]),
        prompt_tokens=_tokens("ContextTokens", _integer(cells[1]), 1),
        output_tokens=max(1, _tokens("GeneratedTokens", _integer(cells[2]), 0)),
    )


def _azure_time_s(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _BadLine(
            f"TIMESTAMP must be like 2023-11-16 18:15:46.6805900, found {text[:SHOWN_CHARS_MAX]!r}"
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _integer(text: str) -> object:
    """The number that plain digits stand for; any other text as it is, for the message."""
    plain = text.isascii() and text.isdigit() and len(text) <= len(str(TOKENS_MAX))
    return int(text) if plain else text


def _tokens(name: str, value: object, at_least: int) -> int:
    if type(value) is not int or not at_least <= value <= TOKENS_MAX:
        raise _BadLine(
            f"{name} must be a whole number from {at_least} to {TOKENS_MAX}, "
            f"found {repr(value)[:SHOWN_CHARS_MAX]}: mend or delete the line"
        )
    return value


def _mooncake_row(line: str) -> TraceRow:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        raise _BadLine("is not one JSON object: cut short? mend or delete the line") from None
    if not isinstance(entry, dict) or (lost := [k for k in _MOONCAKE_KEYS if k not in entry]):
        what = f"lacks {', '.join(lost)}" if isinstance(entry, dict) else "is not a JSON object"
        raise _BadLine(f"{what}; a row needs {', '.join(_MOONCAKE_KEYS)}: is this another format?")
    prompt_tokens = _tokens("input_length", entry["input_length"], 1)
    return TraceRow(
        at_s=_mooncake_time_s(entry["timestamp"]),
        prompt_tokens=prompt_tokens,
        output_tokens=max(1, _tokens("output_length", entry["output_length"], 0)),
        blocks=_blocks(entry["hash_ids"], prompt_tokens),
    )


def _mooncake_time_s(value: object) -> float:
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or not 0 <= value <= TIMESTAMP_MS_MAX  # "not a number" fails every comparison
    ):
        raise _BadLine(
            f"timestamp must be a number of milliseconds from 0 to {TIMESTAMP_MS_MAX}, "
            f"found {repr(value)[:SHOWN_CHARS_MAX]}: mend or delete the line"
        )
    return value / 1000


def _blocks(value: object, prompt_tokens: int) -> tuple[int, ...]:
    """Whole blocks only: an engine reuses no part of a block."""
    if not isinstance(value, list) or any(type(block) is not int for block in value):
        raise _BadLine("hash_ids must be a list of whole numbers: mend or delete the line")
    return tuple(value[: prompt_tokens // MOONCAKE_BLOCK_TOKENS])


_FORMATS: dict[str, Callable[[str], TraceRow]] = {"azure": _azure_row, "mooncake": _mooncake_row}
