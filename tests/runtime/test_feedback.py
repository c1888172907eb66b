"""What callers say of answers: kept, learned by every gateway, and never above the law."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.config import load_config
from runtime.edge.auth import KeyRing, hash_key
from runtime.engine.fault_script import Fault, Script
from runtime.gateway import Gateway
from runtime.request_limits import LIMITS, refusals
from tests.runtime.hand import Hand
from tests.runtime.parts import KEY, MODEL, Stack, chat, stack, until
from tests.runtime.test_compliance import AT_HOME, EMAIL, terms
from tests.runtime.test_rules import HERE, OTHER, answered, rules
from tests.runtime.test_shared_time import successor

DAY_S = 86_400
BAD, GOOD = 0.0, 1.0
FLOOR = rules(quality_floor=0.6)
ENGLISH = "what is the weather like in the north of the country"


async def judged(s: Stack, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = await s.post(body, path="/feedback")
    return answer.status, await answer.json()


async def answered_and_judged(s: Stack, score: float, times: int = 1) -> str:
    """The model that answered the last of them."""
    model = ""
    for _ in range(times):
        told = await answered(s, messages=[{"role": "user", "content": ENGLISH}])
        model = told["x-baseload-model"]
        status, said = await judged(s, {"request_id": told["x-request-id"], "score": score})
        assert (status, said["model"], said["score"]) == (200, model, score)
        await learned(s.gateway)
    return model


async def learned(gateway: Gateway) -> None:
    await gateway.learning.learn(gateway.routing)


def seen(gateway: Gateway, model: str, language: str = "en") -> float:
    return gateway.learning.table.quality(model, "help", language).observations


async def test_an_answer_is_judged_by_its_id_and_the_task_and_language_are_its_own(
    tmp_path: Path,
) -> None:
    async with stack(tmp_path, others=HERE, config=rules()) as s:
        told = await answered(s, messages=[{"role": "user", "content": ENGLISH}])
        status, said = await judged(s, {"request_id": told["x-request-id"], "success": True})
        assert (status, said) == (
            200,
            {
                "object": "feedback",
                "request_id": told["x-request-id"],
                "model": MODEL,
                "task": "help",
                "language": "en",
                "score": 1.0,
            },
        )
        await learned(s.gateway)
        assert seen(s.gateway, MODEL) == 1
        assert b"weather" not in s.ledger.read_bytes()


async def test_a_named_model_is_judged_for_the_task_and_language_that_were_said(
    tmp_path: Path,
) -> None:
    async with stack(tmp_path, others=HERE, config=rules()) as s:
        named = await s.post(chat(), X_Baseload_Task="help", X_Baseload_Locale="zh-CN")
        _, said = await judged(s, {"request_id": named.headers["x-request-id"], "score": 0.5})
        assert (said["task"], said["language"]) == ("help", "zh")
        invented = await s.post(chat(), X_Baseload_Task="no-such-task")
        _, said = await judged(s, {"request_id": invented.headers["x-request-id"], "score": 0.5})
        assert (said["task"], said["language"]) == ("", "")


async def test_the_first_word_counts_and_may_be_sent_again(tmp_path: Path) -> None:
    async with stack(tmp_path, others=HERE, config=rules()) as s:
        request_id = (await answered(s))["x-request-id"]
        first = await judged(s, {"request_id": request_id, "success": False})
        again = await judged(s, {"requestId": request_id, "score": 0})
        assert first == again
        status, error = await judged(s, {"request_id": request_id, "score": 0.1})
        assert (status, error["error"]["code"]) == (409, "feedback_exists")
        await learned(s.gateway)
        assert sum(row.quality.observations for row in s.gateway.learning.seen.standings) > 0
        table = s.gateway.learning.table
        assert table.over_languages(MODEL, "help").observations == 1


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"score": 1}, 400, "request_id"),
        ({"request_id": "x"}, 400, "Send `score`"),
        ({"request_id": "x", "score": 1, "success": True}, 400, "not both"),
        ({"request_id": "x", "score": 1.01}, 400, "at most 1"),
        ({"request_id": "x", "score": -0.5}, 400, "at least 0"),
        ({"request_id": "x", "score": "1"}, 400, "must be a number"),
        ({"request_id": "x", "score": True}, 400, "must be a number"),
        ({"request_id": "x", "success": 1}, 400, "true or false"),
        ({"request_id": 7, "score": 1}, 400, "must be a string"),
        ({"request_id": "", "score": 1}, 400, "at least 1 character"),
        ({"request_id": "x", "score": 1, "comment": "well"}, 400, "no field `comment`"),
        ({"request_id": "x" * LIMITS.feedback_bytes_max, "score": 1}, 413, "at most"),
        ({"request_id": "req-unknown", "score": 1, "comment": None}, 404, "x-request-id"),
    ],
)
async def test_bodies_are_strict(
    tmp_path: Path, body: dict[str, Any], status: int, says: str
) -> None:
    async with stack(tmp_path) as s:
        found, told = await judged(s, body)
        assert (found, says in told["error"]["message"]) == (status, True), told


async def test_what_no_model_has_answered_cannot_be_judged(tmp_path: Path) -> None:
    refuses = (Script(fault=Fault.SERVER_ERROR),)
    once = {"stream": {"attempts_max": 1}}
    async with stack(tmp_path, scripts=refuses, config=once) as s:
        failed = await s.post(chat())
        assert failed.status >= 500
        request_id = failed.headers["x-request-id"]
        status, told = await judged(s, {"request_id": request_id, "success": False})
        assert (status, told["error"]["code"]) == (409, "nothing_to_judge")


async def test_the_model_that_stood_in_is_the_one_that_is_judged(tmp_path: Path) -> None:
    refuses = (Script(fault=Fault.SERVER_ERROR),)
    async with stack(tmp_path, scripts=refuses, others=HERE, config=rules()) as s:
        assert await answered_and_judged(s, GOOD) == OTHER
        assert seen(s.gateway, MODEL) == 0  # that it failed is the breaker's to know
        assert seen(s.gateway, OTHER) == 1


async def test_another_tenants_request_is_not_known(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        request_id = (await s.post(chat())).headers["x-request-id"]
        async with rival(s):
            status, told = await judged(s, {"request_id": request_id, "score": 1})
        unknown = await judged(s, {"request_id": "req-unknown", "score": 1})
        assert (status, told) == unknown
        assert unknown[0] == 404
        assert (await judged(s, {"request_id": request_id, "score": 1}))[0] == 200


@asynccontextmanager
async def rival(s: Stack) -> AsyncIterator[None]:
    """The same key is another tenant's for a while."""
    s.edge.open(s.gateway, KeyRing({"rival": [hash_key(KEY)]}), s.metrics_server)
    yield
    s.edge.open(s.gateway, KeyRing({"acme": [hash_key(KEY)]}), s.metrics_server)


