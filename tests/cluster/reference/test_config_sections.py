"""Each example of a section is part of a file that `baseload check` accepts and a start takes."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from cluster.checks.check_config_file import CheckReport, Place, Surroundings, check_file
from cluster.config_finding import ARGS, HTTP, ROUTING, at_path
from cluster.machine.inventory import Inventory
from cluster.reference.config_example import SMALLEST, Section
from cluster.reference.config_keys import NONE, rows
from cluster.reference.config_sections import SECTIONS
from runtime.config import GatewayConfig
from scheduler.settings import Settings

BY_NAME = ("tenants", "providers", "offers", "rules", "quality", "abilities")
IN_A_NAMED = ("offers", "facts", "candidates", "needs", "defaults")
PLACES = {"http_options": HTTP, "args": ARGS, "user_config": ROUTING}


def whole(example: str) -> dict[str, Any]:
    """The smallest file with what an example says in its places."""
    document: dict[str, Any] = yaml.safe_load(SMALLEST)
    for part, given in yaml.safe_load(example).items():
        at_path(document, PLACES[part]).update(given)
    return document


def checked(document: Any, folder: Path) -> CheckReport:
    file = folder / "example.yaml"
    file.write_text(yaml.safe_dump(document))
    around = Surroundings(
        Place.ELSEWHERE,
        folder,
        date(2026, 11, 30),
        {},
        Inventory("here", problems=("none",)),
        lambda *_: "not asked",
    )
    return check_file(file, around)


def said(report: CheckReport) -> list[str]:
    return [str(each) for each in report.findings]


def test_the_smallest_file_is_accepted(tmp_path: Path) -> None:
    assert said(checked(yaml.safe_load(SMALLEST), tmp_path)) == []


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.path)
def test_an_example_is_accepted_without_a_warning(section: Section, tmp_path: Path) -> None:
    report = checked(whole(section.example), tmp_path)
    assert said(report) == []
    assert report.profile is not None


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.path)
def test_an_example_says_something_of_its_section(section: Section) -> None:
    at: Any = yaml.safe_load(section.example)
    for part in section.path.split("."):
        at = at[0] if isinstance(at, list) else at
        at = next(iter(at.values())) if part in IN_A_NAMED and part not in at else at
        at = at[part]
    at = next(each for each in at if isinstance(each, dict)) if isinstance(at, list) else at
    inner = next(iter(at.values()))
    keys = set(inner if section.path.endswith(BY_NAME) else at)
    assert keys
    assert keys <= section.model.model_fields.keys() - section.without


def test_a_misspelt_key_is_not_accepted(tmp_path: Path) -> None:
    document = whole("user_config:\n  spill: { usd_per_hour: '1.00' }\n")
    assert "usd_per_hour" in said(checked(document, tmp_path))[0]


def test_an_example_replaces_only_what_it_names() -> None:
    document = whole("user_config:\n  ttft_budget_ms: 7\n")
    assert at_path(document, ROUTING) == {"ttft_budget_ms": 7}
    assert document["applications"][0]["args"]["local_key"] is True
    assert at_path(whole("args:\n  local_key: false\n"), ROUTING) == {}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (name, key)
        for name, value in Settings()
        if isinstance(value, BaseModel)
        for key in type(value).model_fields
    ],
)
def test_the_default_of_a_key_is_what_the_scheduler_takes(name: str, key: str) -> None:
    (section,) = (each for each in SECTIONS if each.path == f"user_config.{name}")
    told = {cells[0]: cells[3] for cells in rows(section.model)}[f"`{key}`"]
    written = None if told == NONE else yaml.safe_load(told.strip("`"))
    same = GatewayConfig.model_validate({name: {key: written}}).settings()
    assert same == Settings()
    assert written == getattr(getattr(Settings(), name), key)
    other: Any = "1.00" if "usd" in key else 0.25 if isinstance(written, float) else 77
    changed = GatewayConfig.model_validate({name: {key: other}}).settings()
    assert getattr(getattr(changed, name), key) not in (None, written)
