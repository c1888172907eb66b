from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from pkgutil import walk_packages

import pytest

import scheduler

ROOM = Path(scheduler.__file__).parent
FILES = sorted(ROOM.rglob("*.py"))
BARRED = {
    "asyncio",
    "logging",
    "os",
    "random",
    "secrets",
    "socket",
    "threading",
    "time",
}
NOW = {"today", "now", "utcnow", "fromtimestamp"}  # a date is a value, and given in
HEAVY = ["ray", "vllm", "torch", "fastapi", "aiohttp", "sqlalchemy"]


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module.partition(".")[0])
    return names


def _module(path: Path) -> str:
    """The dotted name; a package goes by its folder."""
    parts = path.relative_to(ROOM.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOM)))
def test_no_module_reaches_for_a_clock_chance_or_the_outside(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not imported(tree) & BARRED
    calls = {
        n.func.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    assert not calls & {"open", "print", "input"}
    assert not {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)} & NOW


def test_the_files_of_every_folder_are_looked_at() -> None:
    modules = {found.name for found in walk_packages(scheduler.__path__, "scheduler.")}
    assert {_module(path) for path in FILES} == modules | {"scheduler"}
    assert {path.parent.name for path in FILES} > {"choose", "pool", "learned"}


def test_loading_the_room_loads_nothing_heavy() -> None:
    modules = ", ".join(sorted({_module(path) for path in FILES}))
    code = f"import sys, {modules}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOM.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
