"""Whatever stays the same over the runs of one benchmark."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from benchmarks.load.endpoint import BadLoad, Endpoint
from benchmarks.load.measures import Slo, Window
from benchmarks.load.prompt import Wording

PROCESSES_MAX = 64
SECONDS_MAX = 86_400


@dataclass(frozen=True, slots=True)
class Setting:
    endpoint: Endpoint
    wording: Wording = field(default_factory=Wording)
    slo: Slo = field(default_factory=Slo)
    warmup_s: float = 10.0
    seconds: float = 60.0
    cards: int = 1
    card_usd_per_h: Decimal | None = None
    theta: float | None = None  # output tokens per second and card
    processes: int | None = None  # None: as many as it takes
    gpus: tuple[int, ...] | None = None  # None: all of this machine

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= SECONDS_MAX or not 0 <= self.warmup_s <= SECONDS_MAX:
            raise BadLoad(f"--seconds must be above 0, --warmup 0 or more, both to {SECONDS_MAX}")
        if not self.cards >= 1:
            raise BadLoad(f"--cards {self.cards}: give how many cards serve it, 1 or more")
        if self.theta is not None and not self.theta > 0:
            raise BadLoad(f"--theta {self.theta:g}: give output tokens per second and card")
        if self.processes is not None and not 1 <= self.processes <= PROCESSES_MAX:
            raise BadLoad(f"--processes {self.processes}: give 1 to {PROCESSES_MAX}")

    @property
    def window(self) -> Window:
        return Window(self.warmup_s, self.warmup_s + self.seconds)
