"""The map as a page for a review: one file that loads nothing and can be kept as evidence."""

from __future__ import annotations

from benchmarks.pages.templates import environment
from cluster.checks.data_flows.flows import ALLOWED
from cluster.checks.data_flows.map_schema import DataFlowMap
from cluster.cli.data_flows import map_in_words

_TEMPLATES = environment("cluster.cli.data_flows", is_html=True)


def map_page(found: DataFlowMap) -> str:
    return _TEMPLATES.get_template("data_flows.html.j2").render(
        title=f"Where data of {found.config} may go",
        lead=map_in_words.title_of(found),
        verdict=map_in_words.summary(found),
        endings=[
            (map_in_words.of_ending(each), [map_in_words.of_loss(each, lost) for lost in each.lost])
            for each in found.endings
        ],
        refused=[
            (map_in_words.of_flow(each), ", ".join(each.refused_models))
            for each in found.flows
            if each.refused_models
        ],
        flows=[
            (
                map_in_words.of_flow(flow),
                [
                    (each.target, each.code == ALLOWED, map_in_words.of_verdict(each))
                    for each in flow.verdicts
                ],
            )
            for flow in found.flows
        ],
        recipients=[(each.target, map_in_words.of_recipient(each)) for each in found.recipients],
        records=[map_in_words.of_record(each) for each in found.records],
    )
