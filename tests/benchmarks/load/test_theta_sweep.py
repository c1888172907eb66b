from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load.endpoint import BadLoad
from benchmarks.load.measures import Own
from benchmarks.load.request_row import ErrorKind
from benchmarks.load.run import Run
from benchmarks.load.theta_sweep import CURVE_SHARES, PRECISION, TRIES, Sweep, Sweeper
from tests.benchmarks.load.samples import failed, row, run_of

TOKENS = 5  # of each answer
PLAIN = run_of([row()])


class Server:
    """Keeps the SLO up to a rate, and now and then has a hiccup."""

    def __init__(self, most_per_s: float, hiccups: float = 0.0) -> None:
        self.tried: list[float] = []
        self._most_per_s = most_per_s
        self._hiccups = hiccups
        self._random = Random(1)

    def attempt(self, rate_per_s: float, repetition: int) -> Run:
        self.tried.append(rate_per_s)
        is_kept = rate_per_s <= self._most_per_s and self._random.random() >= self._hiccups
        measures = replace(
            PLAIN.measures,
            requests=max(1, round(10 * rate_per_s)),
            own=Own(
                attainment=1.0 if is_kept else 0.5,
                output_tok_s=rate_per_s * TOKENS,
                good_tok_s=rate_per_s * TOKENS * (1.0 if is_kept else 0.5),
                good_input_tok_s=rate_per_s * TOKENS,
            ),
        )
        return replace(PLAIN, number=len(self.tried) - 1, measures=measures)


def swept(server: Server, start: float = 1.0, repetitions: int = 1, cards: int = 1) -> Sweep:
    sweep = Sweep(cards, 0.99, Decimal(2))
    Sweeper(sweep, server.attempt).find(start, repetitions)
    return sweep


@given(st.floats(0.5, 40), st.floats(0.5, 40))
def test_theta_is_the_largest_goodput_that_keeps_the_slo(most: float, start: float) -> None:
    sweep = swept(Server(most), start)
    assert sweep.failure is None
    (rate,) = sweep.rates
    assert most / (1 + PRECISION) <= rate <= most
    assert sweep.thetas[0] == pytest.approx(rate * TOKENS)


def test_cards_share_theta() -> None:
    assert swept(Server(10.0), cards=4).thetas[0] == pytest.approx(
        swept(Server(10.0)).thetas[0] / 4
    )


def test_three_repetitions_agree_in_spite_of_hiccups() -> None:
    server = Server(20.0, hiccups=0.1)
    sweep = swept(server, repetitions=3)
    assert len(sweep.thetas) == 3
    assert sweep.spread is not None
    assert sweep.spread < 0.1
    assert sweep.theta is not None
    assert sweep.theta.low is not None


def test_a_cold_start_is_in_no_theta() -> None:
    cold, warm = Server(10.0), Server(20.0)

    def attempt(rate_per_s: float, repetition: int) -> Run:
        return (warm if len(cold.tried) == 6 else cold).attempt(rate_per_s, repetition)

    sweep = Sweep(1, 0.99)
    Sweeper(sweep, attempt).find(8.0, 2)
    assert len(cold.tried) == 6
    assert sweep.rates == pytest.approx([20, 20], rel=PRECISION)


def test_a_rate_that_fails_is_tried_once_more() -> None:
    server = Server(10.0)
    swept(server, 8.0)
    assert server.tried.count(16.0) == TRIES
    assert server.tried.count(8.0) == 1


def test_the_curve_reaches_down_to_little_use() -> None:
    sweep = swept(Server(10.0))
    curve = sweep.curve()
    used = [point["utilization"] for point in curve if point["kept_slo"]]
    assert min(used) == pytest.approx(CURVE_SHARES[0], rel=0.1)
    assert max(used) == pytest.approx(1.0)
    for point in curve:
        if point["usd_per_mtok_output"] is not None:
            paid = point["usd_per_mtok_output"] * point["utilization"] * sweep.thetas[0]
            assert paid * 0.0036 == pytest.approx(2.0)
    assert {point["busy_share"] for point in curve} == {0.8}


