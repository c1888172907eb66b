"""docs/economics.md: published claims with their verdicts, the public figures that the formulas
reproduce, and one break-even as an example. All of it follows from formulas and dated prices.
"""

from __future__ import annotations

from benchmarks.documents import break_even_example
from benchmarks.documents.markdown import paragraphs, plain, table
from benchmarks.documents.section import Section
from benchmarks.economics.anchors import Anchor, anchors
from benchmarks.economics.claims import Finding, Verdict, findings
from benchmarks.economics.words import figure, percent

FORMULAS = """\
- `C`: USD per card-hour, fully loaded: a rent, or a purchase spread over its life, with power,
  colocation, network and staff.
- `θ`: output tokens per second and card within the SLO, at a stated mix of input and output,
  counting every card, those that only read prompts included.
- `U`: what was delivered within the SLO, of θ. A busy counter is not utilization.
- A million output tokens cost `C / (0.0036 · θ · U)`, their input included.
- An API is paid `V = p_out + r · [(1 − h) · p_miss + h · p_hit]` for them: `r` input tokens per
  output token, a share `h` of them cached.
- Owning breaks even at `U* = C / (0.0036 · θ · V)`; above 1 the answer is *never*. In volume it is
  `(730 · N · C + fixed) / V` M output tokens per month on `N` cards, if they can serve it."""

VERDICTS = {
    Verdict.HOLDS: "holds",
    Verdict.HOLDS_IF: "holds only in another reading",
    Verdict.DOES_NOT_HOLD: "does not hold",
}


def page(parts: list[Section]) -> str:
    lead = (
        "What a token costs on cards of one's own, against an API. `make docs` writes this page "
        "from [benchmarks/economics](../benchmarks/economics) and the dated prices in "
        "[models/data/prices.yaml](../models/data/prices.yaml); `baseload breakeven --claims` "
        "prints the same verdicts."
    )
    return paragraphs("# Economics", lead, FORMULAS, *(part.text() for part in parts))


def sections() -> list[Section]:
    found = findings()
    return [
        _claims(found),
        _anchors(anchors()),
        break_even_example.section(),
    ]


def in_short() -> str:
    """For the README."""
    return paragraphs(
        "**Published claims about the cost of tokens**, recomputed from their own inputs:",
        _verdicts(findings()),
    )


def _claims(found: tuple[Finding, ...]) -> Section:
    lead = (
        "A claim holds when its formula, on its own inputs, supports the published figure; it "
        "holds only in another reading when its inputs, read in another way, do."
    )
    return Section("Claims", paragraphs(lead, _verdicts(found), *map(_arithmetic, found)))


def _verdicts(found: tuple[Finding, ...]) -> str:
    rows = [
        [
            plain(each.claim.says),
            f"{each.claim.published:,}",
            figure(each.computed),
            plain(each.claim.unit),
            VERDICTS[each.verdict],
        ]
        for each in found
    ]
    heads = ["claim", "published", "computed", "unit", "verdict"]
    return table(heads, rows, "lrrll")


def _arithmetic(finding: Finding) -> str:
    claim = finding.claim
    given = [
        [plain(name.replace("_", " ")), str(each.value), plain(each.source)]
        for name, each in claim.inputs.items()
    ]
    tiers = [
        [
            f"{plain(tier.name)}, {percent(tier.share)}",
            f"{tier.input_usd} / {tier.output_usd}",
            "USD per M tokens in / out",
        ]
        for tier in claim.tiers
    ]
    return paragraphs(
        f"### `{claim.claim_id}`",
        f"> {plain(claim.says)}. ({plain(claim.source)})",
        f"`{finding.formula_shown}` gives **{figure(finding.computed)}** {plain(claim.unit)}, "
        f"published {claim.published:,}: **{VERDICTS[finding.verdict]}**.",
        plain(finding.condition[:1].upper() + finding.condition[1:]),
        table(("input", "value", "source"), [*tiers, *given], "lrl"),
    )


def _anchors(known: tuple[Anchor, ...]) -> Section:
    rows = [
        [
            plain(each.says),
            each.published,
            figure(each.computed),
            "yes" if each.agrees else "NO",
            plain(f"{each.unit}; {each.note}" if each.note else each.unit),
        ]
        for each in known
    ]
    lead = (
        "Before anyone believes what the formulas say of a claim, they reproduce these, within 1 % "
        "or to the digits that were published."
    )
    heads = ("public figure", "published", "computed", "agrees", "unit and note")
    return Section("Public figures, reproduced", paragraphs(lead, table(heads, rows, "lrrll")))
