"""Asks the server twice before a run: whether it answers, and how many tokens a word takes.

What is wrong with an address, a key or a server shows here, before any load is sent.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from benchmarks.load.endpoint import BadLoad, Endpoint
from benchmarks.load.prompt import Prompts, Wording
from benchmarks.load.request_row import WHOLE, ErrorKind, Row
from benchmarks.load.request_sender import Sender, open_session
from benchmarks.load.schedule import Ask

LONG_WORDS = (512, 128, 32)  # as many as the context holds
SHORT_SHARE = 8  # the other prompt is this many times shorter
OUTPUT_TOKENS = 4
PROBE_S_MAX = 60.0

_ADVICE = {
    ErrorKind.CONNECT: "cannot be reached: start the server, or mend the address",
    ErrorKind.TIMEOUT: "does not answer: look at its log, or give it time to load its model",
    ErrorKind.HTTP_429: "limits even a single request: ask its operator for a higher limit",
    ErrorKind.HTTP_4XX: "refuses the request: mend --model, --api or --extra-body",
    ErrorKind.HTTP_5XX: "fails: look at its log",
    ErrorKind.BROKEN_STREAM: "does not stream as OpenAI does: is this the address of its API?",
    ErrorKind.NO_USAGE: "does not say in its stream how many tokens it used: turn that on there",
}
_OF_STATUS = {
    401: "refuses the key: put the right one into a variable, and name that with --key-env",
    403: "refuses the key: put the right one into a variable, and name that with --key-env",
    404: "knows no such model or path: mend --model or the address, which mostly ends in /v1",
}


async def probe(endpoint: Endpoint, known: Wording | None = None) -> Wording:
    """``known`` is a tokenizer's; then only the chat template is measured. Raises BadLoad."""
    quick = replace(endpoint, timeout_s=min(PROBE_S_MAX, endpoint.timeout_s))
    async with open_session(quick) as session:
        sender = Sender((quick,), session, time.monotonic())
        plain = Wording() if known is None else replace(known, tokens_per_word=1.0)
        prompts = Prompts(plain, time.time_ns(), 0)

        async def prompt_tokens(number: int, words: int) -> tuple[int, Row]:
            ask = Ask(number, 0.0, words, OUTPUT_TOKENS)
            row = await sender.send(ask, quick.body(prompts.text(ask), OUTPUT_TOKENS), 0.0)
            return row.prompt_tokens or 0, row

        for words in LONG_WORDS:
            long, row = await prompt_tokens(words, words)
            if row.status != 400:
                break
        _check(endpoint, row, sender)
        short, row = await prompt_tokens(0, words // SHORT_SHARE)
        _check(endpoint, row, sender)
    if known is not None:
        overhead = long - words * known.tokens_per_word
        return replace(known, overhead_tokens=max(0, round(overhead)))
    return fitted(long, words, short, words // SHORT_SHARE)


def fitted(long_tokens: int, long_words: int, short_tokens: int, short_words: int) -> Wording:
    per_word = (long_tokens - short_tokens) / (long_words - short_words)
    if per_word <= 0:
        raise BadLoad(
            f"the server counts {long_tokens} tokens for {long_words} words and {short_tokens} for "
            f"{short_words}: its usage cannot be right; give --tokenizer"
        )
    return Wording(per_word, max(0, round(long_tokens - per_word * long_words)))


def probed(endpoint: Endpoint, known: Wording | None = None) -> Wording:
    return asyncio.run(probe(endpoint, known))


def _check(endpoint: Endpoint, row: Row, sender: Sender) -> None:
    if row.error == WHOLE:
        return
    advice = _OF_STATUS.get(row.status, _ADVICE.get(ErrorKind(row.error), "failed"))
    message = " ".join(sender.messages.get(row.error, "").split())
    raise BadLoad(f"{endpoint.url} {advice} ({message})")