@pytest.mark.parametrize(("most", "says"), [(0.0, "too much for"), (1e9, "within")])
def test_no_theta_says_why(most: float, says: str) -> None:
    sweep = swept(Server(most), 0.5)
    assert sweep.theta is None
    assert says in (sweep.failure or "")
    assert "give another --rate" in (sweep.failure or "")
    assert len(sweep.points) <= 26


def test_a_dead_server_ends_it_at_once_and_what_there_is_stays() -> None:
    server = Server(10.0)

    def attempt(rate_per_s: float, repetition: int) -> Run:
        if len(server.tried) < 3:
            return server.attempt(rate_per_s, repetition)
        return run_of([failed(ErrorKind.CONNECT)], messages={"connect": "refused"})

    sweep = Sweep(1, 0.99)
    Sweeper(sweep, attempt).find(1.0, 3)
    assert len(sweep.points) == 4
    assert "nothing was answered" in (sweep.failure or "")
    assert "refused" in (sweep.failure or "")


def test_a_start_far_beyond_it_is_halved_and_no_dead_server() -> None:
    """What is due in the window waits behind what came in the warm-up, and gets no answer."""
    server = Server(10.0)

    def attempt(rate_per_s: float, repetition: int) -> Run:
        run = server.attempt(rate_per_s, repetition)
        if rate_per_s < 40:
            return run
        return run_of([row(due_s=-1.0), failed(ErrorKind.UNFINISHED)])

    sweep = Sweep(1, 0.99)
    Sweeper(sweep, attempt).find(160.0, 1)
    assert sweep.failure is None
    assert sweep.rates[0] == pytest.approx(10, rel=PRECISION)


def test_a_rate_that_cannot_be_sent_ends_it_and_what_there_is_stays() -> None:
    server = Server(1e9)

    def attempt(rate_per_s: float, repetition: int) -> Run:
        if rate_per_s > 4:
            raise BadLoad("lower --rate")
        return server.attempt(rate_per_s, repetition)

    sweep = Sweep(1, 0.99)
    Sweeper(sweep, attempt).find(1.0, 1)
    assert len(sweep.points) == 3
    assert sweep.failure == "8 requests/s cannot be sent: lower --rate"
    with pytest.raises(BadLoad, match="lower --rate"):
        Sweeper(Sweep(1, 0.99), attempt).find(8.0, 1)


def test_a_run_that_lost_a_process_keeps_no_slo() -> None:
    sweep = Sweep(1, 0.99)
    Sweeper(sweep, lambda rate, _: run_of([row()], has_lost_processes=True)).find(1.0, 1)
    assert not any(point.is_kept for point in sweep.points)


def test_an_interruption_ends_it() -> None:
    sweep = Sweep(1, 0.99)
    Sweeper(sweep, lambda rate, _: run_of([row()], is_interrupted=True)).find(1.0, 1)
    assert (len(sweep.points), sweep.failure) == (1, "it was stopped")
    assert sweep.theta is None


def test_few_requests_are_told() -> None:
    assert swept(Server(2.0)).has_few_requests
    assert not swept(Server(50.0)).has_few_requests


def test_a_rate_that_is_kept_by_buying_is_above_theta() -> None:
    """All requests are in time at any rate, but the cards serve ten of them per second."""

    def attempt(rate_per_s: float, repetition: int) -> Run:
        served = min(rate_per_s, 10.0)
        own = Own(served / rate_per_s, served * TOKENS, served * TOKENS, served * TOKENS)
        measures = replace(PLAIN.measures, attainment=1.0, good_tok_s=rate_per_s * TOKENS, own=own)
        return replace(PLAIN, measures=measures)

    sweep = Sweep(1, 0.99, Decimal(2))
    Sweeper(sweep, attempt).find(1.0, 1)
    assert sweep.failure is None
    assert sweep.thetas[0] == pytest.approx(10 * TOKENS, rel=0.06)
