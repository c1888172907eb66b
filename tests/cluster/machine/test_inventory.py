"""The cards that a driver reports, told by a stand-in for ``pynvml``; the arithmetic, by facts."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.machine.inventory import (
    MIB,
    Inventory,
    SeenCard,
    cluster_inventories,
    custom_resources,
    inventory,
    name_card,
)
from models.cards import load_cards

CARDS = load_cards()
H20_MIB, H20_3E_MIB, H100_MIB = 97_871, 143_771, 81_559


class NvmlFault(Exception):
    pass


@dataclass
class FakeCard:
    name: str = "NVIDIA H20"
    total_mib: int = H20_MIB
    used_mib: int = 3
    links_up: int = 18
    links: int = 18
    power_mw: int | None = 400_000
    pids: list[int] | None = field(default_factory=list)
    is_lost: bool = False
    mig: int | None = None  # instances; None: a card without MIG
    mig_mode: int = 1


class FakeNvml:
    """As much of ``pynvml`` as the inventory asks, with its way of failing."""

    NVMLError = NvmlFault
    NVML_NVLINK_MAX_LINKS = 36
    NVML_DEVICE_MIG_ENABLE = 1
    nvmlMemory_v2 = 0x02000028  # noqa: N815 -- the library's spelling

    def __init__(self, *cards: FakeCard, driver: bool = True) -> None:
        self.cards = cards
        self.driver = driver
        self.was_shut_down = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self, "_" + name.removeprefix("nvml").removeprefix("Device"))

    def _Init(self) -> None:  # noqa: N802
        if not self.driver:
            raise NvmlFault("Driver Not Loaded")

    def _Shutdown(self) -> None:  # noqa: N802
        self.was_shut_down = True

    def _SystemGetDriverVersion(self) -> str:  # noqa: N802
        return "580.65.06"

    def _GetCount(self) -> int:  # noqa: N802
        return len(self.cards)

    def _GetHandleByIndex(self, index: int) -> FakeCard:  # noqa: N802
        if self.cards[index].is_lost:
            raise NvmlFault("GPU is lost")
        return self.cards[index]

    def _GetName(self, card: FakeCard) -> str:  # noqa: N802
        return card.name

    def _GetMemoryInfo(self, card: FakeCard, version: int) -> SimpleNamespace:  # noqa: N802
        assert version == self.nvmlMemory_v2
        used, total = card.used_mib * MIB, card.total_mib * MIB
        return SimpleNamespace(total=total, used=used, free=total - used - 500 * MIB)

    def _GetNvLinkState(self, card: FakeCard, link: int) -> int:  # noqa: N802
        if link >= card.links:
            raise NvmlFault("Invalid Argument")
        return int(link < card.links_up)

    def _GetEnforcedPowerLimit(self, card: FakeCard) -> int:  # noqa: N802
        if card.power_mw is None:
            raise NvmlFault("Not Supported")
        return card.power_mw

    def _GetComputeRunningProcesses(self, card: FakeCard) -> list[SimpleNamespace]:  # noqa: N802
        if card.pids is None:
            raise NvmlFault("Insufficient Permissions")
        return [SimpleNamespace(pid=pid) for pid in card.pids]

    def _GetMigMode(self, card: FakeCard) -> list[int]:  # noqa: N802
        if card.mig is None:
            raise NvmlFault("Not Supported")
        return [card.mig_mode, card.mig_mode]

    def _GetMaxMigDeviceCount(self, card: FakeCard) -> int:  # noqa: N802
        return 7

    def _GetMigDeviceHandleByIndex(self, card: FakeCard, index: int) -> int:  # noqa: N802
        if index >= (card.mig or 0):
            raise NvmlFault("Not Found")
        return index


@pytest.mark.parametrize(
    ("name", "total_mib", "card_id"),
    [
        ("NVIDIA H100 80GB HBM3", H100_MIB, "h100"),
        ("NVIDIA H200", 143_771, "h200"),
        ("NVIDIA H800", H100_MIB, "h800"),
        ("NVIDIA H20", H20_MIB, "h20"),
        ("NVIDIA H20", H20_3E_MIB, "h20-3e"),  # the name of the smaller, the memory of the larger
        ("NVIDIA H20-3e", H20_3E_MIB, "h20-3e"),
        ("NVIDIA H20-3e", H20_MIB, "h20"),
        ("nvidia  h20", H20_MIB - 500, "h20"),
        ("NVIDIA H20", 120_000, None),
        ("NVIDIA H100 PCIe", H100_MIB, None),  # other memory, no links
        ("NVIDIA L40S", 46_068, None),
        ("", 0, None),
    ],
)
def test_a_card_is_named_by_its_chip_and_its_memory(
    name: str, total_mib: int, card_id: str | None
) -> None:
    assert name_card(name, total_mib, CARDS) == card_id


def test_what_a_driver_tells_of_a_card() -> None:
    nvml = FakeNvml(FakeCard(total_mib=H20_3E_MIB, used_mib=7_000, pids=[os.getpid(), 1, 2]))
    seen = inventory(nvml)
    assert seen.problems == ()
    assert seen.cards == (
        SeenCard(
            index=0,
            name="NVIDIA H20",
            card_id="h20-3e",
            total_mib=H20_3E_MIB,
            used_mib=7_000,
            free_mib=H20_3E_MIB - 7_500,
            driver="580.65.06",
            nvlink_links_up=18,
            power_limit_w=400.0,
            other_processes=2,
        ),
    )
    assert nvml.was_shut_down


def test_what_a_driver_does_not_tell_is_unknown() -> None:
    (card,) = inventory(FakeNvml(FakeCard(links=0, power_mw=None, pids=None))).cards
    assert (card.nvlink_links_up, card.power_limit_w, card.other_processes) == (None, None, None)


def test_a_card_that_mig_has_cut_is_none_of_the_card_file() -> None:
    whole, cut, empty, off = (FakeCard(mig=None), FakeCard(mig=3), FakeCard(mig=0), FakeCard(mig=0))
    off.mig_mode = 0
    seen = inventory(FakeNvml(whole, cut, empty, off))
    assert [card.mig_instances for card in seen.cards] == [None, 3, 0, None]
    assert [card.card_id for card in seen.cards] == ["h20", None, None, "h20"]
    assert custom_resources(seen) == {"card:h20": 2.0}  # what Ray is told may be placed on


def test_links_that_are_down_are_not_counted() -> None:
    (card,) = inventory(FakeNvml(FakeCard(links_up=0))).cards
    assert card.nvlink_links_up == 0


def test_a_lost_card_does_not_hide_the_others() -> None:
    nvml = FakeNvml(FakeCard(), FakeCard(is_lost=True), FakeCard())
    seen = inventory(nvml)
    assert [card.index for card in seen.cards] == [0, 2]
    assert seen.problems == ("card 1 cannot be read: GPU is lost",)
    assert nvml.was_shut_down


def test_a_machine_without_a_driver() -> None:
    seen = inventory(FakeNvml(driver=False))
    assert (seen.cards, len(seen.problems)) == ((), 1)
    assert seen.problems[0] == "no NVIDIA driver answers: Driver Not Loaded"


def test_a_machine_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert inventory().problems == ("nvidia-ml-py is not installed",)


def test_the_real_library_never_raises() -> None:
    pytest.importorskip("pynvml")
    seen = inventory()
    assert seen.cards or seen.problems


def test_the_stand_in_has_what_the_library_has() -> None:
    pynvml = pytest.importorskip("pynvml")
    names = [name for name in vars(FakeNvml) if name.startswith("_") and not name.startswith("__")]
    for name in names:
        spelt = name.removeprefix("_")
        assert hasattr(pynvml, f"nvml{spelt}") or hasattr(pynvml, f"nvmlDevice{spelt}"), spelt
    assert pynvml.nvmlMemory_v2 == FakeNvml.nvmlMemory_v2
    assert pynvml.NVML_NVLINK_MAX_LINKS >= 18
    assert pynvml.NVML_DEVICE_MIG_ENABLE == FakeNvml.NVML_DEVICE_MIG_ENABLE
    assert issubclass(pynvml.NVMLError, Exception)


def test_resources_that_a_node_tells_ray_of() -> None:
    node = [FakeCard(total_mib=H20_3E_MIB)] * 7 + [FakeCard(), FakeCard(name="NVIDIA L40S")]
    assert custom_resources(inventory(FakeNvml(*node))) == {"card:h20-3e": 7.0, "card:h20": 1.0}
    assert custom_resources(Inventory("node")) == {}


@pytest.mark.stack
@pytest.mark.filterwarnings("ignore::FutureWarning:ray")
def test_every_node_of_a_cluster_answers() -> None:
    import ray

    ray.init(
        address="local", num_cpus=0, include_dashboard=False, log_to_driver=False, _node_name="one"
    )
    try:
        (seen,) = cluster_inventories()
    finally:
        ray.shutdown()
    assert seen == inventory()
