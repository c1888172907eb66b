"""The shipped examples are files that a check accepts, and of which it says what is to be known."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml

from cluster.checks.check_config_file import Place, Surroundings, check_file
from cluster.machine.inventory import Inventory
from runtime.config_problems import where
from tests.runtime.routing.example import FOLDER, NAMES, document

SAID = {
    # No score of glm-5 was published with the others.
    "task-rules": ["rules.enterprise_qa.candidates[1]", "rules.financial_qa.candidates[1]"],
    "bilingual": [],
    "three-tiers": [],
}


def test_every_example_is_looked_at() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {*NAMES, "prices"}
    assert SAID.keys() == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_accepted(name: str, tmp_path: Path) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(yaml.safe_dump(document(name)))
    around = Surroundings(
        Place.ELSEWHERE,
        tmp_path,
        date(2026, 11, 30),
        {},
        Inventory("here", problems=("none",)),
        lambda *_: "not asked",
    )
    report = check_file(file, around)
    assert report.errors == []
    paths = [where(each.problem.path).partition("user_config.")[2] for each in report.findings]
    assert paths == SAID[name]
    assert all(offer.price is not None for offer in report.offers)
