from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation import traces
from benchmarks.simulation.traces import BadTrace, TraceFormat, TraceRow, read_trace
from tests.benchmarks.simulation.example_profile import DATA

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
AT = "2023-11-16 18:15:46.6805900"


def mooncake_line(**changes: object) -> str:
    entry = {"timestamp": 0, "input_length": 1025, "output_length": 5, "hash_ids": [7, 8, 9]}
    return json.dumps(entry | changes) + "\n"


def refused(tmp_path: Path, content: str | bytes, trace_format: TraceFormat) -> BadTrace:
    path = tmp_path / "trace"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(BadTrace) as caught:
        read_trace(path, trace_format)
    assert str(path) in str(caught.value)
    return caught.value


def read(tmp_path: Path, content: str, trace_format: TraceFormat) -> list[TraceRow]:
    path = tmp_path / "trace"
    path.write_text(content, encoding="utf-8")
    return read_trace(path, trace_format)


def test_azure_rows_are_sorted_and_start_at_zero(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        HEADER + f"2023-11-16 18:15:48.6805900,30,3\r\n{AT},10,1\r\n\r\n{AT[:-2]}1+00:00,20,0",
        "azure",
    )
    assert [(row.prompt_tokens, row.output_tokens) for row in rows] == [(10, 1), (20, 1), (30, 3)]
    assert [row.at_s for row in rows] == pytest.approx([0, 0, 2], abs=1e-5)
    assert rows[0].at_s == 0
    assert all(row.blocks == () for row in rows)


def test_mooncake_rows_keep_their_whole_blocks(tmp_path: Path) -> None:
    rows = read(
        tmp_path, mooncake_line(timestamp=2500) + mooncake_line(timestamp=500.0), "mooncake"
    )
    assert rows == [TraceRow(0.0, 1025, 5, (7, 8)), TraceRow(2.0, 1025, 5, (7, 8))]


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        (f"{AT},10", "cut short"),
        (f"{AT},10,1,1", "columns"),
        (f"{AT},0,1", "ContextTokens"),
        (f"{AT},-5,1", "ContextTokens"),
        (f"{AT},nan,1", "ContextTokens"),
        (f"{AT},10000001,1", "ContextTokens"),
        (f"{AT},{'9' * 5000},1", "ContextTokens"),
        (f"{AT},10,1.5", "GeneratedTokens"),
        (f"{AT},10,", "GeneratedTokens"),
        (f"{AT},10,٣", "GeneratedTokens"),
        ("yesterday,10,1", "TIMESTAMP"),
        ("2023-11-16 18:99:00,10,1", "TIMESTAMP"),
    ],
)
def test_a_bad_azure_line_is_named(tmp_path: Path, cells: str, what: str) -> None:
    error = refused(tmp_path, HEADER + f"{AT},10,1\n{cells}\n", "azure")
    assert error.line == 3
    assert what in str(error)
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (mooncake_line()[:-10], "cut short"),
        ("[1, 2]", "not a JSON object"),
        ("[" * 100_000, "cut short"),
        ('{"timestamp": 1}', "input_length, output_length, hash_ids"),
        (mooncake_line(timestamp=-1), "timestamp"),
        (mooncake_line(timestamp=float("nan")), "timestamp"),
        (mooncake_line(timestamp=10**300), "timestamp"),
        (mooncake_line(timestamp="0"), "timestamp"),
        (mooncake_line(timestamp=True), "timestamp"),
        (mooncake_line(input_length=0), "input_length"),
        (mooncake_line(input_length=10**8), "input_length"),
        (mooncake_line(input_length=True), "input_length"),
        (mooncake_line(output_length=1.5), "output_length"),
        (mooncake_line(output_length=float("nan")), "output_length"),
        (mooncake_line(hash_ids=None), "hash_ids"),
        (mooncake_line(hash_ids=[1, "2"]), "hash_ids"),
    ],
)
def test_a_bad_mooncake_line_is_named(tmp_path: Path, line: str, what: str) -> None:
    error = refused(tmp_path, mooncake_line() + line, "mooncake")
    assert error.line == 2
    assert what in str(error)


def test_files_that_are_no_trace_say_so(tmp_path: Path) -> None:
    with pytest.raises(BadTrace, match="cannot be read"):
        read_trace(tmp_path / "absent.csv", "azure")
    with pytest.raises(BadTrace, match="cannot be read"):
        read_trace(tmp_path, "azure")
    assert "no rows" in str(refused(tmp_path, "", "mooncake"))
    assert "no rows" in str(refused(tmp_path, HEADER, "azure"))
    assert "columns must be" in str(refused(tmp_path, "a,b,c\n1,2,3\n", "azure"))
    assert "another format" in str(refused(tmp_path, mooncake_line(), "azure"))
    assert "unpack" in str(refused(tmp_path, b"\x1f\x8b\x08\x00\xff\n", "mooncake"))


def test_bounds_on_rows_line_length_and_time_bite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = mooncake_line() + mooncake_line(timestamp=(traces.SPAN_S_MAX + 1) * 1000)
    assert "span" in str(refused(tmp_path, far, "mooncake"))
    assert "longer than" in str(refused(tmp_path, "9" * (traces.LINE_BYTES_MAX + 1), "mooncake"))
    monkeypatch.setattr(traces, "ROWS_MAX", 2)
    assert len(read(tmp_path, mooncake_line() * 2, "mooncake")) == 2
    assert refused(tmp_path, mooncake_line() * 3, "mooncake").line == 3


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="azure or mooncake"):
        read_trace(tmp_path, "parquet")  # type: ignore[arg-type]


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_trace_or_a_bad_one(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    for start, trace_format in ((HEADER, "azure"), (mooncake_line(), "mooncake")):
        path.write_bytes(start.encode() + content)
        try:
            rows = read_trace(path, trace_format)  # type: ignore[arg-type]
        except BadTrace:
            continue
        assert rows[0].at_s == 0


@pytest.mark.parametrize(
    ("name", "trace_format", "count", "last_s", "longest"),
    [
        ("AzureLLMInferenceTrace_conv.csv", "azure", 19_366, 3501.7219, 14_050),
        ("AzureLLMInferenceTrace_code.csv", "azure", 8_819, 3435.9481, 7_437),
        ("conversation_trace.jsonl", "mooncake", 12_031, 3536.999, 126_195),
    ],
)
def test_public_traces_are_read_whole(
    name: str, trace_format: TraceFormat, count: int, last_s: float, longest: int
) -> None:
    if not (DATA / name).exists():
        pytest.skip(f"{name} is not on this machine")
    rows = read_trace(DATA / name, trace_format)
    assert len(rows) == count
    assert rows[0].at_s == 0
    assert rows[-1].at_s == pytest.approx(last_s, abs=1e-3)
    assert max(row.prompt_tokens for row in rows) == longest
    assert all(row.at_s <= after.at_s for row, after in pairwise(rows))
    assert any(row.blocks for row in rows) == (trace_format == "mooncake")
