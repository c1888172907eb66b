"""A request that names a rule, through a whole gateway: which model answers, and what is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.fault_script import Fault, Script
from tests.runtime.parts import MODEL, Stack, chat, stack, until
from tests.runtime.test_compliance import AT_HOME, EMAIL, terms

OTHER = "small-moe"
HERE = {OTHER: (Script(),)}


def rules(**rule: Any) -> dict[str, Any]:
    return {"rules": {"help": {"tasks": ["help"], "candidates": [MODEL, OTHER], **rule}}}


async def answered(s: Stack, model: str = "auto", task: str = "help", **more: Any) -> Any:
    """Its answer's headers, once it was whole."""
    answer = await s.post(chat(**more) | {"model": model}, X_Baseload_Task=task)
    assert answer.status == 200, await answer.text()
    assert (await answer.json())["choices"]
    return answer.headers


def evidence(s: Stack) -> list[dict[str, Any]]:
    with s.gateway.ledger.store.reading() as reading:
        return [json.loads(entry.evidence or "{}") for entry in reading.entries() if entry.owner]


async def test_auto_takes_the_rule_of_the_task_and_says_which_model_answered(
    tmp_path: Path,
) -> None:
    async with stack(tmp_path, others=HERE, config=rules()) as s:
        by_task = await answered(s)
        by_name = await answered(s, "help", "anything")
        assert by_task["x-baseload-model"] == by_name["x-baseload-model"] == MODEL
        assert [row.model for row in s.rows()] == [MODEL, MODEL]
        (first, _) = evidence(s)
        assert (first["asked"], first["rule"]) == ("auto", "help")
        assert first["verdicts"] == [
            [MODEL, "local", "allowed", ""],
            [OTHER, "local", "allowed", ""],
        ]


