"""docs/economics.md: published claims with their verdicts, the public figures that the formulas
reproduce, and one break-even as an example. All of it follows from formulas and dated prices.
"""

from __future__ import annotations

from benchmarks.documents import break_even_example
from benchmarks.documents.section import Section
from benchmarks.documents.template import section_of
from benchmarks.economics.anchors import anchors
from benchmarks.economics.claims import ClaimVerdict, findings

VERDICTS = {
    ClaimVerdict.HOLDS: "holds",
    ClaimVerdict.HOLDS_IF: "holds only in another reading",
    ClaimVerdict.DOES_NOT_HOLD: "does not hold",
}


def sections() -> list[Section]:
    """The first one is short, too, for the README."""
    return [
        section_of("claims", findings=findings(), says=VERDICTS),
        section_of("anchors", anchors=anchors()),
        break_even_example.section(),
    ]
