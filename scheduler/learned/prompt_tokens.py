"""Prompt tokens from the look of a text, without a tokenizer.

A tokenizer cuts text into words, runs of marks and single signs. So a prompt is reduced to its
characters per script class and its number of such runs, and each model learns from usage what
one of each costs in tokens: least squares on relative errors, with a prior that does not fade
and costs that stay within bounds. Of a long text an even sample is counted, so that a shape
costs microseconds whatever the length.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from operator import mul
from typing import NamedTuple

SAMPLE_BYTES = 2_048  # a text up to this long is counted whole
SLICE_BYTES = 64  # of a longer one, so many bytes at a time, evenly spread
TOKEN_MODELS_MAX = 256
TOKEN_HALF_LIFE = 300  # reports after which one counts half
WEIGHT_MAX = 2.0**40  # of the newest report; past it all weights are scaled back
RELATIVE_ERROR = 0.05  # of one prompt, once the costs are known
PROMPT_TOKENS_MAX = 1 << 30


class Cost(NamedTuple):
    """Tokens that one of a class takes: at first, give or take how much, and at most."""

    first: float
    spread: float
    tokens_max: float


COSTS = {
    "lower": Cost(0.1, 0.2, 4.0),
    "upper": Cost(0.3, 0.3, 4.0),
    "digit": Cost(0.8, 0.4, 4.0),
    "space": Cost(0.05, 0.1, 4.0),
    "control": Cost(0.9, 0.4, 4.0),
    "mark": Cost(0.15, 0.3, 4.0),
    "word": Cost(0.6, 0.3, 4.0),  # a run of letters
    "mark_run": Cost(0.8, 0.4, 4.0),
    "han": Cost(0.8, 0.5, 4.0),
    "wide": Cost(0.9, 0.5, 4.0),  # kana, full-width forms and their punctuation
    "other": Cost(0.6, 0.5, 4.0),  # any other script
    "message": Cost(6.0, 4.0, 100.0),  # what a chat template adds
    "prompt": Cost(4.0, 4.0, 1_000.0),
}
FIRST_COSTS = [cost.first for cost in COSTS.values()]
PRIOR_WEIGHTS = [(RELATIVE_ERROR / cost.spread) ** 2 for cost in COSTS.values()]


# A class is a bit, upper case two, and a space none: what is left over.
LETTER, MARK, UPPER, DIGIT, CONTROL, HAN, WIDE, OTHER = (1 << n for n in range(8))
CONTINUATION_BYTES = bytes(range(0x80, 0xC0))


def _class(byte: int) -> int:
    """Of the character that this UTF-8 byte begins."""
    if byte >= 0x80:
        return HAN if 0xE4 <= byte <= 0xE9 else WIDE if byte in (0xE3, 0xEF) else OTHER
    char = chr(byte)
    if char.isalpha():
        return LETTER if char.islower() else LETTER | UPPER
    if char.isdigit():
        return DIGIT
    return 0 if char == " " else MARK if char.isprintable() else CONTROL


CLASSES = bytes(map(_class, range(256)))
LETTERS, MARKS, UPPERS, DIGITS, CONTROLS, HANS, WIDES, OTHERS = (
    int.from_bytes(bytes((bit,)) * SAMPLE_BYTES)
    for bit in (LETTER, MARK, UPPER, DIGIT, CONTROL, HAN, WIDE, OTHER)
)


@dataclass(frozen=True, slots=True)
class PromptShape:
    """A prompt as its tokenizer sees it, in the order of ``COSTS``."""

    utf8_bytes: int  # exact; no token is shorter than a byte
    counts: tuple[float, ...]

    @classmethod
    def of_answer(cls, text: str) -> PromptShape:
        """The shape of a text with no template around it."""
        shape = cls.of(text, 0)
        return cls(shape.utf8_bytes, (*shape.counts[:-1], 0))

    @classmethod
    def of(cls, text: str, messages: int) -> PromptShape:
        raw = text.encode("utf-8", "surrogatepass")
        if len(raw) <= SAMPLE_BYTES:
            return cls(len(raw), (*_counts(raw), messages, 1))
        sample = _sample(raw)
        scale = len(raw) / len(sample)
        return cls(len(raw), (*[count * scale for count in _counts(sample)], messages, 1))


def _counts(raw: bytes) -> tuple[int, ...]:
    """Counts bits of one long integer: unlike a loop that asks what each character is, that
    takes the same time for any text."""
    classes = raw.translate(CLASSES, CONTINUATION_BYTES)
    line = int.from_bytes(classes)
    continued = line & line >> 8  # what a character shares with the one before it
    letters, marks = (line & LETTERS).bit_count(), (line & MARKS).bit_count()
    digits, controls = (line & DIGITS).bit_count(), (line & CONTROLS).bit_count()
    uppers = (line & UPPERS).bit_count()
    words = letters - (continued & LETTERS).bit_count()
    mark_runs = marks - (continued & MARKS).bit_count()
    hans = wides = others = 0
    if not raw.isascii():
        hans, wides = (line & HANS).bit_count(), (line & WIDES).bit_count()
        others = (line & OTHERS).bit_count()
    spaces = len(classes) - letters - marks - digits - controls - hans - wides - others
    lowers = letters - uppers
    return lowers, uppers, digits, spaces, controls, marks, words, mark_runs, hans, wides, others


def _sample(raw: bytes) -> bytes:
    step = (len(raw) - SLICE_BYTES) // (SAMPLE_BYTES // SLICE_BYTES - 1)
    starts = range(0, len(raw) - SLICE_BYTES + 1, step)[: SAMPLE_BYTES // SLICE_BYTES]
    return b"".join([raw[start : start + SLICE_BYTES] for start in starts])


class TokenModel:
    """What one model's tokenizer charges: the sums of a least-squares fit, and its solution.

    Instead of fading the old reports, each new one weighs more. The solution follows by one round
    of coordinate descent per report; each step is clipped to its bounds, so neither a report nor
    a lack of variety can drive it away.
    """

    __slots__ = ("_costs", "_products", "_targets", "_weight")

    def __init__(self) -> None:
        self._costs = FIRST_COSTS.copy()
        self._products = [[0.0] * len(COSTS) for _ in COSTS]
        self._targets = [0.0] * len(COSTS)
        self._weight = 1.0

    def estimate(self, shape: PromptShape) -> int:
        tokens: float = sum(map(mul, self._costs, shape.counts))
        return max(1, min(round(tokens), PROMPT_TOKENS_MAX))

    def learn(self, shape: PromptShape, prompt_tokens: int) -> None:
        expected = max(1.0, sum(map(mul, self._costs, shape.counts)))
        # Neither a large nor a small number can weigh more than one that was expected.
        scale = max(expected, prompt_tokens)
        row = [count / scale for count in shape.counts]
        weighted = [self._weight * part for part in row]
        for sums, part in zip(self._products, weighted, strict=True):
            if part:
                sums[:] = [total + part * other for total, other in zip(sums, row, strict=True)]
        target = prompt_tokens / scale
        self._targets = [
            total + part * target for total, part in zip(self._targets, weighted, strict=True)
        ]
        self._descend()
        self._weight *= 2 ** (1 / TOKEN_HALF_LIFE)
        if self._weight > WEIGHT_MAX:
            self._scale_back()

    def _descend(self) -> None:
        costs = self._costs
        for n, cost in enumerate(COSTS.values()):
            sums, prior = self._products[n], PRIOR_WEIGHTS[n] * self._weight
            gap = self._targets[n] - sum(map(mul, sums, costs))
            gap += prior * (cost.first - costs[n])
            costs[n] = min(max(costs[n] + gap / (sums[n] + prior), 0.0), cost.tokens_max)

    def _scale_back(self) -> None:
        self._products = [[total / self._weight for total in sums] for sums in self._products]
        self._targets = [total / self._weight for total in self._targets]
        self._weight = 1.0


@dataclass(slots=True)
class TokenBook:
    """One per process. The models used longest ago give way."""

    models_dropped: int = 0
    reports_refused: int = 0
    _models: OrderedDict[str, TokenModel] = field(default_factory=OrderedDict)
    _unknown: TokenModel = field(default_factory=TokenModel)

    def __len__(self) -> int:
        return len(self._models)

    def estimate(self, model: str, shape: PromptShape) -> int:
        known = self._models.get(model)
        if known is None:
            return self._unknown.estimate(shape)
        self._models.move_to_end(model)
        return known.estimate(shape)

    def learn(self, model: str, shape: PromptShape, prompt_tokens: int) -> None:
        """A report of no tokens, or of more than a prompt can have, is no report."""
        if not 0 < prompt_tokens <= PROMPT_TOKENS_MAX:
            self.reports_refused += 1
            return
        known = self._models.get(model)
        if known is None:
            known = self._models[model] = TokenModel()
            if len(self._models) > TOKEN_MODELS_MAX:
                self._models.popitem(last=False)
                self.models_dropped += 1
        self._models.move_to_end(model)
        known.learn(shape, prompt_tokens)
