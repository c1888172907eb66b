"""AMX is used where its tiles work, and hidden where they do not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from runtime.engine import amx_probe, instruction_set
from runtime.engine.instruction_set import (
    CHOSEN_ENV,
    FORCED_ENV,
    ONEDNN_ENV,
    Amx,
    Choice,
    InstructionSet,
    choose,
)
from runtime.errors import ConfigError

WITHOUT = Amx(advertised=False)
WORKING = Amx(advertised=True)
BROKEN = Amx(advertised=True, fault="the processor has no tile palette")
HAS_AMX = instruction_set.look() == WORKING

# arch_prctl(ARCH_GET_XCOMP_PERM): which extended states this process may use.
HELD = """
import ctypes
held = ctypes.c_uint64()
ctypes.CDLL(None).syscall(158, 0x1022, ctypes.byref(held))
print(held.value >> 18 & 1)
"""


@pytest.mark.parametrize(
    ("amx", "forced", "wanted", "why"),
    [
        (WORKING, None, InstructionSet.AMX, None),
        (WITHOUT, None, InstructionSet.AVX512, None),
        (BROKEN, None, InstructionSet.AVX512, "the processor has no tile palette"),
        (BROKEN, "auto", InstructionSet.AVX512, "the processor has no tile palette"),
        (BROKEN, "amx", InstructionSet.AMX, None),
        (WORKING, "avx512", InstructionSet.AVX512, f"{FORCED_ENV} says so"),
        (WORKING, " AVX512 ", InstructionSet.AVX512, f"{FORCED_ENV} says so"),
    ],
)
def test_the_choice(amx: Amx, forced: str | None, wanted: InstructionSet, why: str | None) -> None:
    choice = choose(amx, {} if forced is None else {FORCED_ENV: forced})
    assert (choice.instruction_set, choice.lowered_because) == (wanted, why)
    assert choice.forced is (forced not in (None, "auto"))


@pytest.mark.parametrize("value", ["", "sse", "avx512_bf16", "x" * 999])
def test_a_word_that_is_no_instruction_set_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="must be auto, amx or avx512") as caught:
        choose(WORKING, {FORCED_ENV: value})
    assert len(caught.value.message) < 120


def test_what_is_tried_after_an_illegal_instruction() -> None:
    second = Choice(InstructionSet.AMX).after_illegal_instruction()
    assert second is not None
    assert second.instruction_set is InstructionSet.AVX512
    assert second.lowered_because == "an engine died of SIGILL with it"
    assert second.after_illegal_instruction() is None
    assert Choice(InstructionSet.AMX, forced=True).after_illegal_instruction() is None


@pytest.mark.parametrize(
    ("text", "advertised"),
    [
        ("flags\t\t: fpu avx512f amx_bf16 amx_tile amx_int8\n", True),
        ("flags\t\t: fpu avx512f\n", False),
        ("flags\t\t: fpu amx_tile_of_tomorrow\n", False),
        ("Features\t: asimd\n", False),  # an Arm processor
        ("", False),
    ],
)
def test_what_the_processor_advertises(
    text: str, advertised: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instruction_set, "_probe", lambda: "seen")
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(text)
    fault = "seen" if advertised else None
    assert instruction_set.look(cpuinfo) == Amx(advertised=advertised, fault=fault)
    assert instruction_set.look(tmp_path / "none") == WITHOUT


@pytest.mark.parametrize(
    ("program", "fault"),
    [
        ("pass", None),
        ("import sys; print('why'); sys.exit(3)", "why"),
        ("import os; os.kill(os.getpid(), 4)", "its tile instructions do not run (SIGILL)"),
        ("raise SystemExit(1)", None),  # nothing is known: the engine may try
    ],
)
def test_what_the_probe_tells(program: str, fault: str | None, tmp_path: Path) -> None:
    path = tmp_path / "probe.py"
    path.write_text(program)
    assert instruction_set._probe(path) == fault


@pytest.mark.skipif(not HAS_AMX, reason="this processor has no working AMX")
def test_tiles_run_only_after_the_kernel_was_asked() -> None:
    """Else asking would be for nothing."""
    code = (
        "import sys; from runtime.engine import amx_probe;"
        "amx_probe.ask_for_tiles = lambda: None; sys.exit(amx_probe.main())"
    )
    assert _python(code).returncode == -4
    asked = "import sys; from runtime.engine import amx_probe; sys.exit(amx_probe.main())"
    assert _python(asked).returncode == 0


@pytest.mark.skipif(not HAS_AMX, reason="this processor has no working AMX")
@pytest.mark.parametrize(("ours", "held"), [(True, "1"), (False, "0")])
def test_an_engine_process_asks_for_the_tiles(ours: bool, held: str) -> None:
    code = "from runtime.engine.process_setup import install; install()" + HELD
    env = {"BASELOAD_LIFELINE": "1", CHOSEN_ENV: "amx"} if ours else {}
    assert _python(code, env).stdout == f"{held}\n"


def _python(code: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """In torch's place, so that the one of this process keeps its answers."""
    cpu = SimpleNamespace(_is_amx_tile_supported=lambda: True, _is_amx_fp16_supported=lambda: True)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cpu=cpu))
    for name in (CHOSEN_ENV, ONEDNN_ENV):  # set first, so that what a test sets is taken back
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(amx_probe, "ask_for_tiles", lambda: None)
    return cpu


def _shows_amx(cpu: SimpleNamespace) -> bool:
    assert cpu._is_amx_tile_supported() == cpu._is_amx_fp16_supported()
    return bool(cpu._is_amx_tile_supported())


@pytest.mark.parametrize("choice", [Choice(InstructionSet.AMX), choose(WITHOUT, {})])
def test_nothing_is_capped_where_nothing_was_lowered(
    choice: Choice, torch: SimpleNamespace
) -> None:
    instruction_set.hand_down(choice)
    instruction_set.apply()
    assert _shows_amx(torch) is (choice.instruction_set is InstructionSet.AMX)
    assert ONEDNN_ENV not in os.environ


@pytest.mark.parametrize(
    ("given", "capped"),
    [
        (None, "AVX512_CORE_BF16"),
        ("ALL", "AVX512_CORE_BF16"),
        ("avx512_core_amx_fp16", "AVX512_CORE_BF16"),
        ("AVX2", "AVX2"),
    ],
)
def test_a_lowered_engine_shows_no_amx_to_anyone(
    given: str | None, capped: str, torch: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given is not None:
        monkeypatch.setenv(ONEDNN_ENV, given)
    instruction_set.hand_down(choose(BROKEN, {}))
    instruction_set.apply()
    assert not _shows_amx(torch)
    assert os.environ[ONEDNN_ENV] == capped


def test_an_engine_that_is_refused_the_tiles_goes_on_without(
    torch: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(amx_probe, "ask_for_tiles", lambda: "the kernel refuses (ENOSPC)")
    instruction_set.hand_down(Choice(InstructionSet.AMX))
    instruction_set.apply()
    assert not _shows_amx(torch)
    assert os.environ[ONEDNN_ENV] == "AVX512_CORE_BF16"
    assert capfd.readouterr().err == ("this engine runs without AMX: the kernel refuses (ENOSPC)\n")


def test_a_process_that_nobody_gave_a_choice_asks_and_goes_on(
    torch: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[bool] = []

    def ask() -> str:
        asked.append(True)
        return "refused"

    monkeypatch.setattr(amx_probe, "ask_for_tiles", ask)
    instruction_set.apply()
    assert asked
    assert _shows_amx(torch)
    assert capfd.readouterr().err == ""
