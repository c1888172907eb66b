"""Prompts as people write them, by somebody who had not seen how languages are told apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runtime.detect.language import language_of, language_of_locale

PROMPTS: dict[str, list[str]] = yaml.safe_load(
    (Path(__file__).parent / "prompts_by_language.yaml").read_text()
)
RIGHT_MIN = 0.9


@pytest.mark.parametrize("language", PROMPTS)
def test_nine_of_ten_prompts_are_told(language: str) -> None:
    prompts = PROMPTS[language]
    wrong = [prompt for prompt in prompts if language_of([prompt]) != language]
    assert len(wrong) <= (1 - RIGHT_MIN) * len(prompts), wrong


def test_what_is_asked_now_counts() -> None:
    assert language_of(["You are a helpful assistant.", "这个函数是做什么的?"]) == "zh"
    assert language_of(["请翻译下面的句子。", "Where is the station?"]) == "en"
    assert language_of(["What is this?", "   "]) == "en"


@pytest.mark.parametrize("text", ["", "12345 67", "!!! ??"])
def test_no_words_no_language(text: str) -> None:
    assert language_of([text]) is None


def test_other_languages_are_asked_of_the_model() -> None:
    assert language_of(["Où est la bibliothèque la plus proche de chez moi ?"]) == "fr"
    assert language_of(["Где находится ближайшая библиотека?"]) == "ru"


def test_nothing_is_downloaded() -> None:
    """The model is in the package: a fresh process without a network tells what it knows."""
    offline = (
        "import socket\n"
        "def refuse(*where): raise AssertionError(f'asked for {where}')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from runtime.detect.language import language_of\n"
        "print(language_of(['Où est la bibliothèque la plus proche de chez moi ?']))\n"
    )
    found = subprocess.run([sys.executable, "-c", offline], capture_output=True, text=True)
    assert (found.stdout.strip(), found.stderr) == ("fr", "")


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("zh", "zh"), ("zh-CN", "zh"), ("ZH-Hant-HK", "zh"), ("cmn-Hans", "zh"), ("zh-yue", "yue"),
        ("yue-HK", "yue"), ("ms-MY", "ms-id"), ("id", "ms-id"), ("en-GB", "en"), ("pt-BR", "pt"),
    ],
)  # fmt: skip
def test_what_a_caller_says_is_of_the_same_classes(locale: str, language: str) -> None:
    assert language_of_locale(locale) == language
