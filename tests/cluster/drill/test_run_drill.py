"""What users of the shipped examples see when a target fails, scenario by scenario."""

from __future__ import annotations

import pytest

from cluster.drill import incidents, traffic
from cluster.drill.scenario import Scenario
from tests.cluster.drill.plans import drilled, ends, line, one, plan

HERE = "gpt-oss-120b at local"
DEEPSEEK, MOONSHOT = "deepseek-r1 at deepseek/deepseek-r1", "kimi-k2-thinking"
REQUESTS = 12  # of 6 kinds


async def test_a_vendor_that_is_down_is_stood_in_for_by_the_pool() -> None:
    report = await drilled(plan("three-tiers", [Scenario.OUTAGE], requests=REQUESTS))
    assert report.misplaced == 0
    assert {each.what.removesuffix(" is down") for each in report.incidents} == {
        *("deepseek", "moonshot", "anthropic"),
        "pool gpt-oss-120b",
    }
    incident = one(report, "deepseek is down")
    assert ends(line(incident, "support", "plain")) == ({DEEPSEEK}, {HERE})
    assert ends(line(incident, "support", "personal")) == ({HERE}, {HERE})
    (before, during) = ends(line(incident, "support_hardest", "plain"))
    assert before == during == {"claude-opus-4.5 at anthropic/claude-opus-4-5"}
    found = line(incident, "support", "plain")
    assert (found.before.bought, found.during.bought_usd) == (2, "0.00")
    assert found.before.bought_usd != "0.00"
    assert found.during.attempts_max == 2
    assert any("gpt-oss-120b here" in sentence for sentence in incident.verdict)
    assert not incident.verdict[0].startswith("LOST")


async def test_without_the_pool_personal_data_gets_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(traffic, "PATIENCE_S", 3.0)
    wanted = plan("three-tiers", [Scenario.OUTAGE], requests=REQUESTS)
    incident = one(await drilled(wanted), "pool gpt-oss-120b is down")
    assert incident.verdict[0].startswith("LOST: of 6 kinds of requests, 3 get no answer any more")
    found = line(incident, "support", "personal")
    assert (found.before.answered, found.during.answered) == (2, 0)
    assert line(incident, "support", "plain").during.answered == 2


async def test_a_slow_vendor_is_waited_for_where_no_limit_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(incidents, "SLOW_S", 0.6)
    report = await drilled(plan("three-tiers", [Scenario.SLOW], requests=REQUESTS))
    incident = one(report, "deepseek takes 0.6 s to its first token")
    found = line(incident, "support", "plain")
    assert ends(found) == ({DEEPSEEK}, {DEEPSEEK})
    assert (found.during.ttft_ms_p50 or 0) >= 600
    assert found.is_affected
    assert not line(incident, "support_hardest", "plain").is_affected


async def test_a_vendor_that_limits_its_rate_is_passed_over() -> None:
    report = await drilled(plan("three-tiers", [Scenario.RATE_LIMITS], requests=REQUESTS))
    assert {each.targets[0] for each in report.incidents} == {"deepseek", "moonshot", "anthropic"}
    for what, rule in (("moonshot", "support_reasoning"), ("anthropic", "support_hardest")):
        found = line(one(report, f"{what} answers 429 to everything"), rule, "plain")
        assert ends(found)[1] == {HERE}
        assert found.during.attempts_max == 2
    assert report.misplaced == 0


async def test_a_region_takes_all_that_runs_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "PATIENCE_S", 3.0)
    report = await drilled(plan("task-rules", [Scenario.REGION], requests=28))
    cn = one(report, "region cn is lost (deepseek, qwen, zhipu)")
    assert set(cn.targets) == {"deepseek", "qwen", "zhipu"}
    assert line(cn, "code_generation", "plain").during.answered == 0  # its models are both there
    assert ends(line(cn, "realtime_chat", "plain"))[1] == {"qwen3-32b at local"}
    assert ends(line(cn, "enterprise_qa", "plain"))[1] == {"gpt-4o at openai/gpt-4o"}
    assert cn.verdict[0].startswith("LOST")
    assert {each.what for each in report.incidents} == {
        cn.what,
        "region us is lost (openai, deepinfra)",
    }
    assert len(report.notes) == 2  # product must say more than local
    for note in report.notes:
        assert note.startswith("without any fault, personal data of")
        assert "403 no_compliant_target (code_generation)" in note


async def test_two_languages_survive_the_loss_of_a_region(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two of four models run there: the third is asked, too."""
    monkeypatch.setattr(traffic, "PATIENCE_S", 3.0)
    report = await drilled(plan("bilingual", [Scenario.REGION], requests=40))
    us = one(report, "region us is lost (anthropic, openai)")
    lost = [each for each in us.lines if each.before.answered and not each.during.answered]
    assert lost == []
    found = line(us, "assistant", "plain", "singapore")
    assert ends(found)[1] == {"qwen3-max at alibaba/qwen3-max"}
    assert found.during.attempts_max == 3


async def test_an_empty_matrix_refuses_everything_and_sends_nothing() -> None:
    report = await drilled(plan("three-tiers", [Scenario.EMPTY_MATRIX], requests=REQUESTS))
    (incident,) = report.incidents
    assert incident.total_before.answered == REQUESTS
    assert incident.total_during.answered == 0
    assert {each.code for each in incident.total_during.endings} == {"no_compliant_target"}
    assert incident.total_during.attempts_per_request == 0
    assert incident.verdict == [
        "All 12 requests are refused with 403 no_compliant_target; nothing was sent anywhere."
    ]
    assert report.misplaced == 0
