"""A tenant's terms at the real edge: what requests count as, whatever their callers say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from runtime.edge.auth import KeyRing, hash_key
from runtime.engine.fault_script import Fault, Script
from runtime.ledger.rows import Reserve
from runtime.observer import Observer
from runtime.request.job import Job
from runtime.wire.tags import Sensitivity
from tests.runtime.parts import KEY, KEY_ENV, MODEL, Stack, chat, stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

TENANTS: dict[str, dict[str, Any]] = {
    "acme": {"required": ["feature", "task"], "home": "cn"},
    "full": {
        "sensitivity_floor": "internal",
        "defaults": {"feature": "chat", "task": "help", "sensitivity": "pii"},
    },
    "edge": {"is_edge": True},
    "anybody": {},
}
IGNORED = "x-baseload-ignored"
TAGGED = {"x-feature-id": "search", "taskCategory": "help"}
RULES = {"help": {"tasks": ["help"], "candidates": [MODEL]}}
AT_HOME = {  # of a user in Singapore
    "storage_regions": ["sg"],
    "inference_jurisdictions": ["sg"],
    "operator_jurisdiction": "sg",
    "trains_on_data": False,
}


class Way(NamedTuple):
    """A way that a request may come."""

    route: str
    body: dict[str, Any]


CHAT = Way("/chat/completions", chat())
PATHS = (
    CHAT,
    Way("/chat/completions", chat(stream=True)),
    Way("/completions", {"model": MODEL, "prompt": "hello", "max_tokens": 5}),
    Way("/completions", {"model": MODEL, "prompt": [5, 6, 7], "max_tokens": 5}),
    Way("/chat/completions", chat(model="auto")),
    Way("/chat/completions", chat(model="help")),
)


class Seen(Observer):
    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.rows: list[Reserve] = []

    def accepted(self, job: Job) -> None:
        self.jobs.append(job)

    def reserved(self, job: Job, row: Reserve) -> None:
        self.rows.append(row)


def config(**others: Any) -> dict[str, Any]:
    tenants = {name: {"key_sha256": [hash_key(name)], **terms} for name, terms in TENANTS.items()}
    return {"tenants": tenants, **others}


def open_to_all(s: Stack) -> None:
    """The key of each tenant is its name, beside the one that ``s.http`` sends, which is acme's."""
    keys = {name: [hash_key(name)] for name in TENANTS}
    s.edge.open(s.gateway, KeyRing(keys | {"acme": [hash_key(KEY)]}), s.metrics_server)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen() -> Seen:
    return Seen()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s(tmp_path_factory: pytest.TempPathFactory, seen: Seen) -> AsyncIterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_ENV, "vendor-key")
        folder = tmp_path_factory.mktemp("tenants")
        rules = config(compliance={"packs": ["pdpa-sg", "cn-genai"], "own": AT_HOME}, rules=RULES)
        async with stack(folder, sells=True, config=rules, observers=[seen]) as made:
            open_to_all(made)
            yield made


async def asked(
    s: Stack, key: str, headers: dict[str, str] | None = None, path: Way = CHAT
) -> tuple[int, dict[str, Any]]:
    """The status, and the error where there is one."""
    given = {"authorization": f"Bearer {key}", **(headers or {})}
    async with s.http.post(s.url + path.route, json=path.body, headers=given) as answer:
        if answer.content_type != "application/json":
            return answer.status, {}
        told = await answer.json()
        return answer.status, told.get("error", {"ignored": answer.headers.get(IGNORED, "")})


@pytest.mark.parametrize(
    ("headers", "missing"),
    [
        ({}, "x-baseload-feature"),
        ({"taskCategory": "summary"}, "x-baseload-feature"),
        ({"featureId": "search"}, "x-baseload-task"),
        ({"X-Baseload-Feature": "search"}, "x-baseload-task"),
    ],
)
async def test_a_required_tag_is_named_when_it_is_missing(
    s: Stack, headers: dict[str, str], missing: str
) -> None:
    before = s.asked, len(s.rows())
    status, error = await asked(s, KEY, headers)
    assert (status, error["code"], error["param"]) == (400, "invalid_value", missing)
    assert (s.asked, len(s.rows())) == before


