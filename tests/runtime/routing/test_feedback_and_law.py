"""No feedback, whatever it says, leaves a request a target that the law keeps it from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scheduler.compliance.compliance_matrix import Allowance
from scheduler.compliance.evaluate_rules import Forbidden
from scheduler.routing.quality_table import QualityTable
from scheduler.routing.routing_plan import Code, RoutingPlan
from tests.runtime.routing.test_apply_rules import EVERYTHING, MODELS, planned, routing

OFFERS = sorted(EVERYTHING.offers)
NO = Forbidden("pipl.home", "inference_jurisdictions", is_known=True)
FEEDBACK = st.lists(
    st.tuples(
        st.sampled_from(MODELS),
        st.sampled_from(["code", "chat", ""]),
        st.sampled_from(["en", "zh", ""]),
        st.floats(0, 1),
        st.integers(1, 1_000),
    ),
    max_size=20,
)
ALLOWANCES = st.builds(
    lambda offers, is_local: Allowance(
        frozenset(offers),
        is_local,
        {each: NO for each in OFFERS if each not in offers} | ({} if is_local else {"local": NO}),
    ),
    st.sets(st.sampled_from(OFFERS)),
    st.booleans(),
)
ASKED = st.sampled_from(
    [("auto", "code"), ("auto", "chat"), ("coding", None), ("talk", None), ("cheap", None)]
)


def reached(plan: RoutingPlan) -> set[str]:
    return {
        target
        for step in plan.steps
        for target in (*step.offers, *(["local"] if step.is_local else []))
    }


@given(FEEDBACK, ALLOWANCES, ASKED, st.sampled_from([None, "en", "zh"]))
def test_only_allowed_targets_are_ever_reached(
    feedback: list[tuple[str, str, str, float, int]],
    allowance: Allowance,
    asked: tuple[str, str | None],
    language: str | None,
) -> None:
    table = QualityTable()
    for model, task, said, score, count in feedback:
        table.observe(model, task, said, score, count)
    plan = planned(*asked, language=language, allowance=allowance, of=routing(table=table))
    allowed = set(allowance.offers) | ({"local"} if allowance.is_local else set())
    assert reached(plan) <= allowed
    told = {each.target for each in plan.verdicts if each.code is Code.COMPLIANCE}
    asked_about = {each.target for each in plan.verdicts if each.target}
    assert told == asked_about - allowed
