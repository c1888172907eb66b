"""A process that compiles grammars as an engine would, each in a fork that can be killed.

Run as a file by ``runtime.grammar.compile_check``; it imports nothing of the project, and it is the
only file that imports xgrammar. A line of JSON in, a line of JSON out. A bad expression can cost
minutes, gigabytes or the process: here it costs a fork. What compiles quickly can still be slow to
follow, token by token, in the step that all requests of an engine share: so it is followed for a
few tokens, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import resource
import select
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import xgrammar

CPU_S_MAX = 10  # to compile a grammar and to follow it; of processor time, so a busy host is fair
WALL_S_MAX = 60.0
MEMORY_BYTES_MAX = 2 * 1024**3  # beyond what the process has when it is forked
STEPS = 32
STEP_MS_MAX = 20.0  # on average; a decode step of a large model takes about as long
TOKENS = 130_000  # as many as today's models have: the cost grows with them
NICE = 10
MESSAGE_CHARS_MAX = 200

_SAID = re.compile(
    r"(?:error at (?=line \d+, column|position)|json_schema_converter.cc:\d+: )([^\n]*)"
)
# What xgrammar warns of, and the keyword that it then holds only in part.
_LOOSE = {b"is not supported and is ignored": "pattern", b"falling back to anyOf": "oneOf"}
_LITERAL = re.compile(rb"(Escape sequence \\.) is not recognized in regex")

_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
NOTHING = "can be satisfied by no answer"
# Kinds of expression in a grammar as xgrammar writes it.
_TEXT, _CLASS, _STAR, _EMPTY, _RULE, _SEQUENCE, _CHOICES, _REPEAT = 0, 1, 2, 3, 4, 5, 6, 8

Verdict = dict[str, Any]


def vocabulary() -> list[bytes]:
    """A vocabulary like that of a real model in length of tokens and in scripts; the same in every
    run."""
    draw = np.random.default_rng(1)
    letters = "eeetttaaooiinnsshhrrddllccuummwffggyyppbbvkjxqz" + 'EATINS0123456789_-.(){}",:/=<>'
    text = "".join(draw.choice(list(letters), 8 * TOKENS))
    han = "".join(map(chr, draw.integers(0x4E00, 0x9FFF, TOKENS)))
    tokens = dict.fromkeys(bytes([value]) for value in range(256))
    at = 0
    for length, kind in zip(draw.integers(2, 9, 4 * TOKENS), draw.random(4 * TOKENS), strict=True):
        at = (at + length) % (len(text) - 8)
        token = text[at : at + length]
        if kind < 0.3:
            token = han[at % (TOKENS - 2) :][: 1 + length % 2]
        elif kind < 0.65:
            token = " " + token
        tokens[token.encode()] = None
        if len(tokens) == TOKENS:
            break
    return [*tokens, b"</s>"]


class Compiler:
    def __init__(self) -> None:
        tokens = vocabulary()
        self._size = len(tokens)
        self._info = xgrammar.TokenizerInfo(
            tokens,
            vocab_type=xgrammar.VocabType.RAW,
            vocab_size=self._size,
            stop_token_ids=[self._size - 1],
        )

    def timed(self, kind: str, text: str, patterns: list[str]) -> Verdict:
        started_s = time.process_time()
        verdict = self.verdict(kind, text, patterns)
        return {**verdict, "cpu_s": round(time.process_time() - started_s, 3)}

    def verdict(self, kind: str, text: str, patterns: list[str]) -> Verdict:
        try:
            if empty := _nothing(kind, text, patterns):
                return empty
            compiled = self._compile(kind, text)
        except RuntimeError as error:
            return self._culprit(patterns) or {"fault": _reason(error)}
        step_ms = self._step_ms(compiled)
        if step_ms > STEP_MS_MAX:
            fault = (
                f"costs {step_ms:.0f} ms for each token of an answer: count with minLength and "
                "maxLength instead of {n,m}"
            )
            return {"fault": fault}
        return {"fault": None}

    def _compile(self, kind: str, text: str) -> Any:
        compiler = xgrammar.GrammarCompiler(self._info, max_threads=1, cache_enabled=False)
        return (
            compiler.compile_regex(text) if kind == "regex" else compiler.compile_json_schema(text)
        )

    def _culprit(self, patterns: list[str]) -> Verdict | None:
        """The first pattern, as the caller wrote it, that is the fault by itself."""
        for index, pattern in enumerate(patterns):
            try:
                schema = json.dumps({"type": "string", "pattern": pattern})
                xgrammar.Grammar.from_json_schema(schema)
            except RuntimeError as error:
                return {"fault": _reason(error), "pattern": index}
        return None

    def _step_ms(self, compiled: Any) -> float:
        draw = random.Random(1)  # noqa: S311
        matcher = xgrammar.GrammarMatcher(compiled)
        mask = xgrammar.allocate_token_bitmask(1, self._size)
        spent = steps = 0.0
        while steps < STEPS and not matcher.is_terminated():
            started = time.process_time()
            matcher.fill_next_token_bitmask(mask)
            spent += time.process_time() - started
            steps += 1
            bits = np.unpackbits(mask.numpy().view(np.uint8), bitorder="little")
            allowed = np.flatnonzero(bits[: self._size])
            if not len(allowed) or not matcher.accept_token(int(draw.choice(allowed))):
                break
        return 1000 * spent / steps if steps else 0.0


def _nothing(kind: str, text: str, patterns: list[str]) -> Verdict | None:
    """The fault of what no answer can satisfy: an engine would fail at its first token."""
    if kind == "regex":
        return None if productive(xgrammar.Grammar.from_regex(text)) else {"fault": NOTHING}
    for index, pattern in enumerate(patterns):
        with contextlib.suppress(RuntimeError):  # with its place, if it is at fault: later
            if not productive(xgrammar.Grammar.from_regex(pattern)):
                return {"fault": NOTHING, "pattern": index}
    for at, bounded in _ranges(json.loads(text), []):
        if nullable(xgrammar.Grammar.from_json_schema(json.dumps(bounded))):
            return {"fault": NOTHING, "at": at}
    return None if productive(xgrammar.Grammar.from_json_schema(text)) else {"fault": NOTHING}


def _ranges(node: Any, at: list[str | int]) -> Iterator[tuple[list[str | int], dict[str, Any]]]:
    """Each range of numbers in a schema: of some that hold none, xgrammar makes an empty text."""
    if not isinstance(node, dict | list):
        return
    for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
        yield from _ranges(inner, [*at, key])
    bounds = {key: node[key] for key in _BOUNDS if key in node} if isinstance(node, dict) else {}
    if any(isinstance(bound, float) for bound in bounds.values()):
        yield at, {"type": "number", **bounds}


def productive(grammar: Any) -> bool:
    """Whether there is a text that the grammar accepts."""
    return _derives(grammar, lambda kind, values: kind != _CLASS or not _is_empty(values))


def nullable(grammar: Any) -> bool:
    """Whether the grammar accepts the empty text."""
    return _derives(
        grammar, lambda kind, values: kind in (_EMPTY, _STAR) or (kind == _TEXT and not values)
    )


def _derives(grammar: Any, is_so: Callable[[int, list[int]], bool]) -> bool:
    """Whether the root comes to an end in expressions of which all ``is_so``.

    It goes from those up to whom they make so, in the form that xgrammar writes grammars in.
    """
    told = json.loads(grammar.serialize_json())
    data, bodies = told["grammar_expr_data"], [rule[1] for rule in told["rules"]]
    kinds: list[int] = []
    needs: list[list[int]] = []
    users: defaultdict[int, list[int]] = defaultdict(list)
    for index, start in enumerate(told["grammar_expr_indptr"]):
        kind, values = data[start], data[start + 2 : start + 2 + data[start + 1]]
        needed = [bodies[values[0]]] if kind in (_RULE, _REPEAT) else values
        if kind not in (_RULE, _REPEAT, _SEQUENCE, _CHOICES) or (kind == _REPEAT and not values[1]):
            kind, needed = (_SEQUENCE if is_so(kind, values) or kind == _REPEAT else _CHOICES), []
        kinds.append(kind)
        needs.append(needed)
        for each in needed:
            users[each].append(index)
    so: set[int] = set()
    rising = [index for index, kind in enumerate(kinds) if kind == _SEQUENCE and not needs[index]]
    while rising:
        index = rising.pop()
        if index not in so:
            so.add(index)
            rising += [
                user for user in users[index] if kinds[user] != _SEQUENCE or so >= {*needs[user]}
            ]
    return bodies[told["root_rule_id"]] in so


def _is_empty(values: list[int]) -> bool:
    """Whether no character is of a class: all but ranges that are all there are."""
    negated, *ends = values
    last = -1
    for first, end in sorted(zip(ends[::2], ends[1::2], strict=True)):
        if first > last + 1:
            return False
        last = max(last, end)
    return bool(negated) and last >= sys.maxunicode


def _reason(error: RuntimeError) -> str:
    said = _SAID.search(str(error))
    return (
        "is not understood: "
        + (said[1].strip(" .") if said else "it is not valid")[:MESSAGE_CHARS_MAX]
    )


def forked(compiler: Compiler, asked: dict[str, Any]) -> Verdict:
    """The verdict of a child, whatever becomes of it."""
    warned = os.memfd_create("warnings")
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        with contextlib.suppress(Exception):  # whatever a strange schema brings up: no verdict
            _bounded(warned)
            verdict = compiler.timed(asked["kind"], asked["text"], asked["patterns"])
            os.write(writes, json.dumps(verdict).encode())
        os._exit(0)
    os.close(writes)
    try:
        ready, _, _ = select.select([reads, sys.stdin], [], [], WALL_S_MAX)
        told = os.read(reads, 65_536) if reads in ready else b""
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        if sys.stdin in ready and not told:  # nothing is asked meanwhile: who asks has gone
            sys.exit(0)
        _, status = os.waitpid(child, 0)
        warnings = os.pread(warned, 65_536, 0)
    finally:
        os.close(reads)
        os.close(warned)
    verdict = json.loads(told) if told else {"fault": _ending(status)}
    if literal := _LITERAL.search(warnings):
        verdict["fault"] = f"is not understood: {literal[1].decode()} means nothing"
    verdict["loosened"] = [keyword for said, keyword in _LOOSE.items() if said in warnings]
    return verdict


def _bounded(warned: int) -> None:
    os.dup2(warned, 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    with open("/proc/self/statm") as told:
        size = int(told.read().split()[0]) * resource.getpagesize()
    most = size + MEMORY_BYTES_MAX
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _ending(status: int) -> str:
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number in (signal.SIGXCPU, signal.SIGKILL):
        return f"takes more than {CPU_S_MAX} s to compile"
    return "cannot be compiled: its compiler gave up"


def main() -> None:
    os.nice(NICE)
    answers = sys.stdout
    compiler = Compiler()
    print("{}", file=answers, flush=True)  # ready
    for line in sys.stdin:
        print(json.dumps(forked(compiler, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
