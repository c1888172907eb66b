from __future__ import annotations

import json
from dataclasses import asdict, replace
from math import inf, nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation import profile as profile_module
from benchmarks.simulation.profile import BadProfile, Profile, known_profiles, load_profile
from tests.benchmarks.simulation.example_profile import PROFILE

NUMBERS = ("prefill_tok_s", "step_fixed_s", "step_request_s", "step_kv_token_s")


def write(path: Path, **changes: object) -> Path:
    path.write_text(json.dumps(asdict(PROFILE) | changes), encoding="utf-8")
    return path


@given(st.integers(1, 5_000), st.integers(0, 5_000), st.integers(1, 400))
def test_work_is_the_share_of_every_step_at_a_full_batch(new: int, warm: int, output: int) -> None:
    steps = sum(
        PROFILE.step_s(PROFILE.running_max, PROFILE.running_max * (new + warm + done), 0)
        for done in range(output)
    )
    expected = new / PROFILE.prefill_tok_s + steps / PROFILE.running_max
    assert PROFILE.work_s(new, new + warm, output) == pytest.approx(expected)


def test_a_step_adds_its_four_parts() -> None:
    assert PROFILE.step_s(10, 1_000_000, 9_000) == pytest.approx(9e-3 + 3.7e-3 + 1e-2 + 0.5)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1.0, nan, inf])
def test_a_number_that_no_engine_has_is_refused(name: str, value: float) -> None:
    with pytest.raises(BadProfile, match=name):
        replace(PROFILE, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["kv_tokens_max", "running_max", "batched_tokens_max", "context_tokens_max"]
)
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(BadProfile, match=name):
        replace(PROFILE, **{name: 0})  # type: ignore[arg-type]


def test_a_free_step_and_a_context_beyond_the_cache_are_refused() -> None:
    with pytest.raises(BadProfile, match="must take time"):
        replace(PROFILE, step_fixed_s=0.0, step_request_s=0.0)
    with pytest.raises(BadProfile, match="kv_tokens_max"):
        replace(PROFILE, kv_tokens_max=1_000)
    with pytest.raises(BadProfile, match="prefill_tok_s"):
        replace(PROFILE, prefill_tok_s=0.0)
    with pytest.raises(BadProfile, match="source must not be empty"):
        replace(PROFILE, source="")


def test_a_profile_is_found_by_name_or_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile_module, "PROFILES_FOLDER", tmp_path)
    path = write(tmp_path / "example.json", provenance={"rows": 14, "by_sample": {"a": 1.5}})
    assert known_profiles() == ("example",)
    assert load_profile("example") == load_profile(path) == load_profile(str(path)) == PROFILE


def test_an_unknown_name_names_the_known_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile_module, "PROFILES_FOLDER", tmp_path)
    write(tmp_path / "h200.json")
    write(tmp_path / "h100.json")
    with pytest.raises(BadProfile, match=r"nope.*known profiles: h100, h200"):
        load_profile("nope")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"kv_tokens_max": 1.5}, "kv_tokens_max"),
        ({"prefill_tok_s": "fast"}, "prefill_tok_s"),
        ({"speed": 1}, "speed"),
        ({"step_fixed_s": nan}, "step_fixed_s"),
    ],
)
def test_a_wrong_file_is_refused_by_the_key(
    tmp_path: Path, changes: dict[str, object], what: str
) -> None:
    with pytest.raises(BadProfile, match=what):
        load_profile(write(tmp_path / "p.json", **changes))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '"x"', "\xff", " " * 70_000])
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadProfile, match=r"p\.json"):
        load_profile(path)


def test_every_profile_that_ships_can_be_loaded_and_bears_its_files_name() -> None:
    assert {load_profile(name).name for name in known_profiles()} == set(known_profiles())


def test_the_file_has_the_profiles_own_fields() -> None:
    file_fields = set(profile_module._ProfileFile.model_fields)
    assert file_fields == set(Profile.__dataclass_fields__) | {"provenance"}
