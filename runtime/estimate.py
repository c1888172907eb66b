"""Token estimates without a tokenizer: from bytes by script class, corrected by usage.

Latin text and code run near four bytes per token, other scripts near three. Each usage
report moves the model's correction factor; the answer length is a running mean per model.
"""

from __future__ import annotations

from dataclasses import dataclass

ASCII_BYTES_PER_TOKEN = 4.0
OTHER_BYTES_PER_TOKEN = 3.0
MESSAGE_TOKENS = 8  # what a chat template adds around a message, about
OUTPUT_TOKENS_FIRST = 256  # before any answer was seen
CORRECTION_WEIGHT = 0.1
CORRECTION_MIN, CORRECTION_MAX = 0.2, 8.0


@dataclass(slots=True)
class _Learned:
    correction: float = 1.0
    output_tokens: float = OUTPUT_TOKENS_FIRST


class Estimator:
    """One per process; bounded by the number of models in the catalogue."""

    def __init__(self) -> None:
        self._models: dict[str, _Learned] = {}

    def prompt_tokens(self, model: str, text: PromptSize) -> int:
        learned = self._models.get(model)
        return max(1, round(text.raw_tokens * (learned.correction if learned else 1.0)))

    def output_tokens(self, model: str, output_tokens_max: int) -> int:
        learned = self._models.get(model)
        mean = learned.output_tokens if learned else OUTPUT_TOKENS_FIRST
        return max(1, min(output_tokens_max, round(mean)))

    def learn(self, model: str, text: PromptSize, prompt_tokens: int, output_tokens: int) -> None:
        learned = self._models.setdefault(model, _Learned())
        ratio = min(CORRECTION_MAX, max(CORRECTION_MIN, prompt_tokens / text.raw_tokens))
        learned.correction += CORRECTION_WEIGHT * (ratio - learned.correction)
        learned.output_tokens += CORRECTION_WEIGHT * (output_tokens - learned.output_tokens)


@dataclass(frozen=True, slots=True)
class PromptSize:
    """A prompt in bytes by script class."""

    ascii_bytes: int
    other_bytes: int
    messages: int

    @property
    def raw_tokens(self) -> float:
        return (
            self.ascii_bytes / ASCII_BYTES_PER_TOKEN
            + self.other_bytes / OTHER_BYTES_PER_TOKEN
            + self.messages * MESSAGE_TOKENS
            + 1.0
        )