async def test_bad_answers_demote_a_model_and_time_brings_it_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "baseload.quality")
    hand = Hand()
    async with stack(tmp_path, others=HERE, config=FLOOR, clock=hand.clock) as s:
        assert await answered_and_judged(s, BAD, times=5) == MODEL
        assert f"{MODEL} is below its floor of 0.6 for task help in en" in caplog.text
        assert await answered_and_judged(s, GOOD, times=5) == OTHER
        assert seen(s.gateway, MODEL) == 5
        hand.move(s, DAY_S)
        await learned(s.gateway)
        assert seen(s.gateway, MODEL) == pytest.approx(5 * 0.5 ** (1 / 7))
        assert f"{MODEL} is no longer below" in caplog.text
        assert s.gateway.learning.seen.demotions == {("help", MODEL): 1}


async def test_it_is_learned_by_other_gateways_and_after_a_restart(tmp_path: Path) -> None:
    async with (
        stack(tmp_path, others=HERE, config=FLOOR) as s,
        successor(s, load_config(FLOOR)) as (beside, _),
    ):
        assert seen(beside, MODEL) == 0
        await answered_and_judged(s, BAD, times=5)
        await learned(beside)
        assert seen(beside, MODEL) == seen(s.gateway, MODEL) == 5
        await learned(beside)  # and nothing twice
        assert seen(beside, MODEL) == 5
    async with stack(tmp_path, others=HERE, config=FLOOR) as s:
        assert seen(s.gateway, MODEL) > 4
        told = await answered(s, messages=[{"role": "user", "content": ENGLISH}])
        assert told["x-baseload-model"] == OTHER