async def test_a_model_that_cannot_do_it_is_passed_over(tmp_path: Path) -> None:
    config = rules() | {"abilities": {MODEL: {"tools": False}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    async with stack(tmp_path, others=HERE, config=config) as s:
        assert (await answered(s, tools=[tool]))["x-baseload-model"] == OTHER
        assert (await answered(s))["x-baseload-model"] == MODEL
        assert evidence(s)[0]["verdicts"][0] == [MODEL, "local", "ability", "tools"]


async def test_the_next_model_answers_when_the_first_has_failed(tmp_path: Path) -> None:
    spare = rules(candidates=[MODEL, {"model": OTHER, "substitute": "failure"}])
    refuses = (Script(fault=Fault.SERVER_ERROR),)
    async with stack(tmp_path, scripts=refuses, others=HERE, config=spare) as s:
        told = await answered(s)
        assert told["x-baseload-model"] == OTHER
        assert told["x-baseload-reason"] == "retry"
        (row,) = s.rows()
        assert (row.model, row.attempts) == (OTHER, 2)


async def test_a_full_model_is_stood_in_for_by_one_that_has_room(tmp_path: Path) -> None:
    slow = (Script(token_s=0.2),)
    async with stack(tmp_path, scripts=slow, max_num_seqs=1, others=HERE, config=rules()) as s:
        first = await s.post(chat(max_tokens=20, stream=True))
        await until(lambda: len(s.replicas[0].engine.asked) == 1)
        told = await answered(s)
        assert told["x-baseload-model"] == OTHER
        assert told["x-baseload-reason"] == "substitute"
        named = await s.post(chat(stream=True))  # waits for the model that it names
        assert first.headers["x-baseload-model"] == named.headers["x-baseload-model"] == MODEL


async def test_what_a_rule_leaves_nothing_for_is_refused_with_every_verdict(
    tmp_path: Path,
) -> None:
    config = rules(quality_floor=0.9) | {
        "quality": {MODEL: {"overall": 0.1}, OTHER: {"overall": 0.2}}
    }
    async with stack(tmp_path, others=HERE, config=config) as s:
        answer = await s.post(chat() | {"model": "help"})
        told = (await answer.json())["error"]
        assert (answer.status, told["code"]) == (400, "no_suitable_model")
        assert MODEL in told["message"]
        assert OTHER in told["message"]
        assert s.asked == 0


async def test_personal_data_goes_to_the_model_that_may_have_it(
    tmp_path: Path,
) -> None:
    tenants = {"acme": {"key_sha256": ["0" * 64], "home": "cn"}}
    config = rules(candidates=["moe-abroad", MODEL]) | {
        "tenants": tenants,
        "compliance": {"packs": ["pipl"], "own": AT_HOME},
    }
    abroad = terms({"inference_jurisdictions": ["us"], "storage_regions": ["us"]})
    sells = abroad | {"offers": {"moe-abroad": MODEL}}
    async with stack(tmp_path, sells=True, config=config, terms=sells) as s:
        public = await answered(s)
        assert public["x-baseload-model"] == "moe-abroad"
        assert public["x-baseload-target"].startswith("offer:")
        home = await s.post(chat(EMAIL) | {"model": "auto"}, X_Baseload_Task="help")
        assert home.headers["x-baseload-model"] == MODEL
        assert home.headers["x-baseload-target"].startswith("local:")
        assert len(s.vendor.engine.asked) == 1


async def test_the_cheapest_is_the_replica_with_room(tmp_path: Path) -> None:
    cheapest = rules(candidates=["sold", OTHER], choose="cheapest")
    sells = {"offers": {"sold": MODEL}}
    async with stack(tmp_path, sells=True, others=HERE, config=cheapest, terms=sells) as s:
        assert (await answered(s))["x-baseload-model"] == OTHER
    ordered = rules(candidates=["sold", OTHER])
    async with stack(tmp_path / "b", sells=True, others=HERE, config=ordered, terms=sells) as s:
        assert (await answered(s))["x-baseload-model"] == "sold"


async def test_a_ceiling_counts_the_longest_answer(tmp_path: Path) -> None:
    dear = rules(candidates=["sold", OTHER], cost_usd_max="0.001", defaults={"max_tokens": 10})
    sells = {"offers": {"sold": MODEL}}
    async with stack(tmp_path, sells=True, others=HERE, config=dear, terms=sells) as s:
        assert (await answered(s, max_tokens=4_000))["x-baseload-model"] == OTHER
        assert evidence(s)[0]["verdicts"][0][2] == "cost"
        assert (await answered(s, max_tokens=None))["x-baseload-model"] == "sold"


@pytest.mark.parametrize(
    ("task", "says"), [("no-such", "No rule is for"), ("", "needs the header")]
)
async def test_auto_without_a_rule_names_the_tasks(tmp_path: Path, task: str, says: str) -> None:
    async with stack(tmp_path, others=HERE, config=rules()) as s:
        headers = {"X_Baseload_Task": task} if task else {}
        answer = await s.post(chat() | {"model": "auto"}, **headers)
        message = (await answer.json())["error"]["message"]
        assert answer.status == 400
        assert says in message
        assert "help" in message


async def test_rules_stand_in_the_list_of_models(tmp_path: Path) -> None:
    async with stack(tmp_path, others=HERE, config=rules()) as s:
        listed = [each.id async for each in s.openai.models.list()]
        assert {"auto", "help", MODEL, OTHER} == set(listed)
    async with stack(tmp_path / "none") as s:
        assert [each.id async for each in s.openai.models.list()] == [MODEL]


async def test_token_ids_need_the_model_by_name(tmp_path: Path) -> None:
    async with stack(tmp_path, others=HERE, config=rules()) as s:
        body = {"model": "help", "prompt": [1, 2, 3], "max_tokens": 2}
        answer = await s.post(body, path="/completions")
        assert answer.status == 400
        assert "name that model" in (await answer.json())["error"]["message"]


async def test_a_model_that_is_silent_for_too_long_is_left_for_the_next(tmp_path: Path) -> None:
    hasty = rules(candidates=[{"model": MODEL, "first_token_ms_max": 200}, OTHER])
    hangs = (Script(fault=Fault.HANG),)
    async with stack(tmp_path, scripts=hangs, others=HERE, config=hasty) as s:
        answer = await s.post(chat(stream=True) | {"model": "help"})
        assert answer.headers["x-baseload-model"] == OTHER
        assert "[DONE]" in await answer.text()
        assert s.row().attempts == 2


async def test_the_deadline_of_a_rule_ends_all_attempts(tmp_path: Path) -> None:
    hurried = rules(deadline_ms=300)
    hangs = (Script(fault=Fault.HANG),)
    async with stack(tmp_path, scripts=hangs, config=hurried) as s:
        answer = await s.post(chat(stream=True) | {"model": "help"})
        assert answer.status == 504


async def test_a_rule_never_stands_in_the_place_of_a_model_that_runs_here(tmp_path: Path) -> None:
    config = {"rules": {MODEL: {"candidates": [OTHER]}}}
    async with stack(tmp_path, others=HERE, config=config) as s:
        assert (await answered(s, MODEL))["x-baseload-model"] == MODEL


async def test_a_model_that_only_a_vendor_has_is_bought_for_want_of_a_replica(
    tmp_path: Path,
) -> None:
    async with stack(tmp_path, sells=True, terms={"offers": {"sold": MODEL}}) as s:
        told = await answered(s, "sold")
        assert told["x-baseload-reason"] == "spill_no_replica"


async def test_a_rule_for_public_text_alone_looks_for_personal_data_without_any_pack(
    tmp_path: Path,
) -> None:
    async with stack(tmp_path, config=rules(allowed_sensitivity=["public", "internal"])) as s:
        assert (await s.post(chat() | {"model": "help"})).status == 200
        refused = await s.post(chat(EMAIL) | {"model": "help"})
        assert refused.status == 403
        assert s.asked == 1
