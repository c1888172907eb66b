from __future__ import annotations

import base64
import json
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from models.tiny.tokenizer import read_corpus, train_tokenizer
from scheduler.learned.prompt_tokens import (
    COSTS,
    PROMPT_TOKENS_MAX,
    SAMPLE_BYTES,
    TOKEN_HALF_LIFE,
    TOKEN_MODELS_MAX,
    PromptShape,
    TokenBook,
)
from tests.scheduler import texts

ENGLISH, CODE, CHINESE = texts.english(), texts.code(), texts.chinese()
UNSEEN = [texts.halves(language)[1] for language in (ENGLISH, CODE, CHINESE)]
TEXTS = st.text(max_size=300) | st.text("abz AZ09 .,;\n\t\x7f中文あ。각éж😀", max_size=300)

Count = Callable[[str], int]


def tiny() -> Count:
    tokenizer = train_tokenizer(read_corpus())
    return lambda text: len(tokenizer.encode(text).ids)


def trained_here() -> Count:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = BpeTrainer(vocab_size=8_000, initial_alphabet=alphabet, show_progress=False)
    seen = [text for language in (ENGLISH, CODE, CHINESE) for text in texts.halves(language)[0]]
    tokenizer.train_from_iterator(seen, trainer)
    return lambda text: len(tokenizer.encode(text).ids)


def published() -> Count:
    """A tokenizer of 130,000 tokens that an installed package brings along."""
    tiktoken = pytest.importorskip("tiktoken")
    found = find_spec("mistral_common")
    folders = found.submodule_search_locations if found else None
    files = sorted(Path(next(iter(folders))).glob("data/tekken_*.json")) if folders else []
    if not files:
        pytest.skip("no published tokenizer is installed")
    told = json.loads(files[0].read_text())
    config = told["config"]
    size = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {base64.b64decode(one["token_bytes"]): one["rank"] for one in told["vocab"][:size]}
    tokenizer = tiktoken.Encoding(
        "published", pat_str=config["pattern"], mergeable_ranks=ranks, special_tokens={}
    )
    return lambda text: len(tokenizer.encode_ordinary(text))


def templated(count: Count, text: str, messages: int) -> int:
    return count(text) + 5 * messages + 3


def named(shape: PromptShape) -> dict[str, float]:
    return dict(zip(COSTS, shape.counts, strict=True))


@pytest.mark.parametrize("tokenizer", [tiny, trained_here, published])
def test_after_200_requests_the_error_is_at_most_5_percent(tokenizer: Callable[[], Count]) -> None:
    count, random, book = tokenizer(), Random(4), TokenBook()
    errors = []
    for _ in range(350):
        text, messages = texts.request(random, UNSEEN), random.randint(1, 6)
        shape = PromptShape.of(text, messages)
        told = templated(count, text, messages)
        errors.append(book.estimate("moe", shape) / told - 1)
        book.learn("moe", shape, told)
    judged = errors[200:]
    assert sum(map(abs, judged)) / len(judged) <= 0.05
    assert abs(sum(judged) / len(judged)) <= 0.015
    assert sum(map(abs, errors[:20])) / 20 <= 0.25


@given(TEXTS)
def test_a_short_text_is_counted_character_by_character(text: str) -> None:
    if len(text.encode()) > SAMPLE_BYTES:
        return
    counts = named(PromptShape.of(text, 2))

    def has(test: Callable[[str], bool]) -> int:
        return sum(map(test, text))

    def runs(test: Callable[[str], bool]) -> int:
        return sum(test(char) and not test(before) for before, char in pairwise(" " + text))

    def is_letter(char: str) -> bool:
        return char.isascii() and char.isalpha()

    def is_mark(char: str) -> bool:
        return "!" <= char <= "~" and not char.isalnum()

    lead = [char.encode()[0] for char in text]
    assert counts["lower"] == has(lambda char: "a" <= char <= "z")
    assert counts["upper"] == has(lambda char: "A" <= char <= "Z")
    assert counts["digit"] == has(lambda char: "0" <= char <= "9")
    assert counts["space"] == text.count(" ")
    assert counts["control"] == has(lambda char: char < " " or char == "\x7f")
    assert counts["mark"] == has(is_mark)
    assert counts["word"] == runs(is_letter)
    assert counts["mark_run"] == runs(is_mark)
    assert counts["han"] == sum(0xE4 <= byte <= 0xE9 for byte in lead)
    assert counts["wide"] == sum(byte in (0xE3, 0xEF) for byte in lead)
    assert counts["other"] == has(lambda char: char > "\x7f") - counts["han"] - counts["wide"]
    assert (counts["message"], counts["prompt"]) == (2, 1)


def drawn(random: Random, language: list[str]) -> str:
    text = ""
    while len(text.encode()) < 100_000:  # in no order: a period could fall in with the samples'
        text += random.choice(language)
    return text


@pytest.mark.parametrize("language", [ENGLISH, CODE, CHINESE], ids=["english", "code", "chinese"])
def test_long_texts_are_sampled_evenly(language: list[str]) -> None:
    """One sample of two in a hundred bytes may be off; many together are not."""
    random = Random(1)
    texts = [drawn(random, language) for _ in range(30)]
    shapes = [PromptShape.of(text, 3) for text in texts]
    assert [shape.utf8_bytes for shape in shapes] == [len(text.encode()) for text in texts]
    assert all(shape.counts[-2:] == (3, 1) for shape in shapes)
    parts = [text[n : n + 500] for text in texts for n in range(0, len(text), 500)]
    exact = [sum(many) for many in zip(*(PromptShape.of(p, 0).counts for p in parts), strict=True)]
    sampled = [sum(many) for many in zip(*(shape.counts for shape in shapes), strict=True)]
    all_bytes = sum(shape.utf8_bytes for shape in shapes)
    for count, true in zip(sampled[:-2], exact[:-2], strict=True):
        assert count == pytest.approx(true, rel=0.1, abs=0.01 * all_bytes)


