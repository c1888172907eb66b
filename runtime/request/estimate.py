"""What a request will take, without a tokenizer: learned online from the usage of answers.

The arithmetic is ``scheduler.learned.prompt_tokens`` and ``scheduler.learned.lengths``; this file
says what of a request goes into it. An answer that the model ended is a length; one that a limit,
its client or a failure cut off only says that answers are at least so long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from scheduler.learned.lengths import LengthBook, LengthCurve
from scheduler.learned.prompt_tokens import PromptShape, TokenBook

# A report costs more to learn from than a request to estimate: once a model is known, some do.
PROMPTS_LEARNED_FIRST = 500
PROMPTS_LEARNED_EVERY = 4


class Kind(NamedTuple):
    """What answers of like length have in common."""

    tenant: str
    task: str
    model: str
    prompt_tokens: int


@dataclass(slots=True)
class Estimator:
    """One per process. Its books bound themselves; models are only those that are served."""

    _tokens: TokenBook = field(default_factory=TokenBook)
    _lengths: LengthBook = field(default_factory=LengthBook)
    _prompts: Counter[str] = field(default_factory=Counter)  # reported, by model

    def prompt_tokens(self, model: str, shape: PromptShape) -> int:
        return self._tokens.estimate(model, shape)

    def answer_tokens(self, model: str, text: str) -> int:
        """The tokens of what was generated."""
        return self._tokens.estimate(model, PromptShape.of_answer(text)) if text else 0

    def lengths(self, kind: Kind) -> LengthCurve:
        """The length curve of one answer."""
        return self._lengths.curve(*kind)

    def learn_prompt(self, model: str, shape: PromptShape, prompt_tokens: int) -> None:
        self._prompts[model] += 1
        seen = self._prompts[model]
        if seen <= PROMPTS_LEARNED_FIRST or seen % PROMPTS_LEARNED_EVERY == 0:
            self._tokens.learn(model, shape, prompt_tokens)

    def learn_answer(self, kind: Kind, output_tokens: int, *, is_complete: bool) -> None:
        """Learns the length of one answer; ``is_complete``: the model ended it."""
        self._lengths.observe(*kind, output_tokens, is_complete)

    @property
    def limits(self) -> Mapping[str, int]:
        """How often each bound of the books bit."""
        return {
            "token_models": self._tokens.models_dropped,
            "token_reports": self._tokens.reports_refused,
            "length_keys": self._lengths.keys_dropped,
        }
