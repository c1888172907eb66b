"""How far a start is, and why it ends, from the reports of its processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.profile import LOCAL_PROFILE, load
from cluster.run.start_report import Phase, StartReport
from cluster.run.start_watch import RAY, StartWatch

GONE = 2**22 + 1  # above the largest pid of Linux


class Folder:
    """Reports of processes by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.watch = StartWatch(path, load(LOCAL_PROFILE))

    def put(self, name: str, part: str = "an engine of tiny-moe", **facts: object) -> None:
        report = StartReport.model_validate({"part": part} | facts)
        (self.path / f"{name}.json").write_text(report.model_dump_json())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def _ready(count: int, *, ready: bool = True) -> dict[str, object]:
    return {"ready": ready, "replicas": {"tiny-moe": count}}


def test_the_steps_of_a_start(folder: Folder) -> None:
    told = [folder.watch.progress({})]
    folder.put("0", RAY)
    told.append(folder.watch.progress({}))
    folder.put("0", RAY, phase=Phase.READY)
    told.append(folder.watch.progress({}))
    folder.put("1")
    folder.put("2")
    told += [folder.watch.progress({}), folder.watch.progress(_ready(0, ready=False))]
    folder.put("1", phase=Phase.READY)
    told += [folder.watch.progress({}), folder.watch.progress(_ready(1))]
    assert told == [
        "starting Ray",
        "starting Ray",
        "deploying the application",
        "loading engines: 0 of 3 ready",  # two replicas and the stand-in
        "loading engines: 0 of 3 ready",
        "loading engines: 1 of 3 ready",
        "1 of 2 replicas of tiny-moe",
    ]


@pytest.mark.parametrize(
    ("state", "is_ready"),
    [
        ({}, False),
        (_ready(2, ready=False), False),
        (_ready(1), False),
        (_ready(2), True),
        (_ready(3), True),
        ({"ready": True, "replicas": {"other": 2}}, False),
        ({"ready": True, "replicas": None}, False),
    ],
)
def test_ready_is_when_every_pool_has_its_replicas(
    state: dict[str, object], is_ready: bool, folder: Folder
) -> None:
    assert folder.watch.is_ready(state) is is_ready


def test_an_engine_s_own_word_comes_before_ray_s(folder: Folder) -> None:
    assert folder.watch.failure() is None
    folder.put("0", RAY, phase=Phase.FAILED, failure="Engine-tiny-moe failed: something")
    folder.put("1", phase=Phase.FAILED, failure="died of SIGSEGV", log_path="/l", log_tail=("a",))
    failure = folder.watch.failure()
    assert failure is not None
    assert failure.message == "died of SIGSEGV"
    assert failure.log_lines() == ["The end of its log, /l:", "  | a"]


def test_an_engine_that_is_gone_comes_before_what_ray_says_of_it(folder: Folder) -> None:
    folder.put("0", RAY, phase=Phase.FAILED, failure="the process of Engine-tiny-moe died")
    folder.put("1", pid=GONE)
    failure = folder.watch.failure()
    assert failure is not None
    assert f"(pid {GONE}) is gone" in failure.message


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.READY])
def test_a_process_that_is_gone_without_a_word(
    phase: Phase, folder: Folder, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text("last words\n")
    folder.put("1", pid=GONE, phase=phase, log_path=str(log))
    failure = folder.watch.failure()
    assert failure is not None
    assert failure.message.startswith(f"the process of an engine of tiny-moe (pid {GONE}) is gone")
    assert failure.log_tail == ("last words",)
    log.write_text("*** SIGSEGV received at time=1764465000 on cpu 0 ***\nPC: @ 0x1\n")
    failure = folder.watch.failure()
    assert failure is not None
    assert failure.message.startswith("an engine of tiny-moe died of SIGSEGV as it started: ")


def test_the_supervisor_itself_sees_when_the_process_that_started_ray_is_gone(
    folder: Folder,
) -> None:
    folder.put("0", RAY, pid=GONE)
    assert folder.watch.failure() is None


def test_news_are_told_once(folder: Folder) -> None:
    folder.put("1", notes=("without AMX",))
    folder.put("2", notes=("without AMX",), pid=GONE)
    assert list(folder.watch.news()) == ["without AMX"]
    assert list(folder.watch.news()) == []
    folder.put("1", notes=("without AMX", "more"), phase=Phase.FAILED, failure="died")
    folder.put("2", phase=Phase.FAILED, failure="died", pid=GONE)
    assert list(folder.watch.news()) == ["more", "died", "died"]


def test_after_the_last_second_it_is_said_who_is_still_at_it(
    folder: Folder, tmp_path: Path
) -> None:
    nobody = folder.watch.unfinished(600.0, {})
    assert nobody.message == "not ready after 600 s: starting Ray"
    log = tmp_path / "log"
    log.write_text("waiting for a lock\n")
    folder.put("1", log_path=str(log))
    slow = folder.watch.unfinished(600.0, {})
    assert slow.message == (
        "not ready after 600 s: loading engines: 0 of 3 ready; an engine of tiny-moe is still "
        "loading"
    )
    assert slow.log_tail == ("waiting for a lock",)
