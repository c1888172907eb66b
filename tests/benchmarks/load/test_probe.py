from __future__ import annotations

import pytest

from benchmarks.load.endpoint import BadLoad, Endpoint
from benchmarks.load.probe import fitted, probe
from benchmarks.load.prompt import Wording
from tests.benchmarks.load.scripted import KEY, TEMPLATE_TOKENS, Script, upstream


async def found(script: Script, known: Wording | None = None, key: str | None = None) -> Wording:
    async with upstream(script) as url:
        return await probe(Endpoint(url, "m", key=key), known)


async def test_the_server_itself_tells_how_long_words_are() -> None:
    script = Script()
    wording = await found(script)
    assert wording.tokens_per_word == 1.0
    assert wording.overhead_tokens == TEMPLATE_TOKENS
    assert [len(prompt.split()) for prompt in script.prompts] == [512, 64]


async def test_with_a_tokenizer_only_the_template_is_measured() -> None:
    wording = await found(Script(), Wording(1.0))
    assert wording == Wording(1.0, TEMPLATE_TOKENS)


async def test_a_small_context_is_asked_for_less() -> None:
    script = Script(status=400, healthy_requests=0)
    with pytest.raises(BadLoad, match="400"):
        await found(script)
    assert [len(prompt.split()) for prompt in script.prompts] == [512, 128, 32]


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (Script(status=500, says="out of memory"), "look at its log.*500 out of memory"),
        (Script(status=404, says="no model x"), "mend --model or the address.*no model x"),
        (Script(status=429), "limits even a single request"),
        (Script(status=422), "--extra-body"),
        (Script(needs_key=True), "--key-env"),
        (Script(has_usage=False), "how many tokens it used"),
        (Script(is_cut=True), "does not stream as OpenAI does"),
    ],
)
async def test_what_is_wrong_is_told_before_any_load(script: Script, says: str) -> None:
    with pytest.raises(BadLoad, match=says) as error:
        await found(script)
    assert len(str(error.value).splitlines()) == 1
    assert len(script.bodies) <= 3


async def test_nobody_there() -> None:
    with pytest.raises(BadLoad, match="cannot be reached: start the server"):
        await probe(Endpoint("http://127.0.0.1:9/v1", "m"))


async def test_the_right_key_opens() -> None:
    assert await found(Script(needs_key=True), key=KEY)


def test_usage_that_cannot_be_right_is_refused() -> None:
    assert fitted(655, 512, 95, 64) == Wording(1.25, 15)
    with pytest.raises(BadLoad, match="give --tokenizer"):
        fitted(100, 512, 100, 64)
