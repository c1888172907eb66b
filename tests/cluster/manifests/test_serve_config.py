"""What a plan writes is what the application reads, and no decision of the plan is lost."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from cluster.application_args import AutoscalingArgs
from cluster.manifests.serve_config import as_yaml, engine_section, serve_config, serve_file
from cluster.profile import parse
from models.cards import find_card, load_cards
from models.catalogue import load_catalogue
from models.layout import Layout
from models.planned_vllm_flags import engine_args
from models.vllm_flags import LAYOUT_FLAGS, Flags, command_words, layout_flags
from runtime.engine.engine_settings import EngineSettings
from runtime.engine.vllm_adapter.command_line import command_line
from runtime.errors import ConfigError

CATALOGUE, CARDS = load_catalogue(), load_cards()

LAYOUTS = (
    Layout(1),
    Layout(8),
    Layout(4, 2, expert_parallel=True),
    Layout(1, 16, expert_parallel=True),
    Layout(8, pp=2, dcp=8),
    Layout(16, 2),
    Layout(2, 2, cards_per_node=4),
)


def planned_args(model: str, layout: Layout, card: str = "h200") -> Flags:
    return engine_args(
        CATALOGUE.get(model),
        layout,
        find_card(card, CARDS),
        context_tokens_max=32_768,
        running_max=128,
        batched_tokens_max=8192,
        kv_dtype="fp8",
        memory_utilization=0.92,
    )


def config(
    model: str,
    layout: Layout,
    replicas: int = 1,
    card: str = "h200",
    autoscaling: AutoscalingArgs | None = None,
) -> dict[str, Any]:
    return serve_config(
        CATALOGUE.get(model),
        find_card(card, CARDS),
        layout,
        planned_args(model, layout, card),
        replicas=replicas,
        autoscaling=autoscaling,
    )


def settings(model: str, section: dict[str, Any]) -> EngineSettings:
    entry = CATALOGUE.get(model)
    return EngineSettings(
        model=model,
        checkpoint=Path("/models/x"),
        tool_parser=entry.tool_parser,
        reasoning_parser=entry.reasoning_parser,
        **section,
    )


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("model", ["deepseek-v3.2", "minimax-m2.5", "gpt-oss-120b"])
def test_the_engine_is_started_as_the_plan_says(model: str, layout: Layout) -> None:
    args = planned_args(model, layout)
    read = settings(model, engine_section(layout, args))
    assert read.layout == layout
    started = command_line(read, "cuda")
    lost = [
        f"{name}={value}"
        for name, value in args.items()
        if not {f"--{name}={value}", f"--{name}" if value is True else ""} & set(started)
        and not (value is False and f"--no-{name}" in started)
    ]
    assert lost == []


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_file_without_a_plan_starts_a_layout_as_a_plan_does(layout: Layout) -> None:
    sizes = {each.setting: getattr(layout, each.size) for each in LAYOUT_FLAGS}
    by_hand = settings("glm-5", {**sizes, "cards_per_node": layout.cards_per_node})
    planned = {name: planned_args("glm-5", layout)[name] for name in layout_flags(layout)}
    assert set(command_words(planned)) <= set(command_line(by_hand, "cuda"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pydantic, by Serve's own import
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_the_file_is_a_profile_that_serve_takes(layout: Layout) -> None:
    from ray.serve.schema import ServeDeploySchema

    written = yaml.safe_load(as_yaml(config("glm-5", layout, replicas=2)))
    ServeDeploySchema.model_validate(written)
    profile = parse(Path("x.yaml"), written)
    (pool,) = profile.args.pools
    assert (pool.model, pool.card, pool.replicas) == ("glm-5", "h200", 2)
    assert pool.checkpoint == Path("/models/zai-org/GLM-5")
    assert settings("glm-5", pool.engine).layout == layout


def test_nothing_is_open_by_default() -> None:
    written = config("gpt-oss-120b", Layout(1))
    profile = parse(Path("x.yaml"), written)
    assert profile.host == "127.0.0.1"
    assert profile.args.engine_host == "127.0.0.1"
    assert profile.args.local_key
    assert profile.routing.telemetry.metrics_host == "127.0.0.1"


def test_engines_of_several_nodes_listen_at_their_own_addresses() -> None:
    assert "engine_host" not in config("glm-5", Layout(8), replicas=2)["applications"][0]["args"]
    assert "engine_host" not in config("glm-5", Layout(16))["applications"][0]["args"]


def test_a_pool_that_may_grow() -> None:
    bounds = AutoscalingArgs(replicas_max=3, prometheus="http://127.0.0.1:9090")
    within, beyond = (config("glm-5", Layout(size), autoscaling=bounds) for size in (2, 8))
    (pool,) = parse(Path("x.yaml"), within).args.pools
    assert pool.autoscaling == bounds
    assert "engine_host" in within["applications"][0]["args"]
    assert "engine_host" not in beyond["applications"][0]["args"]


def test_the_environment_of_a_recipe_reaches_the_engine() -> None:
    application = config("minimax-m2.5", Layout(4))["applications"][0]
    assert application["runtime_env"]["env_vars"]["VLLM_USE_DEEP_GEMM"] == "0"
    assert "runtime_env" not in config("gpt-oss-120b", Layout(1))["applications"][0]


def stand_in(model: str | None, chosen: Layout | None) -> Any:
    """As much of a plan as a file is written from."""
    layout = chosen or Layout(1)
    plan = SimpleNamespace(
        chosen=SimpleNamespace(layout=layout, replicas=2) if chosen else None,
        card=find_card("h200", CARDS),
        cards=layout.cards * 2,
        objective=SimpleNamespace(ttft_ms=1500.0),
    )
    return cast(
        Any,
        SimpleNamespace(
            name=model or "org/other",
            model=CATALOGUE.get(model) if model else None,
            plan=plan,
            engine_args=lambda found: planned_args("gpt-oss-120b", found.layout),
        ),
    )


def test_the_file_says_what_it_is() -> None:
    text = serve_file(stand_in("gpt-oss-120b", Layout(2)))
    assert text.startswith("# gpt-oss-120b on 4 x H200: 2 x TP2.\n")
    profile = parse(Path("x.yaml"), yaml.safe_load(text))
    assert profile.routing.ttft_budget_ms == 1500


def test_what_cannot_be_served_is_not_written() -> None:
    with pytest.raises(ConfigError, match="nothing to write"):
        serve_file(stand_in("gpt-oss-120b", None))
    with pytest.raises(ConfigError, match="org/other is not in the catalogue"):
        serve_file(stand_in(None, Layout(2)))
