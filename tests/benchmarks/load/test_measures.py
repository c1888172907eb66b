from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load.endpoint import BadLoad
from benchmarks.load.measures import Bought, Measures, Own, Slo, Window, measure
from benchmarks.load.request_row import ErrorKind, Row
from benchmarks.load.row_table import read, table, write
from benchmarks.load.run_cost import usd_per_mtok_all
from tests.benchmarks.load.samples import failed, row

SECOND = Window(0.0, 10.0)


def measured(*rows: Row, window: Window = SECOND, slo: Slo | None = None) -> Measures:
    return measure(table(rows, 0), window, slo or Slo())


def test_latencies_of_one_answer() -> None:
    found = measured(row(due_s=1.0, sent_s=1.04, ended_s=1.15))
    for latency, value in (
        (found.ttft_ms, 100),
        (found.ttft_sent_ms, 60),
        (found.tpot_ms, 10),
        (found.itl_ms, 10),
        (found.e2e_ms, 150),
        (found.e2e_sent_ms, 110),
    ):
        assert latency is not None
        assert latency.mean == latency.p50 == latency.p99 == pytest.approx(value)


def test_tokens_of_one_event_share_it() -> None:
    """Of speculative decoding: 9 tokens in 5 events."""
    found = measured(row(output_tokens=9))
    assert found.tpot_ms is not None
    assert found.tpot_ms.p50 == pytest.approx(5)
    assert found.output_tok_s == pytest.approx(0.9)


def test_one_token_has_no_time_per_token_and_can_be_good() -> None:
    found = measured(row(output_tokens=1, gaps_ms=[]))
    assert found.tpot_ms is None
    assert found.attainment == 1.0


def test_good_is_within_both_budgets_from_when_it_was_due() -> None:
    rows = [
        row(0),
        row(1, first_token_s=1.6),
        row(2, sent_s=1.5, first_token_s=1.6),  # sent late: late all the same
        row(3, gaps_ms=[60.0] * 4),
        failed(ErrorKind.HTTP_5XX),
    ]
    found = measured(*rows, slo=Slo(500, 50, 0.9))
    assert found.attainment == pytest.approx(0.2)
    assert found.good_req_s == pytest.approx(0.1)
    assert found.good_tok_s == pytest.approx(0.5)
    assert found.good_input_tok_s == pytest.approx(2.0)
    assert found.output_tok_s == pytest.approx(2.0)
    assert (found.requests, found.answered) == (5, 4)


def test_warm_up_is_cut_and_its_tokens_count_where_they_arrive() -> None:
    early = row(0, due_s=1.0, first_token_s=1.0, gaps_ms=[1000.0] * 4)  # 1, 2, 3, 4, 5 s
    late = row(1, due_s=9.5, first_token_s=9.9, gaps_ms=[1000.0] * 4)  # 9.9, then too late
    found = measured(early, late, window=Window(2.5, 10.0), slo=Slo(2000, 2000, 0.9))
    assert found.requests == 1
    assert found.output_tok_s == pytest.approx((3 + 1) / 7.5)
    assert found.good_tok_s == pytest.approx((3 + 1) / 7.5)


def test_errors_are_counted_by_kind_and_an_interruption_is_none() -> None:
    found = measured(
        failed(ErrorKind.CONNECT),
        failed(ErrorKind.CONNECT),
        failed(ErrorKind.HTTP_429),
        failed(ErrorKind.INTERRUPTED),
        failed(ErrorKind.CONNECT, due_s=11.0),
    )
    assert found.errors == {"connect": 2, "http_429": 1}
    assert (found.requests, found.answered, found.attainment) == (3, 0, 0.0)
    assert found.ttft_ms is None
    assert found.cached_share is None


def test_nothing_at_all_has_no_figures() -> None:
    found = measured()
    assert (found.requests, found.attainment, found.ttft_ms) == (0, None, None)


def test_cached_tokens_count_where_they_are_told() -> None:
    rows = [row(0, cached_tokens=10), row(1, cached_tokens=0), row(2)]
    assert measured(*rows).cached_share == pytest.approx(0.25)


def test_the_whole_run_is_measured_as_other_clients_do() -> None:
    rows = [row(0, due_s=0.0, ended_s=0.5), row(1, due_s=1.5, ended_s=2.0)]
    assert measured(*rows).whole_run_tok_s == pytest.approx(10 / 2.0)


