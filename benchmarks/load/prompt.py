"""Prompts of a wanted number of tokens, for any tokenizer, with prefixes that are really shared.

A prompt is common words. How many tokens a word takes is measured, by the server's own usage or
with a tokenizer file. Requests with the same leading blocks have the same leading text; what
follows is drawn for each request, so that nothing else is found in a prefix cache.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.load.endpoint import BadLoad
from benchmarks.load.schedule import Ask

_COMMON = (
    "the of and to in is it you that he was for on are with as his they be at one have this from "
    "or had by hot but some what there we can out other were all your when up use word how said "
    "an each she which do their time if will way about many then them would like so these her "
    "long make thing see him two has look more day could go come did my sound no most number who "
    "over know water than call first people may down side been now find"
)
WORDS = tuple(_COMMON.split())
FRESH_WORDS = 6  # at the start of what is a request's own: enough that no two begin alike
POOL_WORDS = 1 << 15
BLOCKS_KEPT_MAX = 4_096
WORDS_KEPT_MIN = 16


@dataclass(frozen=True, slots=True)
class Wording:
    """``overhead_tokens`` is what the server's chat template adds."""

    tokens_per_word: float = 1.0
    overhead_tokens: int = 0
    words: tuple[str, ...] = WORDS
    separator: str = " "

    def count(self, tokens: int) -> int:
        """How many words make so many tokens."""
        return round(tokens / self.tokens_per_word)


class Prompts:
    """The text of each request of a run."""

    def __init__(self, wording: Wording, seed: int, block_tokens: int) -> None:
        self._wording = wording
        self._seed = seed
        self._block_words = wording.count(block_tokens)
        self._pool = Random(f"{seed}:pool").choices(wording.words, k=POOL_WORDS)
        self._blocks: OrderedDict[int, str] = OrderedDict()

    def text(self, ask: Ask) -> str:
        wording = self._wording
        words = wording.count(ask.prompt_tokens - wording.overhead_tokens)
        own = max(1, words - len(ask.blocks) * self._block_words)
        blocks = (self._block(block) for block in ask.blocks)
        return wording.separator.join([*blocks, self._own(ask.number, own)])

    def _block(self, block: int) -> str:
        text = self._blocks.pop(block, None)
        if text is None:
            random = Random(f"{self._seed}:block:{block}")
            drawn = random.choices(self._wording.words, k=self._block_words)
            text = self._wording.separator.join(drawn)
            if len(self._blocks) >= BLOCKS_KEPT_MAX:
                self._blocks.popitem(last=False)
        self._blocks[block] = text
        return text

    def _own(self, number: int, words: int) -> str:
        """A stretch of the pool behind words of its own: drawing each word would cost too much."""
        random = Random(f"{self._seed}:own:{number}")
        drawn = random.choices(self._wording.words, k=min(words, FRESH_WORDS))
        while (missing := words - len(drawn)) > 0:
            start = random.randrange(POOL_WORDS)
            drawn += self._pool[start : start + missing]
        return self._wording.separator.join(drawn)


def wording_of(tokenizer: Path) -> Wording:
    """The words that are one token each by a tokenizer.json, where there are enough of them."""
    from tokenizers import Tokenizer  # slow to import, and only needed here

    try:
        known = Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # noqa: BLE001 -- the library raises nothing narrower
        raise BadLoad(f"--tokenizer {tokenizer}: cannot be read ({error})") from None

    def tokens(text: str) -> int:
        return len(known.encode(text, add_special_tokens=False).ids)

    single = tuple(word for word in WORDS if tokens(f"the {word}") - tokens("the") == 1)
    words = single if len(single) >= WORDS_KEPT_MIN else WORDS
    sample = Random("sample").choices(words, k=1024)
    return Wording(tokens(" ".join(sample)) / len(sample), 0, words)
