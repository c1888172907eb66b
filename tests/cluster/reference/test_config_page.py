"""``docs/config.md`` has every key that is read, with a meaning and a unit."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel

from cluster.application_args import AppArgs
from cluster.profile import HttpOptions
from cluster.reference.config_example import Section
from cluster.reference.config_keys import meaning, unit
from cluster.reference.config_page import page, slug
from cluster.reference.config_sections import SECTIONS
from runtime.config import GatewayConfig
from runtime.config_problems import known_names
from runtime.engine.engine_settings import EngineSettings
from runtime.wire.tags import NO_TAGS

MEANING_CHARS_MAX = 110
WITHOUT_UNIT = {"port", "metrics_port", "temperature"}
ROOTS: dict[str, type[BaseModel]] = {
    "http_options": HttpOptions,
    "args": AppArgs,
    "user_config": GatewayConfig,
}
ENTRIES: dict[str, list[str | int]] = {  # of lists and mappings, one of each
    "pools": [0],
    "tenants": ["search-team"],
    "providers": ["deepinfra"],
    "offers": ["gpt-oss-120b"],
    "contracts": [0],
    "registrations": [0],
    "rules": ["support"],
    "candidates": [0],
    "quality": ["gpt-oss-120b"],
    "abilities": ["gpt-oss-120b"],
}
KEYS = [(section, key) for section in SECTIONS for key in section.model.model_fields]


def test_every_model_that_is_read_has_a_section() -> None:
    for root in (AppArgs, GatewayConfig, HttpOptions, EngineSettings):
        parts = {
            name
            for name, schema in root.model_json_schema().get("$defs", {}).items()
            if "properties" in schema
        } | {root.__name__}
        assert parts <= {section.model.__name__ for section in SECTIONS}


@pytest.mark.parametrize(("section", "key"), KEYS, ids=lambda each: getattr(each, "path", each))
def test_a_key_has_a_short_meaning_and_a_number_its_unit(section: Section, key: str) -> None:
    assert 10 < len(meaning(section.model, key)) <= MEANING_CHARS_MAX
    schema = section.model.model_json_schema()["properties"][key]
    kinds = {each.get("type") for each in schema.get("anyOf", [schema])}
    is_number = bool(kinds & {"integer", "number"})
    assert bool(unit(key, schema)) == (is_number and key not in WITHOUT_UNIT)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.path)
def test_a_section_lists_its_keys_and_no_others(section: Section) -> None:
    text = page().split(f"\n## {section.path}\n")[1].split("\n## ")[0]
    keys = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert keys == [key for key in section.model.model_fields if key not in section.without]
    assert section.example in text


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.path)
def test_a_sections_path_leads_to_its_keys(section: Section) -> None:
    root, *path = section.path.split(".")
    steps: list[str | int] = []
    for part in path:
        steps += [part, *ENTRIES.get(part, [])]
    # What stands under `engine` is read by itself: cluster.checks.resolve_pools.
    model, at = (EngineSettings, []) if path[-1:] == ["engine"] else (ROOTS[root], steps)
    assert known_names(model, tuple(at)) == list(section.model.model_fields)


def test_the_page_says_what_an_untagged_request_counts_as() -> None:
    text = page().split("## What an untagged request counts as")[1].split("\n## ")[0]
    assert f"sensitivity `{NO_TAGS.sensitivity}` and cost tier `{NO_TAGS.cost_tier}`" in text
    assert "class 2 of 3" in text


def test_anchors_are_githubs() -> None:
    assert slug("args.pools.stand_in") == "argspoolsstand_in"
    assert slug("What a `change` needs") == "what-a-change-needs"
