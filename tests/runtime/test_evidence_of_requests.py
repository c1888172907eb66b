"""What stands in the ledger of a request that went through a whole gateway."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from runtime.targets.providers import utc_today
from tests.runtime.parts import Stack, chat, stack
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
                "said": {"sensitivity": "internal", "locale": "de-DE"},
                "effective": {"sensitivity": "internal", "locale": "de-DE"},
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
