"""What stands in the ledger of a request that went through a whole gateway."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from runtime.ledger.audit import audit
from runtime.ledger.usage_report import report
from runtime.targets.provider_accounts import utc_today
from tests.runtime.parts import MODEL, Stack, chat, stack
from tests.runtime.test_compliance import AT_HOME, EMAIL, config, terms


def evidence(s: Stack) -> list[dict[str, Any]]:
    """Of each attempt, in their order."""
    with s.gateway.ledger.store.reading() as reading:
        return [json.loads(entry.evidence or "{}") for entry in reading.entries() if entry.owner]


async def test_without_rules_the_row_says_what_was_said_and_until_when_it_is_kept(
    tmp_path: Path,
) -> None:
    rules = {"compliance": {"retain_days": 10}}
    async with stack(tmp_path, config=rules) as s:
        answer = await s.post(chat(EMAIL), X_Baseload_Locale="de-DE")
        assert answer.status == 200
        assert evidence(s) == [
            {
                "form": 1,
                "asked": MODEL,
                "said": {"sensitivity": "internal", "locale": "de-DE"},
                "effective": {"sensitivity": "internal", "locale": "de-DE"},
                "chosen_by": {"language": "de"},
                "verdicts": [[MODEL, "local", "allowed", ""]],
                "config": answer.headers["x-baseload-config"],
                "retain_until": (utc_today() + timedelta(days=10)).isoformat(),
            }
        ]


async def test_with_rules_it_says_what_was_found_and_what_let_the_target_have_it(
    tmp_path: Path,
) -> None:
    rules = config("pipl", "cn-genai", own=AT_HOME)
    async with stack(tmp_path, config=rules) as s:
        assert (await s.post(chat(EMAIL))).status == 200
        (told,) = evidence(s)
        assert (told["found"]["kinds"], told["found"]["is_complete"]) == (["email"], True)
        assert told["effective"] == {"sensitivity": "pii"}
        assert told["user_in"] == "cn"
        assert told["matrix"] == told["target"]["matrix"] == s.gateway.matrix.version
        assert told["target"]["facts"]["inference_jurisdictions"] == ["cn"]
        assert told["target"]["leaves_to"] == []
        assert told["target"]["registration"]["number"] == "1"
        assert "user123" not in json.dumps(told)


async def test_each_attempt_has_the_facts_of_its_own_target(tmp_path: Path) -> None:
    away = {"inference_jurisdictions": ["us"], "storage_regions": ["us"]}
    rules = config("pipl", own=away)
    async with stack(tmp_path, sells=True, config=rules, terms=terms(AT_HOME)) as s:
        assert (await s.post(chat(EMAIL))).status == 200
        assert (await s.post(chat("nothing personal"))).status == 200
        bought, here = evidence(s)
        assert bought["target"]["facts"]["storage_regions"] == ["cn"]
        assert bought["target"]["agreements"][0]["reference"] == "DPA-1"
        assert here["target"].get("facts") is None  # no rule asks for one
        assert here["target"]["leaves_to"] == ["us"]


async def test_a_refusal_is_on_disk_with_every_verdict_before_it_is_told(tmp_path: Path) -> None:
    async with stack(tmp_path, sells=True, config=config("cn-genai")) as s:
        before = audit(s.ledger).rows
        answer = await s.post(chat(EMAIL), X_Baseload_Feature="mail")
        assert answer.status == 403
        assert audit(s.ledger).rows == before + 2
        (told,) = evidence(s)
        assert told["found"]["kinds"] == ["email"]
        assert told["verdicts"] == [
            [MODEL, "local", "compliance", "cn-genai/registered-model: registrations unknown"],
            [
                MODEL,
                "stand-in/tiny-moe",
                "compliance",
                "cn-genai/registered-model: registrations unknown",
            ],
        ]
        assert "target" not in told
        row = s.row()
        assert row.request_id == answer.headers["x-request-id"]
        assert (row.target, row.reason, row.ending) == ("none", "no_compliant_target", "void")
        assert (row.tenant, row.model, row.outcome) == (
            "acme",
            MODEL,
            "refused: no_compliant_target",
        )
        assert (row.attempts, row.cost_nano_usd) == (0, 0)
        told_of = report(s.ledger)
        assert (told_of.total.requests, told_of.total.attempts) == (1, 0)
        assert audit(s.ledger).ok


async def test_a_target_that_is_not_bought_for_another_reason_says_so(tmp_path: Path) -> None:
    never = config("cn-genai") | {"spill": {"usd_per_hour_max": "0"}}
    async with stack(tmp_path, sells=True, config=never, terms=terms(AT_HOME)) as s:
        assert (await s.post(chat())).status == 403
        assert [verdict[1:3] for verdict in evidence(s)[0]["verdicts"]] == [
            ["local", "compliance"],
            ["stand-in/tiny-moe", "withheld"],
        ]


async def test_a_refusal_that_cannot_be_recorded_is_not_told(tmp_path: Path) -> None:
    async with stack(tmp_path, config=config("cn-genai")) as s:
        s.gateway.ledger._writer.fail("the disk is full")
        answer = await s.post(chat())
        assert answer.status == 503
        assert (await answer.json())["error"]["code"] == "ledger_unavailable"


async def test_other_refusals_have_no_row(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        assert (await s.post(chat() | {"model": "no-such"})).status == 404
        assert (await s.post({})).status == 400
        assert s.rows() == []


@pytest.mark.parametrize("streamed", [False, True])
async def test_users_where_models_are_registered_are_shown_which_one_it_is(
    tmp_path: Path, streamed: bool
) -> None:
    name, number = "深度 100%\r\nx: y", "Sichuan-20260101"
    filed = {"jurisdiction": "cn", "number": number, "model_name": name}
    own = AT_HOME | {"registrations": [filed | {"jurisdiction": "kr"}, filed]}
    async with stack(tmp_path, config=config("cn-genai", own=own)) as s:
        answer = await s.post(chat() | {"stream": streamed})
        assert unquote(answer.headers["x-baseload-registered-model"]) == name
        assert answer.headers["x-baseload-registered-model"].endswith(" 100%25%0D%0Ax: y")
        assert answer.headers["x-baseload-registration"] == number
        assert evidence(s)[0]["target"]["registration"] == filed


async def test_users_elsewhere_are_shown_none(tmp_path: Path) -> None:
    async with stack(tmp_path, config=config("cn-genai", home="sg", own=AT_HOME)) as s:
        answer = await s.post(chat())
        assert answer.status == 200
        assert not [name for name in answer.headers if "regist" in name.lower()]


OF_ANOTHER = {"jurisdiction": "cn", "number": "7", "model_name": "other", "models": ["other"]}
OF_THIS = {"jurisdiction": "cn", "number": "8", "model_name": "this", "models": [MODEL]}


async def test_the_registration_is_of_the_model_that_answers(tmp_path: Path) -> None:
    own = AT_HOME | {"registrations": [OF_ANOTHER, OF_THIS]}
    async with stack(tmp_path, config=config("cn-genai", own=own)) as s:
        answer = await s.post(chat())
        assert answer.headers["x-baseload-registration"] == "8"
        assert evidence(s)[0]["target"]["registration"]["model_name"] == "this"


@pytest.mark.parametrize("sells", [False, True])
async def test_another_models_registration_lets_nothing_through(
    tmp_path: Path, sells: bool
) -> None:
    facts = AT_HOME | {"registrations": [OF_ANOTHER]}
    rules = config("cn-genai", own=facts)
    async with stack(tmp_path, sells=sells, config=rules, terms=terms(facts)) as s:
        assert (await s.post(chat())).status == 403
        assert s.asked == 0


TOKENS: dict[str, dict[str, Any]] = {
    "/tokenize": {"prompt": "hello"},
    "/detokenize": {"tokens": [104, 105]},
}


@pytest.mark.parametrize("path", TOKENS)
async def test_tokens_are_no_way_past_the_laws(tmp_path: Path, path: str) -> None:
    async with stack(tmp_path, config=config("cn-genai")) as s:
        url = s.url.removesuffix("/v1") + path
        async with s.http.post(url, json=TOKENS[path] | {"model": MODEL}) as answer:
            assert answer.status == 403
            assert (await answer.json())["error"]["code"] == "no_compliant_target"
        assert s.asked == 0
        (told,) = evidence(s)
        assert [verdict[1:3] for verdict in told["verdicts"]] == [["local", "compliance"]]


async def test_what_is_personal_in_a_text_to_be_counted_is_found(tmp_path: Path) -> None:
    own = AT_HOME | {"inference_jurisdictions": ["us"]}
    async with stack(tmp_path, config=config("pipl", own=own)) as s:
        url = s.url.removesuffix("/v1") + "/tokenize"
        for text, status in (("hello", 200), (EMAIL, 403)):
            for body in ({"prompt": text}, chat(text)):
                async with s.http.post(url, json=body | {"model": MODEL}) as answer:
                    assert answer.status == status
        headers = {"X-Baseload-Sensitivity": "pii"}
        body = {"prompt": "hello", "model": MODEL}
        async with s.http.post(url, json=body, headers=headers) as answer:
            assert answer.status == 403
