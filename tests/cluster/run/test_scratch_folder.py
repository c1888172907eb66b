"""A run's folder outside its state: nobody else's, and taken away when the run is gone."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster.run import scratch_folder
from runtime.run_mark import RUN_ENV


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scratch_folder, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def run_id() -> str:
    return secrets.token_hex(8)


def _left_behind(run_id: str, age_s: float = 2 * scratch_folder.AGE_S_MIN) -> Path:
    """As a run that was killed leaves it: with Serve's folder of a node in it."""
    path = scratch_folder.folder(run_id)
    (path / "node").mkdir(parents=True)
    (path / "node" / "haproxy.cfg").write_text("")
    then_s = time.time() - age_s
    os.utime(path, (then_s, then_s))
    return path


def _made_old(path: Path) -> None:
    os.utime(path, (0, 0))


def test_it_is_nobody_elses(run_id: str) -> None:
    before = os.umask(0)
    try:
        made = scratch_folder.make(run_id)
    finally:
        os.umask(before)
    assert made.path == scratch_folder.folder(run_id)
    assert made.path.stat().st_mode & 0o777 == 0o700
    made.remove()
    assert not made.path.exists()


def test_one_that_is_there_already_is_not_ours(run_id: str) -> None:
    scratch_folder.folder(run_id).mkdir()
    with pytest.raises(FileExistsError):
        scratch_folder.make(run_id)


def test_what_a_run_has_left_goes_at_the_next_start(run_id: str) -> None:
    path = _left_behind(run_id)
    scratch_folder.sweep()
    assert not path.exists()


def test_a_held_one_stays(run_id: str) -> None:
    made = scratch_folder.make(run_id)
    _made_old(made.path)
    scratch_folder.sweep()
    assert made.path.exists()
    made.remove()


def test_one_of_a_run_whose_processes_live_stays(run_id: str) -> None:
    path = _left_behind(run_id)
    code = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {RUN_ENV: run_id}, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        scratch_folder.sweep()
        assert path.exists()
        child.kill()
    scratch_folder.sweep()
    assert not path.exists()


def test_a_young_one_stays(run_id: str) -> None:
    path = _left_behind(run_id, age_s=0)
    scratch_folder.sweep()
    assert path.exists()


def test_another_users_stays(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _left_behind(run_id)
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    scratch_folder.sweep()
    assert path.exists()


def test_what_is_no_folder_of_a_run_stays(root: Path, run_id: str) -> None:
    kept = root / "kept"
    kept.mkdir()
    link = scratch_folder.folder(run_id)
    link.symlink_to(kept)
    names = [root / "bl-notes", root / f"bl-{run_id}", root / "bl-CAFE0123"]
    for name in names:
        name.mkdir()
    for path in (kept, *names):
        _made_old(path)
    os.utime(link, (0, 0), follow_symlinks=False)
    scratch_folder.sweep()
    assert link.is_symlink()
    assert all(path.is_dir() for path in (kept, *names))
