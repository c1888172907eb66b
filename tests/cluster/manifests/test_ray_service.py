"""The manifest holds the same application, asks for the cards of the plan, and opens nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.application_args import AutoscalingArgs
from cluster.manifests.ray_service import ray_service
from cluster.manifests.serve_config import as_yaml, nodes_taken
from cluster.profile import parse
from models.cards import find_card
from models.layout import Layout
from tests.cluster.manifests.test_serve_config import config


def manifest(
    layout: Layout,
    replicas: int = 1,
    card: str = "h200",
    autoscaling: AutoscalingArgs | None = None,
) -> dict[str, Any]:
    written = config("glm-5", layout, replicas, card, autoscaling)
    made = ray_service(written, find_card(card), layout, image="registry.example/baseload:1")
    read = yaml.safe_load(as_yaml(made))
    assert isinstance(read, dict)
    return read


def groups(made: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    cluster = made["spec"]["rayClusterConfig"]
    (workers,) = cluster["workerGroupSpecs"]
    return cluster["headGroupSpec"], workers


def test_the_application_is_the_same_but_for_where_it_listens() -> None:
    inside = yaml.safe_load(manifest(Layout(8))["spec"]["serveConfigV2"])
    profile = parse(Path("x.yaml"), inside)
    outside = parse(Path("x.yaml"), config("glm-5", Layout(8)))
    assert profile.args.pools == outside.args.pools
    assert profile.routing == outside.routing
    assert (profile.host, profile.args.engine_host) == ("0.0.0.0", None)  # noqa: S104
    assert outside.host == "127.0.0.1", "the config that was given stays as it is"


def test_the_config_inside_can_be_read() -> None:
    text = as_yaml(ray_service(config("glm-5", Layout(8)), find_card("h200"), Layout(8), image="i"))
    assert "serveConfigV2: |\n" in text


@pytest.mark.parametrize(
    ("layout", "replicas", "wanted"),
    [
        (Layout(1), 1, (1, 1)),
        (Layout(2), 3, (1, 6)),
        (Layout(8), 2, (2, 8)),
        (Layout(4), 3, (2, 8)),
        (Layout(3), 5, (3, 8)),
        (Layout(8, pp=2), 2, (4, 8)),
        (Layout(4, cards_per_node=4), 2, (2, 4)),
    ],
)
def test_nodes_and_their_cards(layout: Layout, replicas: int, wanted: tuple[int, int]) -> None:
    assert nodes_taken(layout, replicas) == wanted[0]
    _, workers = groups(manifest(layout, replicas))
    nodes, cards = wanted
    (container,) = workers["template"]["spec"]["containers"]
    assert workers["replicas"] == workers["minReplicas"] == workers["maxReplicas"] == nodes
    assert container["resources"]["limits"]["nvidia.com/gpu"] == str(cards)
    custom = json.loads(json.loads(workers["rayStartParams"]["resources"]))
    assert custom == {"card:h200": cards}


def test_cards_of_one_kind_only() -> None:
    _, workers = groups(manifest(Layout(8), card="h20-3e"))
    assert workers["template"]["spec"]["nodeSelector"] == {
        "nvidia.com/gpu.product": "NVIDIA-H20-3e"
    }


def test_nothing_is_open() -> None:
    made = manifest(Layout(8))
    assert made["spec"]["rayClusterConfig"]["authOptions"] == {"mode": "token"}
    for group in groups(made):
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["envFrom"] == [{"secretRef": {"name": "baseload-keys", "optional": True}}]
        assert not any("key" in each["name"].lower() for each in container["env"])
        assert {container[probe]["httpGet"]["port"] for probe in PROBES} == {52365}


PROBES = ("readinessProbe", "livenessProbe")


def test_engines_may_not_talk_to_kubernetes() -> None:
    _, workers = groups(manifest(Layout(8)))
    assert workers["template"]["spec"]["automountServiceAccountToken"] is False


def test_a_pool_that_grows_has_nodes_to_grow_into() -> None:
    bounds = AutoscalingArgs(replicas_max=4, prometheus="http://prometheus:9090")
    made = manifest(Layout(8), 2, autoscaling=bounds)
    _, workers = groups(made)
    assert made["spec"]["rayClusterConfig"]["enableInTreeAutoscaling"] is True
    assert (workers["replicas"], workers["minReplicas"], workers["maxReplicas"]) == (2, 1, 4)
    fixed = manifest(Layout(8), 2)
    assert fixed["spec"]["rayClusterConfig"]["enableInTreeAutoscaling"] is False


def test_the_head_keeps_the_ledger_and_runs_no_engine() -> None:
    head, workers = groups(manifest(Layout(8)))
    mounts = {each["name"] for each in head["template"]["spec"]["containers"][0]["volumeMounts"]}
    assert "state" in mounts
    assert head["rayStartParams"]["num-cpus"] == "0"
    engine = workers["template"]["spec"]["containers"][0]
    assert "state" not in {each["name"] for each in engine["volumeMounts"]}
