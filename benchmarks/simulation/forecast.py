"""What the scheduler is told of a request's length: what a book has learned so far, or the truth.

``told`` shows how far a policy would get if lengths were no riddle. Prompts are told exactly in
both cases.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from benchmarks.simulation.workload import Request
from scheduler.learned.lengths import LengthBook, LengthCurve

Lengths: TypeAlias = Literal["learned", "told"]


class Forecast(Protocol):
    def curve(self, request: Request, model: str) -> LengthCurve: ...

    def learn(self, request: Request, model: str) -> None:
        """It has ended, answered by ``model``, and its length is known."""
        ...


class Learned:
    def __init__(self) -> None:
        self._book = LengthBook()

    def curve(self, request: Request, model: str) -> LengthCurve:
        return self._book.curve(request.tenant, request.task, model, request.prompt_tokens)

    def learn(self, request: Request, model: str) -> None:
        self._book.observe(
            request.tenant,
            request.task,
            model,
            request.prompt_tokens,
            request.output_tokens,
            is_complete=request.output_tokens < request.max_output_tokens,
        )


class Told:
    def curve(self, request: Request, model: str) -> LengthCurve:
        return LengthCurve.exactly(request.output_tokens)

    def learn(self, request: Request, model: str) -> None:
        pass


def forecast(lengths: Lengths) -> Forecast:
    if lengths == "learned":
        return Learned()
    if lengths == "told":
        return Told()
    raise ValueError(f"unknown lengths {lengths!r}: use learned or told")