@given(st.lists(st.floats(0.001, 30), min_size=1, max_size=40))
def test_percentiles_are_those_of_numpy(waits_s: list[float]) -> None:
    found = measured(*(row(n, first_token_s=1 + wait) for n, wait in enumerate(waits_s)))
    assert found.ttft_ms is not None
    shown = (found.ttft_ms.p50, found.ttft_ms.p90, found.ttft_ms.p99)
    assert shown == pytest.approx(np.percentile(np.array(waits_s) * 1000, (50, 90, 99)))


@given(st.lists(st.integers(0, 2000), min_size=0, max_size=30), st.floats(0, 5), st.floats(0.1, 5))
def test_tokens_are_counted_once_over_adjoining_windows(
    gaps_ms: list[int], from_s: float, length_s: float
) -> None:
    answer = row(gaps_ms=[float(gap) for gap in gaps_ms], output_tokens=1 + len(gaps_ms))
    middle, end = from_s + length_s, 200.0
    parts = (Window(0.0, from_s or 0.01), Window(from_s or 0.01, middle), Window(middle, end))
    counted = sum(measured(answer, window=part).output_tok_s * part.length_s for part in parts)
    assert counted == pytest.approx(1 + len(gaps_ms))


def test_rows_that_went_through_a_file_give_the_same_figures(tmp_path: Path) -> None:
    rows = [row(n, due_s=0.1 * n, gaps_ms=[1 / 3 * n] * 4) for n in range(30)]
    rows.append(failed(ErrorKind.TIMEOUT))
    runs = [table(rows, 0), table(rows[:7], 1)]
    write(runs, tmp_path / "rows.parquet")
    for run, kept in read(tmp_path / "rows.parquet").items():
        assert measure(kept, SECOND, Slo()) == measure(runs[run], SECOND, Slo())
    write([], tmp_path / "none.parquet")
    assert read(tmp_path / "none.parquet") == {}


@pytest.mark.parametrize("budgets", [(0, 1, 0.9), (1, -1, 0.9), (1, 1, 0), (1, 1, 1.1)])
def test_budgets_that_make_no_sense(budgets: tuple[float, float, float]) -> None:
    with pytest.raises(BadLoad, match="give"):
        Slo(*budgets)


OFFER, REPLICA = "offer:vendor/m", "local:m-1"


def test_what_was_bought_is_not_the_cards() -> None:
    found = measured(
        row(0, target=REPLICA, cost_nano_usd=10),
        row(1, target=OFFER, cost_nano_usd=2_000),
        row(2, target=OFFER, cost_nano_usd=3_000),
        failed(ErrorKind.HTTP_429),
    )
    assert (found.attainment, found.own.attainment) == (0.75, 0.25)
    assert found.good_tok_s == pytest.approx(1.5)
    assert found.own.good_tok_s == found.own.output_tok_s == pytest.approx(0.5)
    assert found.own.good_input_tok_s == pytest.approx(2.0)
    assert found.bought is not None
    assert found.bought.answers == 2
    assert found.bought.share == pytest.approx(2 / 3)
    assert found.bought.output_tok_s == pytest.approx(1.0)
    assert found.bought.usd_per_h == pytest.approx(5_000e-9 / 10 * 3600)


def test_a_bill_that_was_not_told_is_unknown_and_not_nothing() -> None:
    found = measured(row(0, target=OFFER, cost_nano_usd=2_000), row(1, target=OFFER))
    assert found.bought is not None
    assert found.bought.usd_per_h is None
    assert usd_per_mtok_all(Decimal(2), 1, found.bought.usd_per_h, found.good_tok_s) is None


def test_before_any_other_endpoint_all_is_the_cards() -> None:
    found = measured(row(0), row(1))
    assert found.bought is None
    assert found.own == Own(
        found.attainment, found.output_tok_s, found.good_tok_s, found.good_input_tok_s
    )


def test_an_endpoint_that_bought_nothing_says_so() -> None:
    found = measured(row(0, target=REPLICA))
    assert found.bought == Bought(0, 0.0, 0.0, 0.0)


def test_cards_and_purchases_together() -> None:
    """An hour of two cards at 2 USD and 6 USD of purchases made 10 M tokens."""
    made = usd_per_mtok_all(Decimal(2), 2, 6.0, 10e6 / 3600)
    assert made == pytest.approx(1.0)
