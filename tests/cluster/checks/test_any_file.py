"""Whatever is put wherever into a config file: a check ends, and what it calls valid starts."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cluster.checks.check_config_file import Place, Surroundings, check_file
from cluster.checks.config_summary import as_json, as_lines
from cluster.checks.resolve_pools import Known
from cluster.machine.inventory import Inventory
from cluster.manifests.card_profiles import PROFILES
from cluster.profile import LOCAL_PROFILE
from cluster.state_folder import STATE_ENV
from models.tiny.checkpoint import ensure_tiny_moe
from tests.cluster.checks.starting import started_from

KNOWN = Known.load()
LOCAL = yaml.safe_load(LOCAL_PROFILE.read_text())


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = [(*path, key) for key, _ in inner] if isinstance(value, dict | list) else []
    for key in [each[-1] for each in found]:
        if isinstance(value[key], dict | list):
            found += places(value[key], (*path, key))
    return found


PLACES = [path for path in places(LOCAL) if path != ("applications", 0, "args", "stand_in")]
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, -1, 0, 1, 7, 8000, 99_999, 2**62, 1e300, float("nan"), 0.5),
        *("", "x", "no", "2,30", "tiny-moe", "cpu", "h200", "10.0.0.1", "::1", "é\n", "a" * 300),
        *([], {}, [1], {"x": 1}, [{}], {"": None}, {1: 2}, [[]], {"tiny-moe": "tiny-moe"}),
    ]
)


@pytest.fixture(scope="module", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("state")
    ensure_tiny_moe(folder / "tiny-moe")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE_ENV, str(folder))
        patch.setattr(Known, "load", lambda: KNOWN)
        yield folder


def around(state: Path, place: Place) -> Surroundings:
    seen = Inventory("here", problems=("none",))
    return Surroundings(
        place, state, date(2026, 11, 30), dict(os.environ), seen, lambda *_: "not asked"
    )


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=2))
@example([(("http_options",), {})])
def test_what_is_called_valid_starts(
    state: Path, tmp_path: Path, edits: list[tuple[tuple[str | int, ...], Any]]
) -> None:
    document = yaml.safe_load(LOCAL_PROFILE.read_text())
    for path, value in edits:
        at: Any = document
        for part in path[:-1]:
            at = at[part] if _has(at, part) else {}
        if isinstance(at, dict) or _has(at, path[-1]):
            at[path[-1]] = value
    file = tmp_path / "any.yaml"
    file.write_text(yaml.safe_dump(document))
    report = check_file(file, around(state, Place.HERE))
    assert as_json(report)["valid"] is (not report.errors)
    assert all("\n" not in line for line in as_lines(report))
    assert (report.profile is None) is bool(report.errors)
    if not report.errors:
        started_from(document)


def _has(value: Any, key: Any) -> bool:
    if isinstance(value, dict):
        return key in value
    return isinstance(value, list) and isinstance(key, int) and key < len(value)


@pytest.mark.parametrize("path", [LOCAL_PROFILE, *(each.path for each in PROFILES)], ids=str)
def test_the_files_of_this_project_have_nothing_wrong(state: Path, path: Path) -> None:
    report = check_file(path, around(state, Place.ELSEWHERE))
    assert report.findings == ()
    assert report.profile is not None
