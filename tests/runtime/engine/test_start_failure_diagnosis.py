"""The cause of an engine's end is found in what vLLM 0.32 leaves behind."""

from __future__ import annotations

import signal

import pytest

from runtime.engine.start_failure_diagnosis import (
    CAUSE_CHARS_MAX,
    TAIL_LINES,
    Death,
    diagnose,
    one_line,
    tail,
)

CORE = (
    "Engine core initialization failed. See root cause above. Failed core proc(s): "
    "{'EngineCore': %d}"
)
# Two processes pass on what a third one met.
WORKER_RAISES = """\
ValueError: of no consequence
WorkerProc failed to start.
Traceback (most recent call last):
  File "gpu_worker.py", line 1, in determine_available_memory
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.
EngineCore failed to start.
Traceback (most recent call last):
  File "multiproc_executor.py", line 1, in wait_for_ready
Exception: WorkerProc initialization failed due to an exception in a background process. See stack \
trace for root cause.
Process EngineCore:
Exception: WorkerProc initialization failed due to an exception in a background process. See stack \
trace for root cause.
""".splitlines()
CRASH = ["loading", "Fatal Python error: Illegal instruction", "Stack (most recent call first):"]


@pytest.mark.parametrize(
    ("error", "codes", "log", "death"),
    [
        (RuntimeError(CORE % -11), [], [], Death(signal.SIGSEGV)),
        (RuntimeError(CORE % -9), [], [], Death(signal.SIGKILL)),
        (RuntimeError("EngineCore died"), [-4], [], Death(signal.SIGILL)),
        (RuntimeError(CORE % 1), [], CRASH, Death(signal.SIGILL, 1)),
        (
            RuntimeError("dead"),
            [],
            ["Worker proc VllmWorker-1 died unexpectedly (exit code: -7), shutting down executor."],
            Death(signal.SIGBUS),
        ),
        (None, [], ["*** SIGABRT received at time=1764465000 on cpu 0 ***"], Death(signal.SIGABRT)),
        (None, [0], [], Death()),
        (RuntimeError("its workers were ended in turn"), [-15, -11], [], Death(signal.SIGSEGV)),
        (RuntimeError(CORE % 1), [1, -15], [], Death(None, 1)),
    ],
)
def test_a_death_by_signal(
    error: Exception | None, codes: list[int], log: list[str], death: Death
) -> None:
    found = diagnose(error, codes, log)
    assert (found.by, found.exit_code) == (death.by, death.exit_code)


def test_the_cause_is_the_one_that_refers_to_no_other() -> None:
    found = diagnose(RuntimeError(CORE % 1), [], WORKER_RAISES)
    assert found == Death(
        None, 1, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
    )


def test_a_worker_that_was_killed_while_it_loaded_leaves_no_cause() -> None:
    log = [line for line in WORKER_RAISES if line.startswith("Exception: WorkerProc")]
    found = diagnose(RuntimeError(CORE % 1), [], log)
    assert found.cause.startswith("a worker process ended without a word; if nobody killed it")


def test_an_error_that_says_enough_is_its_own_cause() -> None:
    found = diagnose(ValueError("no room\n for the KV cache"), [], WORKER_RAISES)
    assert found == Death(cause="ValueError: no room for the KV cache")


def test_an_error_that_refers_to_a_log_without_an_answer() -> None:
    assert "See root cause above" in diagnose(RuntimeError(CORE % 3), [], ["nothing"]).cause


@pytest.mark.parametrize(
    ("death", "words"),
    [
        (Death(signal.SIGSEGV), "died of SIGSEGV while it loaded: where, says the end of its log"),
        (Death(signal.SIGKILL), "died of SIGKILL while it loaded: if nobody killed it, memory ran"),
        (Death(signal.SIGILL), "died of SIGILL while it loaded: an instruction that does not run"),
        (Death(None, 1, "E: x"), "ended with exit status 1 while it loaded: E: x; mend that"),
        (Death(cause="E: x"), "failed while it loaded: E: x; mend that and start again"),
        (Death(), "failed while it loaded: it did not say why; mend that"),
    ],
)
def test_the_words(death: Death, words: str) -> None:
    told = death.in_words("while it loaded")
    assert told.startswith(words)
    assert "\n" not in told


def test_one_line_of_an_exception() -> None:
    assert one_line(ValueError("a\n  b")) == "ValueError: a b"
    assert one_line(SystemExit()) == "SystemExit"
    assert len(one_line(ValueError("x" * 9_999))) == CAUSE_CHARS_MAX


def test_the_tail_begins_with_the_crash_where_there_is_one() -> None:
    lines = [f"line {number}" for number in range(100)]
    assert tail(lines) == lines[-TAIL_LINES:]
    assert tail([*lines, *CRASH, *lines])[:2] == CRASH[1:]
    assert len(tail([*CRASH, *lines])) == TAIL_LINES
    assert tail(["a", "!!!!!!! Segfault encountered !!!!!!!", "b"])[0].startswith("!!!")