async def test_the_articles_names_are_enough_and_stand_in_the_ledger(s: Stack, seen: Seen) -> None:
    status, _ = await asked(s, "edge", {"tenantId": "edge", "x-baseload-region": "sg", **TAGGED})
    assert status == 200
    tags = seen.jobs[-1].tags
    assert (tags.feature, tags.task, tags.region) == ("search", "help", "sg")
    row = seen.rows[-1]
    assert (row.tenant, row.feature, row.task) == ("edge", "search", "help")


@pytest.mark.parametrize("name", ["acme", "nobody", "", "Edge"])
async def test_a_tenant_is_never_chosen_by_a_header(s: Stack, name: str) -> None:
    before = s.asked, len(s.rows())
    status, error = await asked(s, "edge", {"x-tenant-id": name, "x-baseload-region": "sg"})
    assert (status, error["code"]) == (403, "other_tenant")
    assert error["type"] == "permission_error"
    assert (s.asked, len(s.rows())) == before


@pytest.mark.parametrize("region", ["cn", None])
async def test_an_edges_users_have_the_law_of_where_they_are(s: Stack, region: str | None) -> None:
    """Nothing here is registered in China; who says nothing may be there."""
    status, error = await asked(s, "edge", {} if region is None else {"x-baseload-region": region})
    assert (status, error["code"]) == (403, "no_compliant_target")
    assert "cn-genai" in error["message"]
    status, _ = await asked(s, "edge", {"x-baseload-region": "sg"})
    assert status == 200


@pytest.mark.parametrize("key", ["edge", "anybody", KEY, "full"])
@pytest.mark.parametrize("region", ["", "xx", "t1", "SG", "eu", "anywhere", "sg,sg", "s g"])
async def test_no_country_is_no_way_out(s: Stack, key: str, region: str) -> None:
    before = s.asked, len(s.rows())
    status, error = await asked(s, key, {"x-baseload-region": region, **TAGGED})
    assert (status, error["param"]) == (400, "x-baseload-region")
    assert (s.asked, len(s.rows())) == before


# The tenant, what is said, and the code of the refusal.
WAYS_OUT: list[tuple[str, dict[str, str], str]] = [
    ("edge", {}, "no_compliant_target"),
    ("edge", {"x-baseload-region": ""}, "invalid_value"),
    ("edge", {"x-baseload-region": "xx"}, "invalid_value"),
    ("edge", {"X-Region": "sg", "CF-IPCountry": "SG"}, "no_compliant_target"),
    ("edge", {"x-baseload-locale": "en-SG"}, "no_compliant_target"),
    ("edge", {"tenantId": "anybody", "x-baseload-region": "sg"}, "other_tenant"),
    (KEY, TAGGED, "no_compliant_target"),
    (KEY, {"x-baseload-region": "sg", **TAGGED}, "invalid_value"),
    (KEY, {"x-baseload-sensitivity": "public", **TAGGED}, "no_compliant_target"),
    ("full", {"x-baseload-region": "sg"}, "invalid_value"),
    ("anybody", {"x-baseload-sensitivity": "public"}, "no_compliant_target"),
]


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
@pytest.mark.parametrize(("key", "said", "code"), WAYS_OUT)
async def test_no_way_leads_to_a_target_that_may_not_have_it(
    s: Stack, path: Way, key: str, said: dict[str, str], code: str
) -> None:
    """Users in China, or who may be there: nothing here is registered for them."""
    headers = {**said, **({} if key == KEY else {"x-baseload-task": "help"})}
    asked_before = s.asked
    status, error = await asked(s, key, headers, path)
    assert (status, error["code"]) == (400 if code == "invalid_value" else 403, code)
    assert s.asked == asked_before


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
async def test_each_way_is_open_to_whom_it_is_allowed(s: Stack, path: Way) -> None:
    status, _ = await asked(s, "edge", {"x-baseload-region": "sg", "taskCategory": "help"}, path)
    assert status == 200


