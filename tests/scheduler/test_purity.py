from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import scheduler

ROOM = Path(scheduler.__file__).parent
FILES = sorted(ROOM.glob("*.py"))
BARRED = {
    "asyncio",
    "datetime",
    "logging",
    "os",
    "random",
    "secrets",
    "socket",
    "threading",
    "time",
}
HEAVY = ["ray", "vllm", "torch", "fastapi", "aiohttp", "sqlalchemy"]


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_module_reaches_for_a_clock_chance_or_the_outside(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not imported(tree) & BARRED
    calls = {
        n.func.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    assert not calls & {"open", "print", "input"}


def test_loading_the_room_loads_nothing_heavy() -> None:
    modules = ", ".join(f"scheduler.{path.stem}" for path in FILES if path.stem != "__init__")
    code = f"import sys, {modules}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOM.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
