"""The virtual environment of a peer: made once, kept in a cache folder, read-only after that."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.peer import Peer

INSTALL_S_MAX = 900.0
ASK_S_MAX = 60.0
REASON_CHARS_MAX = 300
STAMP = "installed.json"
PIP = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet")
VERSION = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"


class Skipped(Exception):
    """This peer cannot be had here; the message says why."""


def python_of(peer: Peer, cache: Path) -> Path:
    """The interpreter of the peer's environment, made if need be. Raises Skipped."""
    folder = cache / peer.name
    python = folder / "bin" / "python"
    stamp = folder / STAMP
    if not _is_made(stamp, peer):
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        if peer.on_ours:
            _see_ours(python)
        _run([str(python), *PIP, *peer.requirements])
        if peer.newest:
            _run([str(python), *PIP, "--upgrade", "--no-deps", *peer.newest])
        stamp.write_text(json.dumps(_wanted(peer)))
    return python


def version_of(peer: Peer, python: Path) -> str:
    return _run([str(python), "-c", VERSION, peer.package], limit_s=ASK_S_MAX).strip()


def _is_made(stamp: Path, peer: Peer) -> bool:
    try:
        return bool(json.loads(stamp.read_text()) == _wanted(peer))
    except (OSError, ValueError):
        return False


def _wanted(peer: Peer) -> dict[str, object]:
    return {"requirements": [*peer.requirements], "newest": [*peer.newest]}


def _see_ours(python: Path) -> None:
    """After its own packages, it looks among those of this interpreter."""
    told = _run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    (Path(told.strip()) / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")


def _run(argv: Sequence[str], limit_s: float = INSTALL_S_MAX) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=limit_s, check=True)
    except subprocess.CalledProcessError as error:
        raise Skipped(reason(error.stderr)) from None
    except (subprocess.TimeoutExpired, OSError) as error:
        raise Skipped(str(error)[:REASON_CHARS_MAX]) from None
    return done.stdout


def reason(said: str) -> str:
    """The first line of a failed command that names an error, or else its last."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    named = (line for line in lines if line.startswith(("ERROR:", "error:")))
    return next(named, lines[-1] if lines else "it failed without a word")[:REASON_CHARS_MAX]
