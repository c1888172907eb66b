"""The profiles that ship are those that the planner would write."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cluster.manifests.card_profiles import PROFILES, CardProfile
from cluster.profile import parse
from models.cards import load_cards


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.card)
def test_the_profile_can_be_served(profile: CardProfile) -> None:
    read = parse(Path("x.yaml"), yaml.safe_load(profile.text()))
    (pool,) = read.args.pools
    assert (pool.card, pool.model) == (profile.card, profile.model)
    priced = load_cards()[profile.card].nano_usd_per_hour is not None
    assert priced or pool.card_usd_per_hour is not None, "a pool without a price is refused"


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.card)
def test_the_file_is_what_the_planner_writes(profile: CardProfile) -> None:
    """Else: python -m cluster.manifests.card_profiles"""
    assert profile.path.read_text("utf-8") == profile.text()


def test_every_card_has_a_profile() -> None:
    assert {profile.card for profile in PROFILES} == set(load_cards()) - {"cpu"}
