"""Requests, targets and rules for properties: everything may be unknown."""

from __future__ import annotations

from datetime import date

from hypothesis import strategies as st

from scheduler.compliance.policy_pack import PolicyRule, Require, When
from scheduler.compliance.request_traits import Protection, Traits
from scheduler.compliance.target_facts import Contract, ModelRegistration, TargetFacts

TODAY = date(2026, 11, 30)
PLACES = ["cn", "hk", "sg", "de", "fr", "us", "gb"]
AREAS = [*PLACES, "eu", "eea", "anywhere"]
KINDS = ["DPA", "SCC", "BAA", "CAC-contract", "PDPC-clauses"]
DOCUMENTS = ["technical-documentation", "training-data-summary"]


def some(values: list[str], smallest: int = 0) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values), min_size=smallest, max_size=3)


contracts = st.builds(
    Contract,
    kind=st.sampled_from(KINDS),
    reference=st.just("ref-1"),
    valid_until=st.sampled_from([None, date(2026, 11, 29), TODAY, date(2027, 1, 1)]),
    sources=some([*PLACES, "eea"]),
    destinations=some(AREAS),
)
facts = st.builds(
    TargetFacts,
    storage_regions=st.none() | some(AREAS),
    inference_jurisdictions=st.none() | some(AREAS),
    operator_jurisdiction=st.none() | st.sampled_from(PLACES),
    operator=st.none(),
    is_own=st.booleans(),
    open_weights=st.none() | st.booleans(),
    retention_days=st.none() | st.sampled_from([0, 30, 400]),
    trains_on_data=st.none() | st.booleans(),
    registrations=st.lists(
        st.builds(
            ModelRegistration,
            jurisdiction=st.sampled_from(PLACES),
            number=st.just("1"),
            model_name=st.just("m"),
        ),
        max_size=2,
    ).map(tuple),
    contracts=st.lists(contracts, max_size=3).map(tuple),
    documents=some(DOCUMENTS),
)
traits = st.builds(
    Traits,
    user_in=st.none() | st.sampled_from(PLACES),
    protection=st.sampled_from(Protection),
    data_classes=some(["phi", "financial"]),
)
whens = st.builds(
    When,
    users_in=st.none() | some(PLACES, 1),
    protection_min=st.sampled_from(Protection),
    data_classes=st.none() | some(["phi"], 1),
)
requires = st.builds(
    Require,
    inference_within=st.none() | some([*AREAS, "home"], 1),
    storage_within=st.none() | some([*AREAS, "home"], 1),
    or_transfer=some(KINDS),
    operator_in=st.none() | some([*PLACES, "eea", "home"], 1),
    is_registered=st.booleans(),
    open_weights=st.booleans(),
    no_training=st.booleans(),
    retention_days_max=st.none() | st.sampled_from([0, 30]),
    contracts=some(KINDS),
    documents=some(DOCUMENTS),
)
rules = st.builds(PolicyRule, rule_id=st.just("pack/rule"), when=whens, require=requires)