async def test_a_tenants_default_task_chooses_its_rule(tmp_path: Path) -> None:
    seen = Seen()
    async with stack(tmp_path, config=config(rules=RULES), observers=[seen]) as s:
        open_to_all(s)
        status, _ = await asked(s, "full", path=Way("/chat/completions", chat(model="auto")))
        assert status == 200
        evidence = seen.jobs[-1].record.evidence
        assert evidence is not None
        assert evidence.rule == "help"


@pytest.mark.parametrize("key", [KEY, "anybody", "full"])
async def test_only_an_edge_says_where_its_user_is(s: Stack, key: str) -> None:
    status, error = await asked(s, key, {"x-baseload-region": "sg", **TAGGED})
    assert (status, error["param"]) == (400, "x-baseload-region")
    assert "edge" in error["message"]


async def test_a_tenant_may_name_its_own_home_which_frees_it_of_nothing(s: Stack) -> None:
    status, error = await asked(s, KEY, {"x-baseload-region": "cn", **TAGGED})
    assert (status, error["code"]) == (403, "no_compliant_target")


async def test_what_is_said_below_the_floor_has_no_effect_and_is_named(tmp_path: Path) -> None:
    seen = Seen()
    async with stack(tmp_path, config=config(), observers=[seen]) as s:
        open_to_all(s)
        for said, counts in (
            (None, "pii"),
            ("public", "internal"),
            ("internal", "internal"),
            ("regulated", "regulated"),
        ):
            headers = {} if said is None else {"x-baseload-sensitivity": said}
            status, told = await asked(s, "full", headers)
            assert status == 200
            tags = seen.jobs[-1].tags
            assert tags.sensitivity is Sensitivity(counts)
            evidence = seen.jobs[-1].record.evidence
            assert evidence is not None
            assert dict(evidence.said)["sensitivity"] == (said or "pii")
            assert dict(evidence.effective)["sensitivity"] == counts
            assert told["ignored"] == ("x-baseload-sensitivity" if said == "public" else "")
            assert (tags.feature, tags.task) == ("chat", "help")
        status, _ = await asked(s, "full", {"x-baseload-task": "other"})
        assert seen.jobs[-1].tags.task == "other"


@pytest.mark.parametrize(("key", "is_sold"), [("full", False), ("anybody", True)])
async def test_what_its_default_protects_is_not_sold_after_a_failure_either(
    tmp_path: Path, key: str, is_sold: bool
) -> None:
    broken = [Script(Fault.SERVER_ERROR)]
    waits = config(queue={"wait_ms_max": 300})
    waits["tenants"]["full"].pop("sensitivity_floor")
    async with stack(tmp_path, scripts=broken, sells=True, config=waits) as s:
        open_to_all(s)
        status, _ = await asked(s, key, {"x-baseload-sensitivity": "public"})
        assert bool(s.vendor.engine.asked) == is_sold
        assert (status == 200) == is_sold


@pytest.mark.parametrize(("region", "is_sold"), [("sg", True), ("cn", False)])
async def test_a_second_attempt_knows_where_the_user_is(
    tmp_path: Path, region: str, is_sold: bool
) -> None:
    """The vendor may have requests of Singapore, the replica here those of both."""
    registered = {"jurisdiction": "cn", "number": "1", "model_name": "m"}
    own = {"operator_jurisdiction": "cn", "registrations": [registered]}
    own |= {"storage_regions": ["cn"], "inference_jurisdictions": ["cn"]}
    rules = config(compliance={"packs": ["cn-genai"], "own": own}, queue={"wait_ms_max": 300})
    broken = [Script(Fault.SERVER_ERROR)]
    given = {"facts": AT_HOME}
    async with stack(tmp_path, scripts=broken, sells=True, config=rules, terms=given) as s:
        open_to_all(s)
        status, _ = await asked(s, "edge", {"x-baseload-region": region})
        assert len(s.replicas[0].engine.asked) == 1
        assert bool(s.vendor.engine.asked) == is_sold
        assert (status == 200) == is_sold
