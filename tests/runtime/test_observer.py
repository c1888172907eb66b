"""What a gateway tells its observers, and what each of them has to keep: add a new one to
``OBSERVERS``."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from runtime.engine.fault_script import Fault, Script
from runtime.errors import InvalidApiKey, QueueFull
from runtime.observer import Observer, Observers, Sample
from runtime.observers.gateway_series import PrometheusMetrics
from runtime.observers.spans import OpenTelemetrySpans
from runtime.request.job import Job
from runtime.request.request_record import RequestRecord
from runtime.request_limits import refusals
from scheduler.decision import Buy, Dispatch, Reason, Refusal, Reject, Verdict
from scheduler.settings import Settings
from scheduler.state_machine import Scheduler
from tests.runtime.jobs import made_job
from tests.runtime.ledger.samples import reserve, settle
from tests.runtime.observers.witness import Witness
from tests.runtime.parts import Stack, chat, stack, until
from tests.runtime.wire.bodies import chat as parsed_chat
from tests.scheduler.given import at_offer, local

OBSERVERS: list[Callable[[], Observer]] = [
    PrometheusMetrics,
    OpenTelemetrySpans,
    lambda: OpenTelemetrySpans(tracer=TracerProvider().get_tracer("test")),
    Witness,
]
EVENTS = [name for name in vars(Observer) if name[0] != "_"]
SHORT = {
    "stream": {"first_token_ms_max": 300, "inter_token_ms_max": 300},
    "queue": {"requests_max": 1, "wait_ms_max": 500},
}
LONG = "word " * 10_000


async def _post(s: Stack, text: str = "hello", **fields: Any) -> int:
    """The status of a request whose answer is read to its end."""
    answer = await s.post(chat(text, **fields))
    await answer.read()
    return answer.status


async def _leaves(s: Stack) -> int:
    answer = await s.post(chat("[fault:hang:2]", stream=True))
    answer.close()
    return answer.status


async def _leaves_early(s: Stack) -> None:
    asking = asyncio.ensure_future(s.post(chat("[fault:hang]", stream=True)))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def _sends(s: Stack, body: bytes, key: str | None = None) -> int:
    headers = {"content-type": "application/json"}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    url = s.url + "/chat/completions"
    async with s.http.post(url, data=body, headers=headers) as answer:
        return answer.status


WAYS: dict[str, Callable[[Stack], Coroutine[Any, Any, int | None]]] = {
    "whole": _post,
    "streamed": lambda s: _post(s, stream=True),
    "breaks off": lambda s: _post(s, "[fault:die:3]", stream=True),
    "fails twice": lambda s: _post(s, "[fault:server_error]"),
    "is busy twice": lambda s: _post(s, "[fault:busy]", stream=True),
    "stalls twice": lambda s: _post(s, "[fault:hang]", stream=True),
    "is rejected": lambda s: _post(s, "[fault:reject]"),
    "leaves": _leaves,
    "leaves early": _leaves_early,
    "has no key": lambda s: _sends(s, b"{}", "wrong"),
    "is no JSON": lambda s: _sends(s, b"{"),
    "wants another model": lambda s: _post(s, model="another"),
    "is too long": lambda s: _post(s, LONG),
}


@settings(max_examples=15)
@given(ways=st.lists(st.sampled_from(sorted(WAYS)), min_size=1, max_size=8))
def test_a_request_is_told_in_order_and_ends_once(ways: list[str]) -> None:
    """Whatever becomes of requests, side by side, at two replicas of one slot each."""
    asyncio.run(_play(ways))


async def _play(ways: list[str]) -> None:
    witness = Witness()
    failed = refusals["observer_failed"]
    with TemporaryDirectory() as folder:
        async with stack(
            Path(folder),
            scripts=[Script(), Script()],
            max_num_seqs=1,
            config=SHORT,
            observers=[witness],
        ) as s:
            statuses = await asyncio.gather(*(WAYS[way](s) for way in ways))
            await s.idle()
            rows = s.rows()
    assert witness.out_of_order() == {}
    assert refusals["observer_failed"] == failed
    ended = sum(told[-1] == "O" for told in witness.told.values())
    assert sum(status == 200 for status in statuses) <= ended
    # Who leaves early does not hear that it was refused.
    unheard = Counter(error.status for error in witness.errors.values())
    unheard.subtract(status for status in statuses if status not in (200, None))
    assert min(unheard.values(), default=0) == 0
    assert unheard.total() <= ways.count("leaves early")
    assert sum(row.attempts for row in rows) == len(witness.settles)
    assert sum(row.cost_nano_usd for row in rows) == sum(
        row.cost_nano_usd for row in witness.settles
    )
    assert all(decision.verdicts for decision in witness.decisions)


async def test_each_event_says_what_was_known_of_it(tmp_path: Path) -> None:
    witness = Witness()
    async with stack(tmp_path, scripts=[Script()], observers=[witness]) as s:
        assert await _post(s, stream=True) == 200
        await s.idle()
        assert await _sends(s, b"{") == 400
        await until(lambda: bool(witness.samples and witness.samples[-1].snapshot.replicas))
        row = s.row()
    first, second = witness.told
    assert (witness.told[first], witness.told[second]) == ("ADRFEO", "X")
    (decision,), (reserved,), (settled,) = witness.decisions, witness.reserves, witness.settles
    assert decision.verdicts == (Verdict(local("r1"), None),)
    assert (reserved.request_id, reserved.target) == (first, "local:r1")
    assert (settled.cost_nano_usd, settled.outcome) == (row.cost_nano_usd, "ok")


async def test_a_request_that_no_target_may_take_is_refused_with_the_verdicts(
    tmp_path: Path,
) -> None:
    witness = Witness()
    broken = [Script(fault=Fault.SERVER_ERROR)]
    soon = {"queue": {"wait_ms_max": 300}}
    async with stack(tmp_path, scripts=broken, config=soon, observers=[witness]) as s:
        assert await _post(s) == 502
        await s.idle()
    (told,) = witness.told.values()
    assert told == "ADREJX"
    assert isinstance(witness.decisions[1], Reject)
    assert witness.decisions[1].verdicts == (Verdict(local("r1"), Refusal.EXCLUDED),)


def clumsy() -> Observer:
    """Each of its methods fails."""

    def failing(event: str) -> Callable[..., None]:
        def method(self: Observer, *told: object) -> None:
            raise ValueError("clumsy")

        method.__qualname__ = f"Clumsy.{event}"
        return method

    made: Observer = type("Clumsy", (Observer,), {event: failing(event) for event in EVENTS})()
    return made


async def test_an_observer_that_fails_hurts_no_request_and_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    witness = Witness()
    failed = refusals["observer_failed"]
    async with stack(tmp_path, observers=[clumsy(), witness]) as s:
        for text in ("hello", "hello", "[fault:other_model]"):
            assert await _post(s, text, stream=True) == 200
        assert await _sends(s, b"{") == 400
        await s.idle()
        await until(lambda: bool(witness.samples))
        assert {row.outcome for row in s.rows()} == {"ok"}
    assert sorted(witness.told.values()) == ["ADRFEO", "ADRFEO", "ADRFEO", "X"]
    lines = [each.getMessage() for each in caplog.records if each.name == "baseload.observer"]
    assert sorted(line.split()[0] for line in lines) == sorted(f"Clumsy.{e}" for e in EVENTS)
    assert refusals["observer_failed"] - failed >= 3 * 6 + 2
    assert "ValueError: clumsy" in caplog.text


def test_only_failures_end_here() -> None:
    class Stopped(Observer):
        def ended(self, job: Job) -> None:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        Observers([Stopped()]).ended(made_job(parsed_chat()))


def test_who_does_not_want_to_know_of_an_event_is_not_asked() -> None:
    class Counts(Observer):
        times = 0

        def ended(self, job: Job) -> None:
            self.times += 1

    counts, job = Counts(), made_job(parsed_chat())
    observers = Observers([counts])
    observers.accepted(job)
    observers.ended(job)
    assert counts.times == 1
    assert observers._accepted == ()


# What every observer has to keep


class WeakJob(Job):
    """A job of which can be told whether it is still held."""


def _weak_job() -> WeakJob:
    job = made_job(parsed_chat())
    return WeakJob(**{each.name: getattr(job, each.name) for each in fields(Job)})


@pytest.mark.parametrize("made", OBSERVERS)
@pytest.mark.parametrize(
    "decision",
    [Dispatch("r", local("r1"), Reason.HELD), Buy("r", at_offer("v/m"), Reason.SPILL_PRICE)],
)
def test_an_observer_takes_every_event_and_keeps_nothing_of_a_request_that_is_over(
    made: Callable[[], Observer], decision: Dispatch | Buy
) -> None:
    observer, job = made(), _weak_job()
    observer.accepted(job)
    for number in (1, 2):
        observer.decided(job.arrival, decision)
        observer.reserved(job, reserve("r", attempt=number))
        observer.attempt_ended(job, decision, settle("r", attempt=number, ttft_ms=None))
    observer.decided(job.arrival, decision)
    observer.reserved(job, reserve("r", attempt=3))
    observer.first_token(job, 0)
    observer.attempt_ended(job, decision, settle("r", attempt=3))
    observer.ended(job)
    held, job = weakref.ref(job), _weak_job()
    gc.collect()
    assert held() is None
    observer.accepted(job)
    observer.decided(job.arrival, Reject("r", Reason.QUEUE_FULL, 1))
    observer.refused(job.record, QueueFull())
    held = weakref.ref(job)
    del job
    gc.collect()
    assert held() is None


@pytest.mark.parametrize("made", OBSERVERS)
def test_an_observer_takes_what_the_edge_turns_away_and_samples(
    made: Callable[[], Observer],
) -> None:
    observer = made()
    observer.refused(RequestRecord("r"), InvalidApiKey())
    observer.sampled(Sample(Scheduler(Settings()).snapshot(0.0), {}, {}, False, 0.0))
