"""The check before any engine compiles: with compilers that are slow, that die, that lie."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.errors import BadRequest, QueueFull
from runtime.grammar import compile_check
from runtime.grammar.compile_check import CompileVerdict, GrammarCheck
from runtime.grammar.constraint import Constraint
from runtime.request_limits import LIMITS, refusals

# Answers each question by its text, and notes it in a file beside itself.
COMPILER = """
import json, pathlib, sys, time
asked = pathlib.Path(__file__).with_suffix(".asked")
print("{}", flush=True)
for line in sys.stdin:
    text = json.loads(line)["text"]
    with asked.open("a") as file:
        file.write(text + "\\n")
    if text == "die":
        sys.exit(1)
    if text == "hang":
        time.sleep(60)
    if text == "lie":
        print("not json", flush=True)
        continue
    bad = text.startswith("bad")
    fault, index = "is not understood" if bad else None, 1 if text == "bad 1" else None
    loosened = ["pattern"] if text == "loose" else []
    told = {"fault": fault, "pattern": index, "loosened": loosened}
    told |= {"at": ["items", 2]} if text == "bad at" else {}
    told |= {"cpu_s": 4.0} if text.startswith("slow") else {}
    print(json.dumps(told), flush=True)
"""


class Asking:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "compiler.py"
        self.file.write_text(COMPILER)
        self.check = GrammarCheck(self.file)

    @property
    def asked(self) -> list[str]:
        told = self.file.with_suffix(".asked")
        return told.read_text().split("\n")[:-1] if told.exists() else []

    async def ask(self, text: str, tenant: str = "acme") -> CompileVerdict:
        return await self.check.check(constraint(text), tenant)


def constraint(text: str) -> Constraint:
    patterns = ((("properties", "a", "pattern"), "x"), (("properties", "b", "pattern"), "y"))
    return Constraint("json", text, ("response_format", "json_schema", "schema"), patterns)


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    asking = Asking(tmp_path)
    yield asking
    asking.check.close()


async def test_a_verdict_is_asked_for_once(asking: Asking) -> None:
    both = await asyncio.gather(asking.ask("good"), asking.ask("good", "other"))
    assert list(both) == [CompileVerdict(), CompileVerdict()]
    assert await asking.ask("good") == CompileVerdict()
    assert asking.asked == ["good"]


async def test_a_fault_is_told_at_its_place_and_kept(asking: Asking) -> None:
    before = refusals["grammar"]
    for _ in range(2):
        with pytest.raises(BadRequest) as caught:
            await asking.ask("bad 1")
        at = "response_format.json_schema.schema.properties.b.pattern"
        assert (caught.value.param, caught.value.message) == (at, f"`{at}` is not understood.")
    with pytest.raises(BadRequest) as caught:
        await asking.ask("bad")
    assert caught.value.param == "response_format.json_schema.schema"
    with pytest.raises(BadRequest) as caught:
        await asking.ask("bad at")
    assert caught.value.param == "response_format.json_schema.schema.items[2]"
    assert asking.asked == ["bad 1", "bad", "bad at"]
    assert refusals["grammar"] == before + 3


async def test_what_is_held_in_part_is_named(asking: Asking) -> None:
    constraints = [constraint("good"), constraint("loose")]
    named = await asking.check.loosened(constraints, "acme")
    assert named == ["response_format.json_schema.schema.pattern"]


async def test_what_is_slow_only_together_is_refused_before_the_rest_is_asked(
    asking: Asking,
) -> None:
    slow = [constraint(f"slow {number}") for number in range(5)]
    assert await asking.check.loosened(slow[:2], "acme") == []
    before = refusals["grammar"]
    with pytest.raises(BadRequest, match="with what is before it, more than 10 s") as caught:
        await asking.check.loosened(slow, "acme")
    assert caught.value.param == "response_format.json_schema.schema"
    assert asking.asked == ["slow 0", "slow 1", "slow 2"]
    assert refusals["grammar"] == before + 1


@pytest.mark.parametrize("fate", ["die", "lie", "hang"])
async def test_a_compiler_that_fails_is_replaced_and_its_verdict_not_kept(
    asking: Asking, fate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await asking.ask("good") == CompileVerdict()
    with monkeypatch.context() as patched:
        if fate == "hang":
            patched.setattr(compile_check, "ANSWER_S_MAX", 0.05)
        with pytest.raises(BadRequest) as caught:
            await asking.ask(fate)
    assert "cannot be checked" in caught.value.message
    assert await asking.ask("good 2") == CompileVerdict()
    with monkeypatch.context() as patched:
        patched.setattr(compile_check, "ANSWER_S_MAX", 0.05 if fate == "hang" else 60)
        with pytest.raises(BadRequest):
            await asking.ask(fate)
    assert asking.asked == ["good", fate, "good 2", fate]


async def test_without_a_compiler_regular_expressions_are_refused(tmp_path: Path) -> None:
    missing = GrammarCheck(tmp_path / "none.py")
    with pytest.raises(BadRequest) as caught:
        await missing.check(constraint("good"), "acme")
    assert "cannot be checked on this server" in caught.value.message
    missing.close()


async def test_a_tenant_has_only_a_few_waiting_and_takes_no_turn_of_others(asking: Asking) -> None:
    await asking.ask("good")
    hung = [asyncio.create_task(asking.ask("hang"))]
    await asyncio.sleep(0)
    waiting = [
        asyncio.create_task(asking.ask(f"good {number}"))
        for number in range(1, LIMITS.grammars_waiting_max)
    ]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await asking.ask("one more")
    other = asyncio.create_task(asking.ask("others", "other"))
    await asyncio.sleep(0)
    assert not other.done()
    assert await asking.ask("good") == CompileVerdict()  # what is known waits for nobody
    asking.check.close()
    told = await asyncio.gather(*hung, *waiting, other, return_exceptions=True)
    assert all(isinstance(each, BadRequest) for each in told)


async def test_who_leaves_takes_no_verdict_from_others(asking: Asking) -> None:
    await asking.ask("good")
    left = asyncio.create_task(asking.ask("good 2"))
    stays = asyncio.create_task(asking.ask("good 2"))
    await asyncio.sleep(0)
    left.cancel()
    assert await stays == CompileVerdict()
    assert left.cancelled() or left.cancelling()


async def test_old_verdicts_make_room(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    small = type(LIMITS)(grammars_kept_max=2)
    monkeypatch.setattr(compile_check, "LIMITS", small)
    for text in ("good 1", "good 2", "good 1", "good 3", "good 1", "good 2"):
        await asking.ask(text)
    assert asking.asked == ["good 1", "good 2", "good 3", "good 2"]
