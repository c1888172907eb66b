"""What an answer teaches, kept to be looked at."""

from __future__ import annotations

from runtime.request.estimate import Estimator, Kind
from scheduler.learned.prompt_tokens import PromptShape


class Pupil(Estimator):
    """Keeps what it was taught."""

    def __init__(self) -> None:
        super().__init__()
        self.prompts: list[int] = []
        self.answers: list[tuple[int, bool]] = []
        self.kinds: set[Kind] = set()

    def learn_prompt(self, model: str, shape: PromptShape, prompt_tokens: int) -> None:
        super().learn_prompt(model, shape, prompt_tokens)
        self.prompts.append(prompt_tokens)

    def learn_answer(self, kind: Kind, output_tokens: int, *, is_complete: bool) -> None:
        super().learn_answer(kind, output_tokens, is_complete=is_complete)
        self.kinds.add(kind)
        if output_tokens:
            self.answers.append((output_tokens, is_complete))
