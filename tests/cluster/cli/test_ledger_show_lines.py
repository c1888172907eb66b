"""The story of a request, as `baseload ledger show` tells it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.cli.ledger_show_lines import REASONS, story_lines
from cluster.cli.main import app
from cluster.state_folder import STATE_ENV
from runtime.ledger.request_history import story
from runtime.ledger.rows import Ending, Reserve, Row
from runtime.request.evidence import Evidence, Found, TargetVerdict
from scheduler.compliance.request_traits import Protection, Traits
from scheduler.compliance.target_facts import Contract, ModelRegistration
from scheduler.compliance.verdict_grounds import Grounds
from tests.runtime.ledger.samples import opened, reserve, settle

RUNNER = CliRunner()
EVIDENCE = Evidence(
    said=(("sensitivity", "internal"), ("locale", "zh-CN")),
    effective=(("sensitivity", "pii"), ("locale", "zh-CN")),
    traits=Traits("cn", Protection.PII, frozenset({"phi"})),
    found=Found(("email",), detector="2026-11-30"),
    rule="support",
    verdicts=(
        TargetVerdict("tiny-moe", "local", "allowed"),
        TargetVerdict("big", "a/big", "compliance", "pipl/stays-in-china: storage_regions unknown"),
        TargetVerdict("gone", "", "not_served"),
    ),
    config_version="0123456789ab.2",
    matrix_version="fedcba9876543210",
    retain_until=date(2027, 6, 2),
    asked="auto",
)
GROUNDS = Grounds(
    rules=("pipl/stays-in-china", "cn-genai/registered-model"),
    stated=(("inference_jurisdictions", frozenset({"sg", "cn"})), ("trains_on_data", False)),
    agreements=(Contract("CAC-contract", "C-1", date(2027, 1, 1)),),
    leaves_to=frozenset({"sg"}),
    registration=ModelRegistration("cn", "Sichuan-1", "深度"),
    operator="A GmbH",
)


def told(path: Path, *rows: Row) -> str:
    """Of the request "r", written as an endpoint would."""

    async def write() -> None:
        with opened(path) as ledger:
            for row in rows:
                if isinstance(row, Reserve):
                    await ledger.reserve(row)
                else:
                    await ledger.settle(row)

    asyncio.run(write())
    found = story(path, "r")
    assert found is not None
    return "\n".join(story_lines(found))


def refusal(evidence: Evidence) -> Sequence[Row]:
    facts: dict[str, Any] = {"target": "none", "reason": "no_compliant_target", "bound_nano_usd": 0}
    ending = settle("r", ending=Ending.VOID, cost_nano_usd=0, derivation="no work")
    return reserve("r", evidence=evidence.text(), **facts), ending


def test_the_whole_story(tmp_path: Path) -> None:
    void = {"outcome": "target_failed: upstream_failed", "ttft_ms": None, "derivation": "no work"}
    assert told(
        tmp_path / "ledger.db",
        reserve("r", evidence=EVIDENCE.text(), bound_nano_usd=None),
        settle("r", ending=Ending.VOID, cost_nano_usd=0, **void),
        reserve(
            "r",
            attempt=2,
            target="offer:a/small",
            model="small",
            reason="retry",
            evidence=EVIDENCE.text(GROUNDS),
        ),
        settle("r", attempt=2),
    ) == (
        """\
r
acme asked for auto (feature chat, task summarize), 2025-06-15 15:06:40 UTC.
It was said to be: sensitivity internal, locale zh-CN.
Personal data was found in its text: email (detector 2026-11-30).
It was taken for: sensitivity pii, locale zh-CN, of a user in cn (as its key has it); it holds phi.
Rule support named the models.
Who might have it (configuration 0123456789ab.2, laws and facts fedcba9876543210):
  tiny-moe at local  yes
  big at a/big       no: compliance, pipl/stays-in-china: storage_regions unknown
  gone               no: not_served

Attempt 1 asked tiny-moe at local:tiny-moe-0 (ledger entries 1 and 2): local_fit, a replica had \
room at once.
  It waited 12 ms for its target; no token came, and it ended at 900 ms: \
target_failed: upstream_failed.
  Cost: 0.00 USD = no work.

