"""Which CPU instructions an engine may use: chosen by its replica, applied in its processes.

vLLM and oneDNN run AMX tile instructions wherever the processor advertises them. Linux lets a
process run them only after it has asked, and dies of SIGILL otherwise; some hypervisors advertise
tiles that do not exist. So each engine process asks, and where tiles do not work AMX is hidden.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runtime.engine import amx_probe
from runtime.errors import ConfigError

FORCED_ENV = "BASELOAD_CPU_ISA"  # the operator's word: amx, avx512 or auto
CHOSEN_ENV = "BASELOAD_ENGINE_ISA"  # the replica's word to the processes that it starts
ONEDNN_ENV = "ONEDNN_MAX_CPU_ISA"
ONEDNN_WITHOUT_AMX = "AVX512_CORE_BF16"
CPUINFO = Path("/proc/cpuinfo")
PROBE_S_MAX = 30.0


class InstructionSet(StrEnum):
    """The most that an engine uses; a processor with less uses what it has."""

    AMX = "amx"
    AVX512 = "avx512"


@dataclass(frozen=True, slots=True)
class Amx:
    """What this machine says of AMX; ``fault`` is why it does not work though advertised."""

    advertised: bool
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """``lowered_because`` is None where the engine uses all that the processor advertises."""

    instruction_set: InstructionSet
    lowered_because: str | None = None
    forced: bool = False  # by the operator: nothing else is tried

    def after_illegal_instruction(self) -> Choice | None:
        """The choice for a second start; None where there is nothing less to try."""
        if self.forced or self.instruction_set is not InstructionSet.AMX:
            return None
        return Choice(InstructionSet.AVX512, "an engine died of SIGILL with it")


def choose(amx: Amx | None = None, environ: Mapping[str, str] = os.environ) -> Choice:
    """Chooses for this machine, or for what is told of one. ConfigError for a value that is
    none."""
    forced = environ.get(FORCED_ENV, "auto").strip().lower()
    if forced not in ("auto", *InstructionSet):
        raise ConfigError(f"{FORCED_ENV} must be auto, amx or avx512, not {forced[:40]!r}")
    if forced == InstructionSet.AVX512:
        return Choice(InstructionSet.AVX512, f"{FORCED_ENV} says so", forced=True)
    if forced == InstructionSet.AMX:
        return Choice(InstructionSet.AMX, forced=True)
    amx = look() if amx is None else amx
    if not amx.advertised:
        return Choice(InstructionSet.AVX512)
    return Choice(InstructionSet.AVX512 if amx.fault else InstructionSet.AMX, amx.fault)


def look(cpuinfo: Path = CPUINFO) -> Amx:
    """Runs the tile instructions once, in a process of their own, where they are advertised."""
    if not _advertises_tiles(cpuinfo):
        return Amx(advertised=False)
    return Amx(advertised=True, fault=_probe())


def _advertises_tiles(cpuinfo: Path) -> bool:
    try:
        with cpuinfo.open() as lines:  # the processors of one machine are alike
            flags = next((line for line in lines if line.startswith("flags")), "")
    except OSError:
        return False
    return "amx_tile" in flags.split()


def _probe(program: Path = Path(amx_probe.__file__)) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 -- our own file, no shell
            [sys.executable, "-I", "-S", str(program)],
            capture_output=True,
            text=True,
            timeout=PROBE_S_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None  # nothing is known: let the engine try
    if done.returncode == amx_probe.EXIT_NO_TILES:
        return done.stdout.strip()
    if done.returncode == -signal.SIGILL:
        return "its tile instructions do not run (SIGILL)"
    return None


def hand_down(choice: Choice) -> None:
    """Writes the choice into the environment of this process, for the engine processes that it
    starts."""
    os.environ[CHOSEN_ENV] = choice.instruction_set
    if choice.lowered_because is not None:
        _cap_onednn()


def apply() -> None:
    """Applies the choice in an engine process, before its first forward: asks for the tiles, or
    hides AMX."""
    chosen = os.environ.get(CHOSEN_ENV)
    if chosen == InstructionSet.AVX512:
        _hide_amx()
        return
    refusal = amx_probe.ask_for_tiles()
    if refusal is not None and chosen == InstructionSet.AMX:
        print(f"this engine runs without AMX: {refusal}", file=sys.stderr, flush=True)
        _cap_onednn()
        _hide_amx()


def _cap_onednn() -> None:
    """A lower cap of the operator's own stays."""
    given = os.environ.get(ONEDNN_ENV, "").upper()
    if given in ("", "ALL", "DEFAULT") or "AMX" in given:
        os.environ[ONEDNN_ENV] = ONEDNN_WITHOUT_AMX


def _hide_amx() -> None:
    """vLLM asks torch, each time that it chooses a kernel."""
    import torch

    torch.cpu._is_amx_tile_supported = _no
    torch.cpu._is_amx_fp16_supported = _no


def _no() -> bool:
    return False
