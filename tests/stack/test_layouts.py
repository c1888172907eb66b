"""The planner's arithmetic against what vLLM reports at its start, on shapes small enough for a
CPU; and two tensor-parallel ranks behind the whole stack."""

from __future__ import annotations

import json
from pathlib import Path

import openai
import pytest
import yaml
from openai.types.chat import ChatCompletion

from cluster.profile import LOCAL_PROFILE
from models.hf.config import shape_of
from models.layout import Layout
from models.sizing.kv_cache import kv_bytes_per_token_per_card
from models.sizing.weights import weights_per_card
from tests.stack.running import assert_nothing_left, running
from tests.stack.started import KV_SPACE_GIB, SHAPES, checkpoint, started

ANSWER_TOKENS = 64


@pytest.mark.parametrize("tensor_parallel", [1, 2])
def test_memory_is_as_the_plan_says(tensor_parallel: int, tmp_path: Path) -> None:
    layout = Layout(tp=tensor_parallel)
    facts = started(tmp_path, tensor_parallel)
    assert facts.keys() == SHAPES.keys()
    for name, found in facts.items():
        config = json.loads((checkpoint(tmp_path, name) / "config.json").read_text())
        shape = shape_of(config)
        token_bytes = kv_bytes_per_token_per_card(shape, layout, "bf16")
        blocks = KV_SPACE_GIB * 2**30 // (token_bytes * found.limits.kv_block_tokens)
        assert found.kv_blocks == blocks, name
        assert found.limits.kv_tokens_max == blocks * found.limits.kv_block_tokens, name
        assert found.weights_bytes == weights_per_card(shape, layout), name


def test_two_ranks_serve_the_same_tokens_as_one(tmp_path: Path) -> None:
    """The stand-in is an engine of one rank on the same weights."""
    document = yaml.safe_load(LOCAL_PROFILE.read_text())
    (pool,) = document["applications"][0]["args"]["pools"]
    pool["replicas"] = 1
    pool["engine"]["tensor_parallel"] = 2
    profile = tmp_path / "two-ranks.yaml"
    profile.write_text(yaml.safe_dump(document))
    with running(tmp_path / "state", profile) as stack:
        run_id = stack.run_id
        names = {engine.name() for engine in stack.engines()}
        assert {"VLLM::Worker_TP0", "VLLM::Worker_TP1"} <= {name[:16] for name in names}, names
        moved = yaml.safe_load((stack.state / "serve.yaml").read_text())
        one = f"http://127.0.0.1:{moved['applications'][0]['args']['stand_in']['port']}/v1"
        answer = greedy(f"{stack.url}/v1", stack.key)
        assert answer.usage is not None
        assert answer.usage.completion_tokens == ANSWER_TOKENS
        alone = greedy(one, (stack.state / "stand-in-key").read_text().strip())
        assert answer.choices[0].message.content == alone.choices[0].message.content
    assert_nothing_left(run_id)


def greedy(url: str, key: str) -> ChatCompletion:
    with openai.OpenAI(base_url=url, api_key=key, max_retries=0) as client:
        return client.chat.completions.create(
            model="tiny-moe",
            messages=[{"role": "user", "content": "Count to a hundred"}],
            max_tokens=ANSWER_TOKENS,
            temperature=0,
            extra_body={"ignore_eos": True},
        )
