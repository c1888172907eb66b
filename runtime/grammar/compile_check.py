"""Asks whether engines can compile a constraint in time, before any engine has to.

The compiler is a process of its own, started by the first question and kept; verdicts are kept,
too, so that a schema costs its compilation once. It is asked one question at a time, and no
tenant may have more than a few waiting.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import logging
import subprocess
import sys
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

from runtime.errors import BadRequest, QueueFull
from runtime.grammar.constraint import Constraint
from runtime.message_text import written
from runtime.request_limits import LIMITS, refusals

START_S_MAX = 120.0  # the compiler imports a large library, maybe from a cold disk
CPU_S_MAX = 10  # for all constraints of a request; the compiler's own limit is on each
ANSWER_S_MAX = 90.0  # more than its own limits; for a compiler that does not hold to them
COMPILER = Path(__file__).with_name("compiler_process.py")

log = logging.getLogger("baseload.grammar")


@dataclass(frozen=True, slots=True)
class CompileVerdict:
    """``fault`` is the end of a sentence about the constraint, about one of its patterns, or
    about what is at ``at`` in it."""

    fault: str | None = None
    pattern: int | None = None
    at: tuple[str | int, ...] = ()
    loosened: tuple[str, ...] = ()  # keywords that are held in part, such as without a lookahead
    cpu_s: float = 0.0


UNAVAILABLE = CompileVerdict(
    "cannot be checked on this server: send a smaller schema, of plain types"
)


class GrammarCheck:
    """Create it anywhere, ``check`` from one event loop, ``close`` at the end."""

    def __init__(self, compiler: Path = COMPILER) -> None:
        self._compiler = compiler
        self._process: subprocess.Popen[bytes] | None = None
        self._verdicts: OrderedDict[bytes, CompileVerdict] = OrderedDict()
        self._asked: dict[bytes, asyncio.Task[CompileVerdict]] = {}
        self._waiting: Counter[str] = Counter()
        self._turn = asyncio.Lock()
        self._closed = False

    async def loosened(self, constraints: Iterable[Constraint], tenant: str) -> list[str]:
        """Names of what engines hold only in part; BadRequest for what they cannot hold, by itself
        or with the rest: an engine compiles the tools of a request into one grammar."""
        named, cpu_s = [], 0.0
        for each in constraints:
            verdict = await self.check(each, tenant)
            cpu_s += verdict.cpu_s
            if cpu_s > CPU_S_MAX:
                refusals["grammar"] += 1
                param = written(each.at)
                says = f"takes, with what is before it, more than {CPU_S_MAX} s to compile"
                raise BadRequest(f"`{param}` {says}.", param=param)
            texts = [step for step in each.at if isinstance(step, str)]
            named += [".".join((*texts, keyword)) for keyword in verdict.loosened]
        return named

    async def check(self, constraint: Constraint, tenant: str) -> CompileVerdict:
        """BadRequest says what is wrong with the constraint, and where."""
        verdict = await self._verdict(constraint, tenant)
        if verdict.fault is None:
            return verdict
        at: tuple[str | int, ...] = constraint.at
        if verdict.pattern is not None:
            at = (*at, *constraint.patterns[verdict.pattern][0])
        at = (*at, *verdict.at)
        param = written(at)
        raise BadRequest(f"`{param}` {verdict.fault}.", param=param)

    def close(self) -> None:
        self._closed = True
        self._stop()

    async def _verdict(self, constraint: Constraint, tenant: str) -> CompileVerdict:
        key = hashlib.sha256(f"{constraint.kind} {constraint.text}".encode()).digest()
        if (kept := self._verdicts.get(key)) is not None:
            self._verdicts.move_to_end(key)
            return kept
        if (task := self._asked.get(key)) is None:
            self._admit(tenant)
            task = self._asked[key] = asyncio.create_task(self._ask_in_turn(constraint))
            task.add_done_callback(lambda done: self._note(key, tenant, done))
        return await asyncio.shield(task)

    def _admit(self, tenant: str) -> None:
        if self._waiting[tenant] >= LIMITS.grammars_waiting_max:
            refusals["grammars_waiting_max"] += 1
            raise QueueFull("Too many of your schemas wait to be checked. Try later.")
        self._waiting[tenant] += 1

    def _note(self, key: bytes, tenant: str, done: asyncio.Task[CompileVerdict]) -> None:
        del self._asked[key]
        self._waiting[tenant] -= 1
        if self._waiting[tenant] <= 0:
            del self._waiting[tenant]
        if done.cancelled() or done.exception() or done.result() == UNAVAILABLE:
            return
        self._verdicts[key] = done.result()
        if len(self._verdicts) > LIMITS.grammars_kept_max:
            self._verdicts.popitem(last=False)

    async def _ask_in_turn(self, constraint: Constraint) -> CompileVerdict:
        async with self._turn:
            verdict = await asyncio.to_thread(self._ask, constraint)
        if verdict.fault is not None:
            refusals["grammar"] += 1
        return verdict

    def _ask(self, constraint: Constraint) -> CompileVerdict:
        """Blocks for as long as the compiler takes."""
        question = {
            "kind": constraint.kind,
            "text": constraint.text,
            "patterns": [pattern for _, pattern in constraint.patterns],
        }
        try:
            process = self._process or self._start()
            told = _answer(process, json.dumps(question).encode() + b"\n", ANSWER_S_MAX)
            lists = {name: tuple(told.get(name, ())) for name in ("at", "loosened")}
            return CompileVerdict(**{**told, **lists})
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.warning("the grammar compiler gave no answer: %s", error)
            self._stop()
            return UNAVAILABLE

    def _start(self) -> subprocess.Popen[bytes]:
        if self._closed or importlib.util.find_spec("xgrammar") is None:
            raise OSError("it is not installed here, or the server is going down")
        self._process = process = subprocess.Popen(  # noqa: S603
            # -P: its own folder is no place to import from.
            [sys.executable, "-P", str(self._compiler)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        _answer(process, b"", START_S_MAX)
        if self._closed:  # while it started
            raise OSError("the server is going down")
        return process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _answer(process: subprocess.Popen[bytes], question: bytes, wait_s_max: float) -> dict[str, Any]:
    """The next line that the process tells; it is killed when that takes too long."""
    if process.stdin is None or process.stdout is None:
        raise OSError("the compiler has no pipes")
    timer = Timer(wait_s_max, process.kill)
    timer.start()
    try:
        process.stdin.write(question)
        process.stdin.flush()
        line = process.stdout.readline()
    finally:
        timer.cancel()
    if not line:
        raise OSError("the compiler ended")
    told: dict[str, Any] = json.loads(line)
    return told
