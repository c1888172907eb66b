"""Two pools that a rule joins against a clairvoyant, as the numbers show them."""

from __future__ import annotations

from statistics import mean

from benchmarks.documents.results import Result
from benchmarks.documents.section import Section
from benchmarks.documents.template import section_of
from benchmarks.studies.two_pools import HORIZON_S, PRICES, TTFT_MS, pools

CASES = {
    "joined": "joined",
    "full_alone": "the full pool alone",
    "other_alone": "the other alone",
    "overflow": "first come, overflow",
}
WITHIN = 0.05


def section(result: Result) -> Section:
    cells = result.document["cells"]
    played = {name for cell in cells for name in cell["cases"]}
    joined = [cell["cases"]["joined"]["regret"] for cell in cells if "joined" in cell["cases"]]
    regrets = [regret for regret in joined if regret is not None]
    return section_of(
        "two_pools",
        result=result,
        document=result.document,
        pools=pools(),
        prices=PRICES,
        horizon_s=HORIZON_S,
        ttft_s=TTFT_MS / 1000,
        cases={name: label for name, label in CASES.items() if name in played},
        within=sum(regret <= WITHIN for regret in regrets),
        bounded=len(regrets),
        mean=mean(regrets) if regrets else None,
        worst=max(regrets, default=None),
    )
