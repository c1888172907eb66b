from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.rig.common import BenchmarkError
from benchmarks.rig.vllm_client import ClientFigures, ClientLoad
from benchmarks.studies.cross_check import AT_MOST, TOKENS, Site, compare, measured

SEEN = ClientFigures(100, 40.0, 38.0, 10.0, 9.5, 320.0)
TEMPLATE_TOKENS = 7


@dataclass
class Clients:
    """Two that see the same server, but for a factor in what ours says of the first token."""

    factor: float

    def __post_init__(self) -> None:
        self.order: list[str] = []
        self.asked: list[tuple[ClientLoad, int]] = []

    def bench(self, load: ClientLoad, seed: int) -> dict[str, Any]:
        return {"runs": [{"answered": 42}], "template_tokens": TEMPLATE_TOKENS}

    def ours(self, load: ClientLoad, seed: int) -> ClientFigures:
        self.order.append("ours")
        return replace(SEEN, ttft_ms_mean=self.factor * SEEN.ttft_ms_mean)

    def theirs(self, load: ClientLoad, count: int, seed: int) -> ClientFigures:
        self.order.append("theirs")
        self.asked.append((load, count))
        return SEEN


@pytest.mark.parametrize("factor", [1.0, 1 - 0.99 * AT_MOST, 1 + 1.01 * AT_MOST])
def test_one_figure_that_is_off_is_enough(factor: float) -> None:
    clients = Clients(factor)
    found = compare(cast(Site, clients), ClientLoad(*TOKENS, 8), 4)
    assert found["holds"] == (abs(factor - 1) <= AT_MOST)
    assert found["figures"]["ttft_ms_mean"]["ratio"] == pytest.approx(factor)
    assert found["figures"]["tpot_ms_mean"]["ratio"] == 1
    assert len(found["pairs"]) == 4
    assert clients.order == ["theirs", "ours", "ours", "theirs"] * 2


def test_prompts_are_as_long_with_the_template_as_ours() -> None:
    clients = Clients(1.0)
    compare(cast(Site, clients), ClientLoad(*TOKENS, 8), 1)
    ((load, count),) = clients.asked
    assert (load.input_tokens, count) == (TOKENS[0] - TEMPLATE_TOKENS, 42)


def test_the_open_loop_is_a_share_of_the_closed_one() -> None:
    loads = measured(cast(Site, Clients(1.0)), 1)
    assert [load["load"] for load in loads] == ["1 under way", "8 under way", "2 requests/s"]


def test_a_client_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="baseload bench ended with"):
        Site("http://127.0.0.1:9", tmp_path, 5.0).ours(ClientLoad(*TOKENS, 1), 0)
