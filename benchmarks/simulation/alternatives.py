"""What a request of an experiment can be bought from instead, in words, and what to warn of."""

from __future__ import annotations

from benchmarks.simulation.experiment import Experiment

BOUND_NOT_FOUND = (
    "no bound: the solver ran out of time or failed, which proves nothing; run it again on a "
    "quieter machine, or with fewer requests"
)


def alternatives_in_words(experiment: Experiment) -> str:
    """What each request may be bought from, and how far the prices lie apart: one sentence."""
    count = len(experiment.offers)
    if experiment.pools and experiment.alternatives == "any":
        return f"{count} offers; each request may be bought from those of its rule's models"
    if count == 1:
        return "one offer, from which each request may be bought"
    if experiment.alternatives == "any":
        return f"{count} offers{_spread(experiment)}; each request may be bought from any of them"
    return (
        f"{count} offers{_spread(experiment)}; each request may be bought from one of them only, "
        "which is drawn at random for it"
    )


def warnings(experiment: Experiment) -> list[str]:
    """What makes the figures of a run other than they seem."""
    late = [offer for offer in experiment.offers if offer.ttft_ms > experiment.ttft_ms]
    if not late:
        return []
    least_ms = min(offer.ttft_ms for offer in experiment.offers)
    if len(late) == len(experiment.offers):
        return [
            f"no offer answers within the TTFT budget of {experiment.ttft_ms} ms (the fastest "
            f"takes {least_ms} ms): what is bought comes too late, is paid for all the same, and "
            f"the bound takes it for in time; give --ttft-ms {least_ms} or more, or faster offers"
        ]
    names = ", ".join(offer.offer_id for offer in late)
    return [
        f"{names}: first token later than the TTFT budget of {experiment.ttft_ms} ms, so what is "
        "bought there comes too late, is paid for all the same, and the bound takes it for in time"
    ]


def _spread(experiment: Experiment) -> str:
    """How many times the dearest output costs the cheapest."""
    picos = [offer.price.output_pico for offer in experiment.offers]
    if min(picos) in (0, max(picos)):
        return ""
    return f", {max(picos) / min(picos):.3g} times apart"
