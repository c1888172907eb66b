"""All targets at once: as each by itself, and everything where there are no rules."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler.compliance.compliance_matrix import LOCAL, Matrix
from scheduler.compliance.evaluate_rules import forbids
from scheduler.compliance.policy_pack import PolicyRule
from scheduler.compliance.request_traits import Traits
from scheduler.compliance.target_facts import TargetFacts
from tests.scheduler.compliance import given as g


@given(
    rules=st.lists(g.rules, min_size=1, max_size=3),
    own=g.facts,
    offers=st.lists(g.facts, max_size=3),
    traits=g.traits,
)
def test_each_target_has_its_own_verdict(
    rules: list[PolicyRule], own: TargetFacts, offers: list[TargetFacts], traits: Traits
) -> None:
    named = {f"v/{n}": facts for n, facts in enumerate(offers)}
    matrix = Matrix(rules, own, named)
    assert matrix.everything is None
    for today in (g.TODAY, g.TODAY + timedelta(days=1), g.TODAY):  # a contract ends between them
        found = matrix.allowance(traits, today)
        verdicts = {
            name: forbids(rules, traits, facts, today)
            for name, facts in {LOCAL: own, **named}.items()
        }
        assert found.forbidden == {name: each for name, each in verdicts.items() if each}
        assert found.offers == {name for name in named if verdicts[name] is None}
        assert found.is_local == (verdicts[LOCAL] is None)


def test_without_rules_everything_is_allowed() -> None:
    everything = Matrix((), TargetFacts(), {"v/m": TargetFacts()}).everything
    assert everything is not None
    assert everything.is_local
    assert everything.offers == {"v/m"}
    assert not everything.forbidden
