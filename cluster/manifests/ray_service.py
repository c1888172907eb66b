"""A KubeRay ``RayService`` around a Serve config: one head, and the nodes with the cards.

The operator deploys the config through Ray's dashboard, so that cannot listen on loopback only
as elsewhere: it takes nothing without the token that the operator makes (``authOptions``, from
KubeRay 1.5.1 on). The head serves requests; its service is not reachable from outside unless
somebody adds an ingress.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from cluster.application_args import PoolArgs
from cluster.machine.haproxy import BINARY_ENV
from cluster.manifests.serve_config import HTTP_PORT, as_yaml, nodes_taken
from cluster.placement_group import card_resource
from cluster.state_folder import DRAIN_ENV, STATE_ENV
from models.cards import Card
from models.layout import Layout

KEYS_SECRET = "baseload-keys"  # noqa: S105 -- the name of a Secret
STATE_CLAIM = "baseload-state"
MODELS_CLAIM = "baseload-models"
STATE_MOUNT, MODELS_MOUNT, SHARED_MEMORY_MOUNT = "/state", "/models", "/dev/shm"  # noqa: S108
AGENT_PORT = 52365  # of Ray on each node; its health path needs no token
HAPROXY = "/opt/baseload/.venv/bin/baseload-haproxy"  # in the image of Dockerfile.cuda
USER_ID = 10001  # of that image
DRAIN_S = 60
GRACE_S = 30  # between the last stream and the end of the pod

HEAD_RESOURCES = {"cpu": "4", "memory": "16Gi"}
CPUS_PER_CARD = 12
MEMORY_GI_PER_CARD = 96
SHARED_MEMORY = "16Gi"


def ray_service(
    config: Mapping[str, Any],
    card: Card,
    layout: Layout,
    *,
    image: str,
    name: str = "baseload",
    namespace: str = "baseload",
) -> dict[str, Any]:
    """The manifest of ``config``, which has one pool of ``card`` in ``layout``. ``image`` is
    built from Dockerfile.cuda. A pool that autoscales has its nodes added and removed."""
    inside = copy.deepcopy(dict(config))
    inside["http_options"] = {**inside.get("http_options", {}), "host": "0.0.0.0"}  # noqa: S104
    (application,) = inside["applications"]
    application["args"].pop("engine_host", None)  # engines are in other pods
    (pool,) = application["args"]["pools"]
    pool_args = PoolArgs.model_validate(pool)
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "serveConfigV2": as_yaml(inside),
            "rayClusterConfig": {
                "rayVersion": version("ray"),
                "authOptions": {"mode": "token"},
                "enableInTreeAutoscaling": pool_args.autoscaling is not None,
                "headGroupSpec": _head(image),
                "workerGroupSpecs": [_workers(card, layout, pool_args, image)],
            },
        },
    }


def _head(image: str) -> dict[str, Any]:
    """No engine runs here (``num-cpus: 0``): the Scheduler, the ledger and the proxy do."""
    container = _container("head", image, HEAD_RESOURCES)
    container["ports"] = [
        {"name": "dashboard", "containerPort": 8265},
        {"name": "serve", "containerPort": HTTP_PORT},
    ]
    container["volumeMounts"].append({"name": "state", "mountPath": STATE_MOUNT})
    return {
        "rayStartParams": {"num-cpus": "0"},
        "template": _pod(container, [_claim("state", STATE_CLAIM)]),
    }


def _workers(card: Card, layout: Layout, pool: PoolArgs, image: str) -> dict[str, Any]:
    low, most = pool.replicas, pool.replicas
    if pool.autoscaling is not None:
        low, most = pool.autoscaling.replicas_min, pool.autoscaling.replicas_max
    nodes_max = nodes_taken(layout, most)
    cards = layout.cards * most if nodes_max == 1 else layout.cards_per_node
    own = card_resource(card.card_id)
    resources = {
        "cpu": str(CPUS_PER_CARD * cards),
        "memory": f"{MEMORY_GI_PER_CARD * cards}Gi",
        "nvidia.com/gpu": str(cards),
    }
    template = _pod(_container("engine", image, resources), [])
    template["spec"]["automountServiceAccountToken"] = False
    if card.cuda_name is not None:
        # The label that NVIDIA's feature discovery gives to a node.
        template["spec"]["nodeSelector"] = {
            "nvidia.com/gpu.product": card.cuda_name.replace(" ", "-")
        }
    return {
        "groupName": card.card_id,
        "replicas": nodes_taken(layout, pool.replicas),
        "minReplicas": nodes_taken(layout, low),
        "maxReplicas": nodes_max,
        # Quoted twice: the operator puts it on a command line as it stands.
        "rayStartParams": {"resources": json.dumps(json.dumps({own: cards}))},
        "template": template,
    }


def _container(name: str, image: str, resources: Mapping[str, str]) -> dict[str, Any]:
    """Ray's own health is what is probed: engines take minutes to load, and the operator deploys
    nothing to a head that is not ready."""
    probe = {"httpGet": {"path": "/api/healthz", "port": AGENT_PORT}, "timeoutSeconds": 5}
    return {
        "name": name,
        "image": image,
        "env": [
            {"name": STATE_ENV, "value": STATE_MOUNT},
            {"name": DRAIN_ENV, "value": str(DRAIN_S)},
            {"name": "RAY_SERVE_ENABLE_HA_PROXY", "value": "1"},
            {"name": BINARY_ENV, "value": HAPROXY},
            {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"},
            {"name": "RAY_worker_niceness", "value": "0"},
        ],
        "envFrom": [{"secretRef": {"name": KEYS_SECRET, "optional": True}}],
        "resources": {"requests": dict(resources), "limits": dict(resources)},
        "readinessProbe": {**probe, "periodSeconds": 5, "failureThreshold": 10},
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 30},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "models", "mountPath": MODELS_MOUNT, "readOnly": True},
            {"name": "shared-memory", "mountPath": SHARED_MEMORY_MOUNT},
        ],
    }


def _pod(container: dict[str, Any], volumes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "spec": {
            "securityContext": {"runAsNonRoot": True, "runAsUser": USER_ID, "fsGroup": USER_ID},
            "terminationGracePeriodSeconds": DRAIN_S + GRACE_S,
            "containers": [container],
            "volumes": [
                _claim("models", MODELS_CLAIM),
                {
                    "name": "shared-memory",
                    "emptyDir": {"medium": "Memory", "sizeLimit": SHARED_MEMORY},
                },
                *volumes,
            ],
        }
    }


def _claim(name: str, claim: str) -> dict[str, Any]:
    return {"name": name, "persistentVolumeClaim": {"claimName": claim}}
