"""What a tenant's terms make of what is said: protection only rises, and a user's country is never
taken from whom it is not asked of."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import BadRequest, OtherTenant
from runtime.wire.tag_terms import NO_TERMS, TagTerms, without_effect
from runtime.wire.tags import Sensitivity, Tags
from scheduler.compliance.jurisdictions import COUNTRIES

ORDER = list(Sensitivity)
SAID = "x-baseload-sensitivity"
REGION = "x-baseload-region"


@pytest.mark.parametrize(("said", "default", "floor"), [*product([None, *ORDER], ORDER, ORDER)])
def test_what_is_said_raises_and_never_lowers(
    said: Sensitivity | None, default: Sensitivity, floor: Sensitivity
) -> None:
    terms = TagTerms(Tags(sensitivity=default), floor=floor)
    found = terms.said([] if said is None else [(SAID, said.value)], "")
    least = default if said is None else said
    assert found.sensitivity is least
    tags = terms.raised(found)
    assert ORDER.index(tags.sensitivity) == max(ORDER.index(least), ORDER.index(floor))
    is_idle = ORDER.index(least) < ORDER.index(floor)
    assert without_effect(found, tags) == ((SAID,) if is_idle else ())


def test_without_terms_a_request_may_say_public() -> None:
    public = NO_TERMS.said([(SAID, "public")], "")
    assert NO_TERMS.raised(public).sensitivity is Sensitivity.PUBLIC
    assert NO_TERMS.raised(NO_TERMS.said([], "")).sensitivity is Sensitivity.INTERNAL


def test_an_edge_says_where_the_user_is_and_all_others_only_what_is_known() -> None:
    edge, home = TagTerms(is_edge=True), TagTerms(home="sg")
    assert edge.said([(REGION, "cn")], "").region == "cn"
    assert edge.said([], "").region is None
    assert home.said([(REGION, "sg")], "").region == "sg"
    for terms, said in ((home, "cn"), (NO_TERMS, "cn"), (NO_TERMS, "sg")):
        with pytest.raises(BadRequest, match="marked as an edge") as caught:
            terms.said([(REGION, said)], "")
        assert caught.value.param == REGION


# As edges in front tell who they are: unknown, Tor, a group, a name, a slip, nothing.
NO_COUNTRIES = ["", " ", "xx", "t1", "eu", "eea", "zz", "uk", "CN", "china", "cn-north-1", "cn,sg"]
NO_COUNTRIES += ["c n", "c\u200bn", "ｃｎ", "ｓｇ", "-", "null", "anywhere", "home", "0", "*"]


@pytest.mark.parametrize("said", NO_COUNTRIES)
@pytest.mark.parametrize("terms", [TagTerms(is_edge=True), TagTerms(home="sg"), NO_TERMS])
def test_what_is_no_country_is_refused(said: str, terms: TagTerms) -> None:
    with pytest.raises(BadRequest) as caught:
        terms.said([(REGION, said)], "")
    assert caught.value.param == REGION


@given(st.one_of(st.text(), st.sampled_from(sorted(COUNTRIES))), st.booleans())
def test_any_text_is_a_country_or_refused(said: str, is_edge: bool) -> None:
    terms = TagTerms(is_edge=is_edge, home=None if is_edge else "sg")
    try:
        region = terms.said([(REGION, said)], "").region
    except BadRequest:
        return
    assert region == said.strip()
    assert region in (COUNTRIES if is_edge else {"sg"})


@pytest.mark.parametrize("header", ["tenantId", "X-Tenant-Id", "tenant-id"])
@pytest.mark.parametrize("tenant", ["acme", "上海", "Müller & Co"])
def test_a_tenant_that_is_named_must_be_the_keys(header: str, tenant: str) -> None:
    as_served = tenant.encode().decode("latin-1")
    assert NO_TERMS.said([(header, as_served)], tenant) == Tags()
    for other in ("", "acme2", "ACME", as_served + "x", "*"):
        with pytest.raises(OtherTenant) as caught:
            NO_TERMS.said([(header, other)], tenant)
        assert caught.value.param == header.lower()
        assert tenant not in caught.value.message
    with pytest.raises(OtherTenant):  # of two, neither is overlooked
        NO_TERMS.said([("x-tenant-id", as_served), (header, "other")], tenant)


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("featureId", "feature"),
        ("X-Feature-ID", "feature"),
        ("feature-id", "feature"),
        ("taskCategory", "task"),
        ("x-task-category", "task"),
        ("task-category", "task"),
    ],
)
def test_the_names_of_others_are_known_and_their_values_checked(header: str, field: str) -> None:
    terms = TagTerms(Tags(feature="chat"), required=frozenset({field}) - {"feature"})
    assert getattr(terms.said([(header, "code_generation")], ""), field) == "code_generation"
    with pytest.raises(BadRequest, match="must be") as caught:
        terms.said([(header, "two words")], "")
    assert caught.value.param == header.lower()
    with pytest.raises(BadRequest, match="twice"):
        terms.said([(header, "a"), (f"x-baseload-{field}", "a")], "")


def test_headers_that_only_look_like_ours_are_left_alone() -> None:
    others = [("x-tenant", "7"), ("category", "{}"), ("x-feature", ""), ("task", "two words")]
    assert NO_TERMS.said(others, "acme") == Tags()