Attempt 2 asked small at offer:a/small (ledger entries 3 and 4): retry, the first target failed \
before it had started.
  It is run by A GmbH.
  Rules that apply, and let it go there: pipl/stays-in-china, cn-genai/registered-model.
    inference_jurisdictions: cn, sg
    trains_on_data: no
    agreement CAC-contract C-1, valid until 2027-01-01
  Data of the user goes across a border to sg.
  Shown to the user: registered model 深度, number Sichuan-1 (cn).
  It waited 12 ms for its target; first token at 80 ms, and it ended at 900 ms: ok.
  Tokens: prompt 118 (16 of them cached), answer 40; told by the target.
  Cost: 0.000001234 USD = card cpu 50000000 nano-USD/h x 0.0888 s share. At most 0.001 USD was \
reserved for it.

In all it cost 0.000001234 USD. These entries are to be kept until 2027-06-02; nothing deletes \
them then."""
    )


def test_a_refusal(tmp_path: Path) -> None:
    text = told(tmp_path / "ledger.db", *refusal(EVIDENCE))
    assert "Refused: no_compliant_target (ledger entries 1 and 2). It was sent to nobody." in text
    assert "Attempt" not in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"found": None}, "Its text was not searched for personal data"),
        ({"found": Found(())}, "No personal data was found in its text"),
        ({"found": Found((), is_complete=False)}, "could not be searched to the end"),
        ({"rule": ""}, "The model was asked for by its name."),
        ({"verdicts": ()}, "No verdicts on targets were kept"),
        ({"traits": Traits(None, Protection.PII)}, "of a user of whom nobody said where."),
        ({"said": (("region", "cn"),)}, "of a user in cn (as its edge says)"),
        ({"said": ()}, "It was said to be: nothing."),
    ],
)
def test_what_was_not_known_is_said(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    assert says in told(tmp_path / "ledger.db", *refusal(replace(EVIDENCE, **change)))


def test_what_had_no_room_is_said(tmp_path: Path) -> None:
    verdicts = tuple(TargetVerdict("m", f"a/{each}", "cost", "x" * 200) for each in range(99))
    grounds = replace(
        GROUNDS,
        stated=(("documents", frozenset(f"{each}" * 60 for each in range(1_000, 1_256))),),
        rules=tuple("r" * 60 for each in range(256)),
    )
    evidence = replace(EVIDENCE, verdicts=verdicts)
    text = told(tmp_path / "ledger.db", reserve("r", evidence=evidence.text(grounds)))
    assert " more, for which the row had no room" in text
    assert "Rules that apply, and let it go there: left out." in text
    assert "facts: left out" in text


def test_an_attempt_under_way_and_one_whose_gateway_died(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    assert "It is under way, or its gateway has died" in told(path, reserve("r"))
    expired = settle("r", ending=Ending.EXPIRE, cost_nano_usd=0)
    assert "what was done is in doubt. At most 0.001 USD was reserved" in told(path, expired)


def test_a_row_of_an_older_version(tmp_path: Path) -> None:
    text = told(tmp_path / "ledger.db", reserve("r"), settle("r"))
    assert "the version that wrote it kept no evidence" in text
    assert "acme asked for tiny-moe" in text
    assert "kept until" not in text


def test_every_reason_has_words() -> None:
    assert REASONS["must_leave"] == "a rule keeps it from the replicas here: bought"


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_ENV, str(tmp_path))
    text = told(tmp_path / "ledger.db", *refusal(EVIDENCE))
    shown = RUNNER.invoke(app, ["ledger", "show", "r"])
    assert (shown.exit_code, shown.stdout) == (0, text + "\n")
    document = json.loads(RUNNER.invoke(app, ["ledger", "show", "r", "--json"]).stdout)
    assert document["attempts"][0]["evidence"]["found"]["kinds"] == ["email"]
    assert document["cost_nano_usd"] == 0


def test_a_request_that_it_has_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_ENV, str(tmp_path))
    told(tmp_path / "ledger.db", *refusal(EVIDENCE))
    missing = RUNNER.invoke(app, ["ledger", "show", "req-none"])
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "has no request req-none" in missing.stderr
    assert "`baseload ledger requests` lists those that it has" in missing.stderr
    assert "access log" in missing.stderr
