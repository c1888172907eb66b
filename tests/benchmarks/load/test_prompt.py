from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load import prompt as module
from benchmarks.load.endpoint import BadLoad
from benchmarks.load.prompt import WORDS, Prompts, Wording, wording_of
from benchmarks.load.schedule import Ask

WORDING = Wording(tokens_per_word=1.25, overhead_tokens=10)


def words(prompts: Prompts, ask: Ask) -> list[str]:
    return prompts.text(ask).split(" ")


@given(st.integers(20, 5_000), st.floats(0.5, 4), st.integers(0, 15))
def test_a_prompt_has_the_wanted_tokens(tokens: int, per_word: float, overhead: int) -> None:
    made = words(Prompts(Wording(per_word, overhead), 1, 0), Ask(0, 0.0, tokens, 1))
    assert abs(len(made) * per_word + overhead - tokens) <= per_word
    assert set(made) <= set(WORDS)


def test_leading_blocks_are_really_shared_and_nothing_else_is() -> None:
    prompts = Prompts(WORDING, 1, block_tokens=100)
    first = words(prompts, Ask(0, 0.0, 410, 1, (7, 8)))
    second = words(prompts, Ask(1, 0.0, 410, 1, (7, 8)))
    other = words(prompts, Ask(2, 0.0, 410, 1, (7, 9)))
    assert len(first) == len(second) == 320
    assert first[:160] == second[:160]
    assert first[160:166] != second[160:166]
    assert first[:80] == other[:80]
    assert first[80:160] != other[80:160]


def test_prompts_are_the_same_for_a_seed_and_differ_between_seeds() -> None:
    ask = Ask(5, 0.0, 300, 1, (1,))
    made = [Prompts(WORDING, seed, 50).text(ask) for seed in (1, 1, 2)]
    assert made[0] == made[1]
    assert made[0][:40] != made[2][:40]


def test_no_two_requests_begin_alike() -> None:
    prompts = Prompts(Wording(), 1, 0)
    starts = {prompts.text(Ask(number, 0.0, 6, 1)) for number in range(2000)}
    assert len(starts) == 2000


def test_blocks_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCKS_KEPT_MAX", 2)
    prompts = Prompts(WORDING, 1, 50)
    texts = [prompts.text(Ask(n, 0.0, 300, 1, (n % 5,))) for n in range(10)]
    assert all(a[:100] == b[:100] for a, b in zip(texts[:5], texts[5:], strict=True))
    assert all(a[:100] != b[:100] for a, b in pairwise(texts))
    assert len(prompts._blocks) == 2


def test_a_tokenizer_counts_for_itself(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: number for number, word in enumerate(WORDS[:40])} | {"[UNK]": 40}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    found = wording_of(tmp_path / "tokenizer.json")
    assert found.tokens_per_word == 1.0
    assert set(found.words) >= set(WORDS[:40])
    with pytest.raises(BadLoad, match="cannot be read"):
        wording_of(tmp_path / "none.json")
