from __future__ import annotations

import time
from types import SimpleNamespace

import pynvml
import pytest

from benchmarks.load.endpoint import BadLoad, Endpoint
from benchmarks.load.gpu import Meters, Sample
from benchmarks.load.measures import Window

HERE, AWAY = Endpoint("http://127.0.0.1:1/v1", "m"), Endpoint("http://10.0.0.1/v1", "m")


class Nvml:
    """Two cards, one of which is busy."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        for name, found in {
            "nvmlInit": lambda: None,
            "nvmlDeviceGetCount": lambda: 2,
            "nvmlDeviceGetHandleByIndex": lambda card: card,
            "nvmlDeviceGetUtilizationRates": lambda card: SimpleNamespace(gpu=90 * card),
            "nvmlDeviceGetPowerUsage": lambda card: 300_000 + card,
            "nvmlDeviceGetMemoryInfo": lambda card: SimpleNamespace(used=10 << 30),
        }.items():
            patch.setattr(pynvml, name, found)


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    return Nvml(monkeypatch)


@pytest.fixture
def no_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", absent)


@pytest.mark.usefixtures("nvml")
def test_cards_are_read_while_the_run_goes_on() -> None:
    meters = Meters(HERE)
    start_s = time.monotonic()
    with meters.watch() as watch:
        time.sleep(0.5)
    assert len(watch.samples) >= 2
    found = meters.telemetry(watch.samples, Window(start_s, time.monotonic()), 30.0)
    assert found.busy_share == pytest.approx(0.45)
    assert found.power_w == pytest.approx(600.001)
    assert found.memory_bytes == 20 << 30
    assert found.joules_per_output_token == pytest.approx(20, rel=1e-3)
    assert (found.busy_of, found.why_none) == ("2 GPUs", None)


@pytest.mark.usefixtures("nvml")
def test_only_some_cards() -> None:
    with Meters(HERE, (1,)).watch() as watch:
        pass
    assert watch.samples[0].busy_share == pytest.approx(0.9)
    with pytest.raises(BadLoad, match="--gpus 2: this machine has 2"):
        Meters(HERE, (2,))


@pytest.mark.usefixtures("no_nvml")
def test_without_a_gpu_the_cpu_stands_in_and_it_says_why() -> None:
    meters = Meters(HERE)
    with meters.watch() as watch:
        time.sleep(0.3)
    found = meters.telemetry(watch.samples, Window(0.0, time.monotonic()), 30.0)
    assert found.busy_share is not None
    assert (found.power_w, found.joules_per_output_token) == (None, None)
    assert "CPU" in (found.busy_of or "")
    assert "no GPU meter" in (found.why_none or "")
    with pytest.raises(BadLoad, match="NVML cannot be read"):
        Meters(HERE, (0,))


@pytest.mark.usefixtures("nvml")
def test_a_driver_without_a_card_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 0)
    meters = Meters(HERE)
    assert "CPU" in (meters.busy_of or "")
    assert "no GPU" in (meters.why_none or "")


@pytest.mark.usefixtures("nvml")
def test_meters_of_another_machine_are_not_ours() -> None:
    meters = Meters(AWAY)
    with meters.watch() as watch:
        pass
    assert watch.samples == []
    found = meters.telemetry([], Window(0, 1), 30.0)
    assert found.busy_share is None
    assert "another machine" in (found.why_none or "")


@pytest.mark.usefixtures("nvml")
def test_only_the_window_counts() -> None:
    samples = [Sample(float(at), busy_share=at / 10, power_w=100.0 * at) for at in range(10)]
    found = Meters(HERE).telemetry(samples, Window(2.0, 5.0), 0.0)
    assert found.busy_share == pytest.approx(0.3)
    assert found.power_w == pytest.approx(300)
    assert found.joules_per_output_token is None


def test_a_meter_that_fails_says_so(nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    meters = Meters(HERE)

    def lost(card: int) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

    monkeypatch.setattr(pynvml, "nvmlDeviceGetPowerUsage", lost)
    with meters.watch() as watch:
        time.sleep(0.05)
    assert "the GPU meter stopped" in (watch.failure or "")
