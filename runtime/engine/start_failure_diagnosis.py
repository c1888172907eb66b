"""Why an engine did not start, from what it left: an exception, exit codes, and its log.

vLLM starts processes that start processes, and where one dies the others only say "see the root
cause above". Pure: it reads what it is given.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CAUSE_CHARS_MAX = 500
TAIL_LINES = 15

# vLLM's own words, with the exit codes of its processes.
_CORE = re.compile(r"Failed core proc\(s\): \{([^}]*)\}")
_CODE = re.compile(r": (-?\d+)")
_WORKER = re.compile(r"Worker proc \S+ died unexpectedly \(exit code: (-?\d+)\)")
# The standard library's fault handler.
_FATAL = re.compile(r"Fatal Python error: (.+)")
_FAULTS = {
    "Illegal instruction": signal.SIGILL,
    "Segmentation fault": signal.SIGSEGV,
    "Bus error": signal.SIGBUS,
    "Aborted": signal.SIGABRT,
    "Floating-point exception": signal.SIGFPE,
    "Floating point exception": signal.SIGFPE,
}
# What begins a crash report: the standard library's, torch's, Ray's.
_CRASH = re.compile(r"Fatal Python error: |!!! Segfault encountered|\*\*\* SIG\w+ received at")
_RAY_CRASH = re.compile(r"\*\*\* (SIG\w+) received at")
# The last line of a traceback, also behind the "(EngineCore pid=1) " that vLLM may put before it.
_ERROR = re.compile(r"(?:\([^)]*\) )?((?:\w+\.)*(\w*(?:Error|Exception)): .+)")
_ELSEWHERE = re.compile(
    r"root cause|stack trace|initialization failed|EngineDeadError|cancelled|died unexpectedly",
    re.IGNORECASE,
)
_LOOK = "mend that and start again; `baseload doctor` looks at the machine"
_STACK = "where, says the end of its log"
_ADVICE = {
    signal.SIGKILL: "if nobody killed it, memory ran out (`dmesg` says so): give it more, or less "
    "to hold (kv_blocks, max_num_seqs, context_tokens_max)",
    signal.SIGILL: f"an instruction that does not run on this processor; {_STACK}",
}


@dataclass(frozen=True, slots=True)
class Death:
    """``by`` is the signal that ended a process; ``cause`` is the exception behind it, in one
    line."""

    by: signal.Signals | None = None
    exit_code: int | None = None
    cause: str = ""

    def in_words(self, when: str) -> str:
        """The rest of a sentence that begins with who it was: how it ended and what to do."""
        if self.by is not None:
            return f"died of {self.by.name} {when}: {_ADVICE.get(self.by, _STACK)}"
        cause = self.cause or "it did not say why"
        if self.exit_code:
            return f"ended with exit status {self.exit_code} {when}: {cause}; {_LOOK}"
        return f"failed {when}: {cause}; {_LOOK}"


def diagnose(error: BaseException | None, exit_codes: Iterable[int], log: Sequence[str]) -> Death:
    """``exit_codes`` are those of its processes, also of those that were ended in turn; ``log`` is
    what they wrote."""
    told = one_line(error) if error is not None else ""
    codes = [*_codes_in(told), *_codes_in_log(log), *exit_codes]
    cause = _last_cause(log) if not told or _ELSEWHERE.search(told) else told
    by = _fault_in(log) or next((each for code in codes if (each := _signal(code))), None)
    code = next((code for code in codes if code > 0), None)
    return Death(by, code, cause or _silent_worker(log) or told)


def one_line(error: BaseException) -> str:
    """Type and text; a SystemExit's text says too little without its type."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:CAUSE_CHARS_MAX] if text else type(error).__name__


def tail(log: Sequence[str]) -> list[str]:
    """Its last lines, from the crash report on where there is one."""
    crash = next((at for at, line in enumerate(log) if _CRASH.search(line)), None)
    if crash is not None:
        return list(log[crash : crash + TAIL_LINES])
    return list(log[-TAIL_LINES:])


def _last_cause(log: Sequence[str]) -> str:
    """Who only passes a failure on does so after the one that had it, and says so."""
    found = [match[1] for line in reversed(log) if (match := _ERROR.match(line))]
    return next((each[:CAUSE_CHARS_MAX] for each in found if not _ELSEWHERE.search(each)), "")


def _silent_worker(log: Sequence[str]) -> str:
    """A worker that was killed while it loaded has no exit code that anybody tells."""
    if any("WorkerProc initialization failed" in line for line in log):
        return (
            "a worker process ended without a word; if nobody killed it, memory ran out (`dmesg`)"
        )
    return ""


def _codes_in(text: str) -> list[int]:
    match = _CORE.search(text)
    return [int(code) for code in _CODE.findall(match[1])] if match else []


def _codes_in_log(log: Sequence[str]) -> list[int]:
    return [int(match[1]) for line in log if (match := _WORKER.search(line))]


def _fault_in(log: Sequence[str]) -> signal.Signals | None:
    for line in log:
        if match := _FATAL.search(line):
            return _FAULTS.get(match[1].strip())
        if match := _RAY_CRASH.search(line):
            return signal.Signals.__members__.get(match[1])
    return None


def _signal(code: int) -> signal.Signals | None:
    """SIGTERM is how vLLM ends the others, and no cause."""
    known = {each.value for each in signal.Signals} - {signal.SIGTERM.value}
    return signal.Signals(-code) if -code in known else None
