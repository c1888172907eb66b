"""What the scheduler is told of a request's length: what a book has learned so far, or the truth.

``told`` shows how far a policy would get if lengths were no riddle. Prompts are told exactly in
both cases.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from benchmarks.simulation.workload import Request
from scheduler.learned.lengths import LengthBook, LengthCurve

MODEL = "simulated"

Lengths: TypeAlias = Literal["learned", "told"]


class Forecast(Protocol):
    def curve(self, request: Request) -> LengthCurve: ...

    def learn(self, request: Request) -> None:
        """It has ended, and its length is known."""
        ...


class Learned:
    def __init__(self) -> None:
        self._book = LengthBook()

    def curve(self, request: Request) -> LengthCurve:
        return self._book.curve(request.tenant, request.task, MODEL, request.prompt_tokens)

    def learn(self, request: Request) -> None:
        self._book.observe(
            request.tenant,
            request.task,
            MODEL,
            request.prompt_tokens,
            request.output_tokens,
            is_complete=request.output_tokens < request.max_output_tokens,
        )


class Told:
    def curve(self, request: Request) -> LengthCurve:
        return LengthCurve.exactly(request.output_tokens)

    def learn(self, request: Request) -> None:
        pass


def forecast(lengths: Lengths) -> Forecast:
    if lengths == "learned":
        return Learned()
    if lengths == "told":
        return Told()
    raise ValueError(f"unknown lengths {lengths!r}: use learned or told")
