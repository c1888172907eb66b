"""The most that a request can be billed for, whatever tokenizer counts it: what caps count.

An estimate is right on average, and a cap that trusts one is passed by the first prompt of rare
signs. No token of a text is shorter than a byte, and every text that a target gets stands in the
request's body, where it is never shorter than in UTF-8. So the body's bytes are more tokens than
any honest target can count; what a template adds for each message, its keys and quotes outweigh.
"""

from __future__ import annotations

from unicodedata import is_normalized

from runtime.wire.model_request import ModelRequest
from scheduler.arrival import Worst

# A template's own text: a system prompt that it puts in, how it explains the use of tools.
TEMPLATE_TOKENS_MAX = 512
# Some tokenizers compose text first (NFC), which can make it so many times as long in UTF-8.
NFC_TIMES_MAX = 3


def worst_case(request: ModelRequest, text: str, body: bytes) -> Worst:
    """``text`` is all of the request's texts, as they stand in its ``body``."""
    # An escape of six bytes is at most three in UTF-8; behind two backslashes it may be none.
    if escapes := body.count(b"\\u"):
        escapes -= body.count(b"\\\\u")
    tokens = len(body) - 3 * escapes + TEMPLATE_TOKENS_MAX
    if not text.isascii() and not is_normalized("NFC", text):
        tokens += (NFC_TIMES_MAX - 1) * len(text.encode("utf-8", "surrogatepass"))
    return Worst(tokens, request.choices, request.answer_tokens_max)
