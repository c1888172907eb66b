"""The parts of a cell: what each plays, and that all are done however many share them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.simulation.offer_text import parse_offer
from benchmarks.simulation.offers import DEFAULT_OFFERS
from benchmarks.studies.optimality_gap_tasks import (
    ONE_PRICE,
    PARTS,
    Done,
    Part,
    _experiment,
    do_all,
    parts_of,
)
from models.money import PICO_PER_TOKEN_PER_USD_PER_MTOK

FOLDER = Path("traces")


def test_a_cell_has_every_policy_of_both_kinds_of_alternatives() -> None:
    parts = parts_of(FOLDER, "mooncake", 2.0)
    found = {(part.priced, part.name) for part in parts}
    assert len(found) == len(parts) == 12
    for priced, bid_price in (("three-offers", "learned"), ("one-price", "bid_price")):
        for name in ("bound", "best_threshold", "density_first", "first_come", bid_price):
            assert (priced, name) in found
    assert {part.load for part in parts} == {2.0}


def test_the_one_price_is_the_price_books_and_the_only_offer() -> None:
    (offer,) = _experiment(Part(FOLDER, "mooncake", 2.0, "one-price", "bound"), 0.0).offers
    assert offer == parse_offer(ONE_PRICE)
    picos = offer.price.input_pico, offer.price.output_pico
    assert [pico / PICO_PER_TOKEN_PER_USD_PER_MTOK for pico in picos] == [0.45, 2.25]
    three = _experiment(Part(FOLDER, "mooncake", 2.0, "three-offers", "bound"), 0.3)
    assert (three.offers, three.pinned_share) == (DEFAULT_OFFERS, 0.3)
    assert three.ttft_ms == 10_000


def only_named(part: Part) -> Done:
    return Done(part, seconds=0.0, laps=1, requests=1, duration_s=1.0)


def test_processes_that_share_the_parts_do_each_once() -> None:
    parts = parts_of(FOLDER, "azure-conv", 1.5)
    alone = [done.part for done in do_all(parts, 1, only_named)]
    assert alone == parts
    shared = [done.part for done in do_all(parts, 2, only_named)]
    assert sorted(map(str, shared)) == sorted(map(str, parts))


def test_what_takes_longer_weighs_more() -> None:
    weights = {(part.priced, part.name): part.weight for part in parts_of(FOLDER, "mooncake", 3.0)}
    for priced, names in PARTS.items():
        plain = [weights[priced, name] for name in names if name not in ("bound", "best_threshold")]
        assert weights[priced, "best_threshold"] > weights[priced, "bound"] > max(plain)
