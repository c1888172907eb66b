"""What is seen of a run from outside: how far its start is, what it notes, and why it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from cluster.profile import Profile
from cluster.run.start_report import Phase, StartReport, read
from runtime.engine.process_log import last_lines
from runtime.engine.start_failure_diagnosis import diagnose, tail
from runtime.start_failed import StartFailed

RAY = "Ray"  # the part that starts Ray and deploys the application


class StartWatch:
    """Reads the reports of a run again at each call."""

    def __init__(self, folder: Path, profile: Profile) -> None:
        self._folder = folder
        self._replicas = {pool.model: pool.targets for pool in profile.args.pools}
        stand_in = 1 if profile.args.stand_in is not None else 0
        self._engines = sum(pool.replicas for pool in profile.args.pools) + stand_in
        self._told: set[tuple[int, str]] = set()

    def failure(self) -> StartFailed | None:
        """The failure of the first part that failed. An engine's own word tells more than Ray's of
        it."""
        for report in sorted(read(self._folder), key=lambda report: report.part == RAY):
            if report.phase is Phase.FAILED:
                return StartFailed(report.failure, report.log_path, report.log_tail)
            if report.part != RAY and report.died_silently():
                return _silent(report)
        return None

    def news(self) -> Iterator[str]:
        """Lines that nobody was shown yet: what all engines of a model note, once; each failure."""
        for report in read(self._folder):
            lines = [(0, line) for line in report.notes]
            if report.failure:
                lines.append((report.pid, report.failure))
            for line in lines:
                if line not in self._told:
                    self._told.add(line)
                    yield line[1]

    def is_ready(self, state: Mapping[str, object]) -> bool:
        """``state`` is the body of /ready: whether every pool has all its replicas."""
        return bool(state.get("ready")) and not self._missing(_counts(state))

    def progress(self, state: Mapping[str, object]) -> str:
        """How far it is, in a few words."""
        reports = read(self._folder)
        engines = [report for report in reports if report.part != RAY]
        counts = _counts(state)
        if counts and (not engines or any(counts.values())):
            return ", ".join(
                f"{counts.get(model, 0)} of {count} replicas of {model}"
                for model, count in self._replicas.items()
            )
        if engines:
            loaded = sum(1 for report in engines if report.phase is Phase.READY)
            return f"loading engines: {loaded} of {self._engines} ready"
        if any(report.phase is Phase.READY for report in reports):
            return "deploying the application"
        return "starting Ray"

    def unfinished(self, waited_s: float, state: Mapping[str, object]) -> StartFailed:
        """What is said where patience ends: how far it came, and the log of an engine that
        hangs."""
        line = f"not ready after {waited_s:.0f} s: {self.progress(state)}"
        slow = [
            each for each in read(self._folder) if each.phase is Phase.STARTING and each.log_path
        ]
        if not slow or slow[0].log_path is None:
            return StartFailed(line)
        return StartFailed(
            f"{line}; {slow[0].part} is still loading",
            slow[0].log_path,
            tail(last_lines(Path(slow[0].log_path))),
        )

    def _missing(self, counts: Mapping[str, int]) -> bool:
        return any(counts.get(model, 0) < count for model, count in self._replicas.items())


def _silent(report: StartReport) -> StartFailed:
    log = last_lines(Path(report.log_path)) if report.log_path else []
    death = diagnose(None, [], log)
    if death.by is not None:
        line = f"{report.part} {death.in_words('as it started')}"
    else:
        line = (
            f"the process of {report.part} (pid {report.pid}) is gone without a word: if nobody "
            "killed it, memory ran out (`dmesg` says so)"
        )
    return StartFailed(line, report.log_path, tail(log))


def _counts(state: Mapping[str, object]) -> dict[str, int]:
    counts = state.get("replicas")
    return counts if isinstance(counts, dict) else {}