def test_a_text_that_is_no_valid_utf8_is_counted() -> None:
    assert named(PromptShape.of("a\ud800b", 1))["other"] == 1


@given(
    st.lists(st.tuples(TEXTS, st.integers(1, 2_000)), min_size=1, max_size=30),
    st.sampled_from([ENGLISH[0], CODE[0], CHINESE[0], "x" * 40, " " * 40, "!" * 40, "?! " * 20]),
)
def test_more_text_never_takes_fewer_tokens(seen: list[tuple[str, int]], more: str) -> None:
    book = TokenBook()
    for text, told in seen:
        book.learn("moe", PromptShape.of(text, 1), told)
    for text, _ in seen:
        short, long = PromptShape.of(text, 1), PromptShape.of(text + "\n" + more, 1)
        assert 1 <= book.estimate("moe", short) <= book.estimate("moe", long)


def test_what_was_not_seen_for_long_costs_what_is_assumed() -> None:
    book, chinese = TokenBook(), PromptShape.of("中文" * 100, 1)
    assumed = book.estimate("moe", chinese)
    for _ in range(20):
        book.learn("moe", chinese, 3 * assumed)
    assert book.estimate("moe", chinese) > 2 * assumed
    english = PromptShape.of(ENGLISH[0], 1)
    for _ in range(20 * TOKEN_HALF_LIFE):
        book.learn("moe", english, 100)
    assert book.estimate("moe", chinese) < 1.2 * assumed


def learned_from(seed: int, absurd: float = 0.0, requests: int = 60) -> TokenBook:
    """A made-up tokenizer: a token per word, mark and foreign character."""
    random, book = Random(seed), TokenBook()
    for _ in range(requests):
        text = texts.request(random, UNSEEN)
        shape = PromptShape.of(text, 1)
        told = made_up(shape)
        if random.random() < absurd:
            told = random.choice((1, told // 100, told * 100, PROMPT_TOKENS_MAX))
        book.learn("moe", shape, told)
    return book


def made_up(shape: PromptShape) -> int:
    counts = named(shape)
    return round(sum(counts[name] for name in ("word", "mark", "han", "wide", "other", "message")))


def test_absurd_reports_hardly_move_the_estimate() -> None:
    book, random, errors = learned_from(1, absurd=0.03, requests=300), Random(2), []
    for _ in range(100):
        shape = PromptShape.of(texts.request(random, UNSEEN), 1)
        errors.append(abs(book.estimate("moe", shape) / made_up(shape) - 1))
    assert sum(errors) / len(errors) < 0.05


@given(
    st.lists(
        st.tuples(TEXTS, st.integers(0, 10**6), st.integers(-5, 10**12) | st.floats()), max_size=30
    )
)
def test_no_report_makes_an_estimate_impossible(seen: list[tuple[str, int, float]]) -> None:
    book = TokenBook()
    for text, messages, told in seen:
        book.learn("moe", PromptShape.of(text, messages), cast("int", told))
    for text, messages, _ in [*seen, ("", 0, 0), ("x" * 10_000, 1, 0)]:
        assert 1 <= book.estimate("moe", PromptShape.of(text, messages)) <= PROMPT_TOKENS_MAX
    refused = sum(not 0 < told <= PROMPT_TOKENS_MAX for *_, told in seen)
    assert book.reports_refused == refused


def test_a_change_of_the_template_is_followed() -> None:
    book, shape = TokenBook(), PromptShape.of("What is the capital of France?", 1)
    for _ in range(1_000):
        book.learn("moe", shape, 20)
    assert book.estimate("moe", shape) == 20
    for _ in range(4 * TOKEN_HALF_LIFE):
        book.learn("moe", shape, 40)
    assert book.estimate("moe", shape) > 33


def test_weights_do_not_overflow() -> None:
    book, shape = TokenBook(), PromptShape.of("What is the capital of France?", 1)
    for _ in range(TOKEN_HALF_LIFE * 41):
        book.learn("moe", shape, 30)
    assert book.estimate("moe", shape) == 30
    assert book._models["moe"]._weight < 2**40


def test_models_are_apart_and_bounded() -> None:
    book, shape = TokenBook(), PromptShape.of("What is the capital of France?", 1)
    first = book.estimate("moe", shape)
    for n in range(2 * TOKEN_MODELS_MAX):
        book.learn("used", shape, 90)
        book.learn(f"model {n}", shape, 30)
    assert len(book) == TOKEN_MODELS_MAX
    assert book.models_dropped == TOKEN_MODELS_MAX + 1
    assert book.estimate("used", shape) == pytest.approx(90, abs=2)
    assert book.estimate("moe", shape) == first


def test_the_same_reports_give_the_same_estimates() -> None:
    shape = PromptShape.of(CHINESE[0] + CODE[0], 3)
    assert learned_from(3).estimate("moe", shape) == learned_from(3).estimate("moe", shape)


def test_no_report_drives_a_cost_beyond_its_most() -> None:
    """Ten tokens a letter: more than any tokenizer takes, so the reports are wrong."""
    book, shape = TokenBook(), PromptShape.of("a" * 2_000, 1)
    for _ in range(300):
        book.learn("m", shape, 20_000)
    each = zip(COSTS.values(), shape.counts, strict=True)
    most = [cost.tokens_max * count for cost, count in each]
    assert most[0] < book.estimate("m", shape) <= sum(most)
