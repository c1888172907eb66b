"""The Serve config files of this folder, one per card type, as the planner writes them.

    python -m cluster.manifests.card_profiles

A test plans them again and compares, so that a change of the catalogue, the cards or the planner
shows as a change of these files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cluster.manifests.planned_model import Planned
from cluster.manifests.serve_config import serve_file
from models.cards import find_card
from models.catalogue import load_catalogue
from models.planner import Objective, plan

FOLDER = Path(__file__).parents[1]
OBJECTIVE = Objective(input_tokens=2_000, output_tokens=500, ttft_ms=2_000, tpot_ms=50)


@dataclass(frozen=True, slots=True)
class CardProfile:
    """A model for one node of a card type."""

    card: str
    model: str
    cards: int = 8
    card_usd_per_hour: str | None = None  # where the card file has no dated price

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.card}.yaml"

    def text(self) -> str:
        entry = load_catalogue().get(self.model)
        shape = entry.shape()
        found = plan(shape, find_card(self.card), self.cards, OBJECTIVE)
        return serve_file(Planned(self.model, shape, entry, found), self.card_usd_per_hour)


PROFILES = (
    CardProfile("h100", "qwen3-235b-a22b-fp8"),
    CardProfile("h200", "deepseek-v3.2"),
    CardProfile("h800", "qwen3-235b-a22b-fp8"),
    CardProfile("h20", "qwen3-235b-a22b-fp8"),
    CardProfile("h20-3e", "deepseek-v3.2", card_usd_per_hour="1.20"),  # an assumption: set your own
)


def main() -> None:
    for profile in PROFILES:
        profile.path.write_text(profile.text(), encoding="utf-8")


if __name__ == "__main__":
    main()
