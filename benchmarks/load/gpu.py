"""Meters of this machine's GPUs, read through NVML while a run goes on.

They are the server's meters only where the server runs on this machine. Without a GPU the busy
share of the CPUs stands in, the load processes included; power is then unknown.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Self

import psutil
import pynvml

from benchmarks.load.endpoint import BadLoad, Endpoint
from benchmarks.load.measures import Window

SAMPLE_S = 0.2
SAMPLES_MAX = 500_000  # over a day
MILLI = 1000.0


@dataclass(frozen=True, slots=True)
class Sample:
    at_s: float  # of time.monotonic
    busy_share: float
    power_w: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What was measured of all cards together; ``busy_share`` is their mean. ``why_none`` says what
    is missing.

    Busy is the share of time in which anything ran at all. It is no utilization: a card may be
    busy all the time with a few per cent of what it can do.
    """

    busy_share: float | None = None
    busy_of: str | None = None
    power_w: float | None = None
    memory_bytes: int | None = None
    joules_per_output_token: float | None = None
    why_none: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Meters:
    """What can be read here. ``cards`` limits it to those indices."""

    def __init__(self, endpoint: Endpoint, cards: Sequence[int] | None = None) -> None:
        self.why_none: str | None = None
        self.busy_of: str | None = None
        self._read: Callable[[], Sample] | None = None
        if not endpoint.is_local:
            self.why_none = "the endpoint is on another machine: its meters cannot be read here"
            return
        handles = self._handles(cards)
        if handles:
            self.busy_of = f"{len(handles)} GPU{'' if len(handles) == 1 else 's'}"
            self._read = lambda: _gpu_sample(handles)
        else:
            self.busy_of = "CPU, the load processes included"
            psutil.cpu_percent()  # the next one is since this one
            self._read = lambda: Sample(time.monotonic(), psutil.cpu_percent() / 100)

    def watch(self) -> Watch:
        return Watch(self._read)

    def telemetry(self, samples: Sequence[Sample], span: Window, output_tok_s: float) -> Telemetry:
        """``span`` is in the time of the samples."""
        inside = [each for each in samples if span.from_s <= each.at_s < span.to_s]
        if not inside:
            return Telemetry(why_none=self.why_none or "the run was too short for a sample")
        power_w = _mean([each.power_w for each in inside])
        return Telemetry(
            busy_share=fmean(each.busy_share for each in inside),
            busy_of=self.busy_of,
            power_w=power_w,
            memory_bytes=max((each.memory_bytes or 0 for each in inside), default=0) or None,
            joules_per_output_token=(
                power_w / output_tok_s if power_w is not None and output_tok_s > 0 else None
            ),
            why_none=self.why_none,
        )

    def _handles(self, cards: Sequence[int] | None) -> list[Any]:
        try:
            pynvml.nvmlInit()
            count = pynvml.nvmlDeviceGetCount()
            chosen = range(count) if cards is None else cards
            if unknown := [card for card in chosen if not 0 <= card < count]:
                raise BadLoad(f"--gpus {unknown[0]}: this machine has {count}, counted from 0")
            handles = [pynvml.nvmlDeviceGetHandleByIndex(card) for card in chosen]
            if not handles:
                self.why_none = "no GPU meter: this machine has no GPU"
                return []
            _gpu_sample(handles)
        except pynvml.NVMLError as error:
            if cards is not None:
                raise BadLoad(f"--gpus: NVML cannot be read ({error})") from None
            self.why_none = f"no GPU meter: {error}"
            return []
        return handles


class Watch:
    """Reads the meters in a thread as long as the context lasts."""

    def __init__(self, read: Callable[[], Sample] | None) -> None:
        self.samples: list[Sample] = []
        self.failure: str | None = None
        self._read = read
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while self._read is not None and len(self.samples) < SAMPLES_MAX:
            try:
                self.samples.append(self._read())
            except pynvml.NVMLError as error:
                self.failure = f"the GPU meter stopped: {error}"
                return
            if self._done.wait(SAMPLE_S):
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def _gpu_sample(handles: Sequence[Any]) -> Sample:
    return Sample(
        at_s=time.monotonic(),
        busy_share=fmean(pynvml.nvmlDeviceGetUtilizationRates(each).gpu / 100 for each in handles),
        power_w=sum(pynvml.nvmlDeviceGetPowerUsage(each) for each in handles) / MILLI,
        memory_bytes=sum(int(pynvml.nvmlDeviceGetMemoryInfo(each).used) for each in handles),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