async def test_a_late_word_reaches_another_gateway(tmp_path: Path) -> None:
    async with stack(tmp_path, others=HERE, config=rules()) as s:
        request_id = (await answered(s))["x-request-id"]
        async with successor(s, load_config(rules())) as (_, chat_url):
            url = chat_url.replace("/chat/completions", "/feedback")
            body = {"request_id": request_id, "score": 0.25}
            async with s.http.post(url, json=body) as answer:
                assert (answer.status, (await answer.json())["model"]) == (200, MODEL)
            await learned(s.gateway)
            assert s.gateway.learning.table.over_languages(MODEL, "help").observations == 1


async def test_no_feedback_sends_personal_data_abroad(tmp_path: Path) -> None:
    tenants = {"acme": {"key_sha256": ["0" * 64], "home": "cn"}}
    config = rules(candidates=[MODEL, "moe-abroad"], quality_floor=0.6) | {
        "tenants": tenants,
        "compliance": {"packs": ["pipl"], "own": AT_HOME},
    }
    abroad = terms({"inference_jurisdictions": ["us"], "storage_regions": ["us"]})
    sells = abroad | {"offers": {"moe-abroad": MODEL}}
    async with stack(tmp_path, sells=True, config=config, terms=sells) as s:
        assert await answered_and_judged(s, BAD, times=5) == MODEL
        assert await answered_and_judged(s, GOOD, times=2) == "moe-abroad"
        asked = len(s.vendor.engine.asked)
        private = f"{ENGLISH} {EMAIL}"
        home = await s.post(chat(private) | {"model": "auto"}, X_Baseload_Task="help")
        assert (home.status, (await home.json())["error"]["code"]) == (403, "no_compliant_target")
        assert len(s.vendor.engine.asked) == asked


async def test_operators_see_the_table(tmp_path: Path) -> None:
    admin = {"tenants": {"acme": {"key_sha256": ["0" * 64], "is_admin": True}}}
    async with stack(tmp_path, others=HERE, config=FLOOR | admin) as s:
        await answered_and_judged(s, GOOD)
        await answered_and_judged(s, BAD, times=7)
        async with s.http.get(f"{s.url}/config") as answer:
            shown = (await answer.json())["quality"]
        found = [
            (each["model"], each["task"], each["language"], each["observations"])
            for each in shown
            if each["rule"] == "help" and each["is_demoted"]
        ]
        assert found == [(MODEL, "help", "en", pytest.approx(6, abs=2))]
        assert all(each["floor"] == 0.6 for each in shown)
        here = {"model": MODEL, "task": "help"}
        series = s.metrics.registry.get_sample_value
        await until(lambda: series("baseload_demoted", {"rule": "help", "model": MODEL}) == 1)
        assert series("baseload_demoted", {"rule": "help", "model": OTHER}) == 0
        assert series("baseload_demotions", {"rule": "help", "model": MODEL}) == 1
        lower, mean, upper = (
            series("baseload_quality_ratio", here | {"bound": each}) or 0
            for each in ("lower", "mean", "upper")
        )
        assert 0 < lower < mean < upper < 1
        assert series("baseload_quality_results", here) == found[0][3]


async def test_feedback_counts_as_a_request_of_its_tenant(tmp_path: Path) -> None:
    limit = {"tenants": {"acme": {"key_sha256": [hash_key(KEY)], "requests_per_min_max": 2}}}
    async with stack(tmp_path, config=limit) as s:
        told = await s.post(chat())
        judgement = {"request_id": told.headers["x-request-id"], "score": 1}
        answer = await s.post(judgement, path="/feedback")
        assert answer.status == 200, await answer.text()
        status, said = await judged(s, judgement)
        assert (status, said["error"]["code"]) == (429, "tenant_limit_reached")
        (use,) = s.edge.tenant_limiter._uses.values()
        assert use.in_flight == 0


async def test_no_more_of_a_body_is_read_than_feedback_may_have(tmp_path: Path) -> None:
    async def long() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b" " * 1_024

    headers = {"content-type": "application/json"}
    async with stack(tmp_path) as s:
        hits = refusals["feedback_bytes_max"]
        answer = await s.http.post(f"{s.url}/feedback", data=long(), headers=headers)
        assert answer.status == 413
        assert refusals["feedback_bytes_max"] == hits + 1
