"""Which cards this machine has, and what holds their memory: read from the driver through NVML.

A card is named by its memory, not by its name alone: to Ray, and to many drivers, an H20 of 96 GB
and one of 141 GB are the same. A card that MIG has cut into instances is none of the card file: no
instance has the memory, the engines or the links that plans count on. No driver, no library or a
broken card is a line in ``problems``, never an error.
"""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.placement_group import card_resource
from models.cards import Card, load_cards

MIB = 1 << 20
MEMORY_TOLERANCE = 0.03  # of the total; the nearest two cards of one name are 47 % apart
RAY_ANSWER_S_MAX = 30.0


@dataclass(frozen=True, slots=True)
class SeenCard:
    """One card as the driver sees it. ``card_id`` is None for one that the card file lacks, and for
    one that MIG has cut: ``mig_instances`` counts the parts, and is None where MIG is off.

    ``used_mib`` leaves out what the driver keeps for itself. ``other_processes`` are those that
    compute on the card, this one left out; from within a container they may not be visible. Other
    None: the driver does not tell.
    """

    index: int
    name: str
    card_id: str | None
    total_mib: int
    used_mib: int
    free_mib: int
    driver: str
    nvlink_links_up: int | None = None
    power_limit_w: float | None = None
    other_processes: int | None = None
    mig_instances: int | None = None

    @property
    def in_words(self) -> str:
        cut = "" if self.mig_instances is None else f", cut by MIG into {self.mig_instances}"
        return f"{self.name} ({self.total_mib:,} MiB{cut})"


@dataclass(frozen=True, slots=True)
class Inventory:
    """The cards of one node. ``problems`` say what could not be read, and why."""

    node: str
    cards: tuple[SeenCard, ...] = ()
    problems: tuple[str, ...] = ()


def name_card(name: str, total_mib: float, cards: Mapping[str, Card]) -> str | None:
    """The id of the card that the driver calls ``name`` and gives this much memory."""
    named = [
        (abs(total_mib / card.nvml_total_mib - 1), card.card_id)
        for card in cards.values()
        if card.cuda_name is not None
        and card.nvml_total_mib is not None
        and _chip(card.cuda_name) == _chip(name)
    ]
    apart, card_id = min(named, default=(1.0, ""))
    return card_id if apart <= MEMORY_TOLERANCE else None


def _chip(name: str) -> str:
    """A driver that does not know the larger H20 calls it by the name of the smaller."""
    return " ".join(name.lower().split()).removesuffix("-3e")


def custom_resources(inventory: Inventory) -> dict[str, float]:
    """What a node tells Ray that it has, such as ``{"card:h20-3e": 8}``: Ray's own
    ``accelerator_type`` is the same for both H20."""
    ids = [card.card_id for card in inventory.cards if card.card_id is not None]
    return {card_resource(card_id): float(ids.count(card_id)) for card_id in dict.fromkeys(ids)}


def inventory(nvml: Any = None) -> Inventory:
    """The cards of this machine; ``nvml`` is the module ``pynvml`` unless given."""
    node = socket.gethostname()
    if nvml is None:
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError:
            return Inventory(node, problems=("nvidia-ml-py is not installed",))
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return Inventory(node, problems=(f"no NVIDIA driver answers: {error}",))
    try:
        cards, problems = _read_all(nvml, load_cards())
    except nvml.NVMLError as error:
        return Inventory(node, problems=(f"the NVIDIA driver stopped answering: {error}",))
    finally:
        _if_told(nvml, nvml.nvmlShutdown)
    return Inventory(node, tuple(cards), tuple(problems))


def _read_all(nvml: Any, known: Mapping[str, Card]) -> tuple[list[SeenCard], list[str]]:
    driver = nvml.nvmlSystemGetDriverVersion()
    cards: list[SeenCard] = []
    problems: list[str] = []
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            cards.append(_read(nvml, index, driver, known))
        except nvml.NVMLError as error:
            problems.append(f"card {index} cannot be read: {error}")
    return cards, problems


def _read(nvml: Any, index: int, driver: str, known: Mapping[str, Card]) -> SeenCard:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    name = nvml.nvmlDeviceGetName(handle)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2)
    power_mw = _if_told(nvml, nvml.nvmlDeviceGetEnforcedPowerLimit, handle)
    processes = _if_told(nvml, nvml.nvmlDeviceGetComputeRunningProcesses, handle)
    instances = _mig_instances(nvml, handle)
    is_whole = instances is None
    return SeenCard(
        index=index,
        name=name,
        card_id=name_card(name, memory.total / MIB, known) if is_whole else None,
        total_mib=memory.total // MIB,
        used_mib=memory.used // MIB,
        free_mib=memory.free // MIB,
        driver=driver,
        nvlink_links_up=_links_up(nvml, handle),
        power_limit_w=None if power_mw is None else power_mw / 1000,
        other_processes=None
        if processes is None
        else sum(process.pid != os.getpid() for process in processes),
        mig_instances=instances,
    )


def _mig_instances(nvml: Any, handle: Any) -> int | None:
    """None where MIG is off, or the card has none. A card with MIG on and no instance runs
    nothing."""
    mode = _if_told(nvml, nvml.nvmlDeviceGetMigMode, handle)
    if mode is None or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
        return None
    most = _if_told(nvml, nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0
    found = (
        _if_told(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, n) for n in range(most)
    )
    return sum(each is not None for each in found)


def _links_up(nvml: Any, handle: Any) -> int | None:
    """Links are numbered from 0; the first number that a card lacks is an error."""
    states = []
    for link in range(nvml.NVML_NVLINK_MAX_LINKS):
        state = _if_told(nvml, nvml.nvmlDeviceGetNvLinkState, handle, link)
        if state is None:
            break
        states.append(state)
    return sum(states) if states else None


def _if_told(nvml: Any, ask: Callable[..., Any], *about: Any) -> Any:
    try:
        return ask(*about)
    except nvml.NVMLError:
        return None


def cluster_inventories() -> tuple[Inventory, ...]:
    """The inventories of every live node of the Ray cluster that this process is connected to."""
    import ray  # seconds to import, and a single machine does without
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look = ray.remote(num_cpus=0)(inventory)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    there = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in nodes]
    answers = [look.options(scheduling_strategy=each).remote() for each in there]
    ray.wait(answers, num_returns=len(answers), timeout=RAY_ANSWER_S_MAX)
    found = []
    for node, answer in zip(nodes, answers, strict=True):
        try:
            found.append(ray.get(answer, timeout=0))
        except ray.exceptions.RayError as error:
            why = next(iter(str(error).splitlines()), type(error).__name__)
            problem = f"the node did not answer: {why[:200]}"
            found.append(Inventory(node["NodeManagerHostname"], problems=(problem,)))
    return tuple(found)
