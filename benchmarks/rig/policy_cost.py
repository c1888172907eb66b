"""What rules, tags, detection and the law add: one gateway without any of them, one with all.

Both stand before the same scripted provider and are asked the same, in turn: a prompt of about
2 kB, by the name of a model there, by the name of a rule here. The rule has two models, of which
it takes the cheaper one, with a floor of quality and a ceiling of cost; its tenant has users in
the EU, and every policy pack is in force.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import yaml

from benchmarks.rig.child import Child
from benchmarks.rig.closed_loop import ClosedLoop, Measured, run_apart
from benchmarks.rig.common import MODEL, Target
from benchmarks.rig.comparison import SCHEDULER, Comparison, Pair, compare, direct_first
from benchmarks.rig.scripted_upstream import READY_LINE

CONCURRENCIES = (1, 16)
STEP_MS = 5.0  # of the provider: one token of each answer
ANSWER_TOKENS = 64
RULE, OTHER_MODEL = "assistant", "tiny-moe-plus"
PROVIDERS = {"stand-in": MODEL, "stand-in-sg": OTHER_MODEL}  # the price book has their prices
PACKS = ("ccpa", "cn-genai", "eu-ai-act", "gdpr", "hipaa", "pdpa-sg", "pdpo-hk", "pipl")
KEY_ENV = "BASELOAD_BENCH_KEY"
PROMPT_CHARS = 2_000
SENTENCES = (
    "The mill at the lower bridge was closed for two winters before its wheel was mended. ",
    "Please sum up in four sentences what the report says about the 37 barges of 1884. ",
    "Grain came down the river in spring, and flour went back to the towns with the same boats. ",
    "磨坊主在日记里写道，那一年的雨水比往年多，河面宽了将近一倍。",
)

Say = Callable[[str], None]


def prompt() -> str:
    """English, with some Chinese and some numbers, as people write to models."""
    text = "".join(islice(cycle(SENTENCES), PROMPT_CHARS // 20))
    return text[:PROMPT_CHARS]


class PolicyCost:
    """``comparisons`` are of the gateway without rules ("direct") with the one that has them
    ("baseload"), by concurrency; those that were measured before a failure are kept."""

    def __init__(self, folder: Path, *, window_s: float, pairs: int, say: Say) -> None:
        self.comparisons: list[Comparison] = []
        self._folder = folder
        self._window_s = window_s
        self._pairs = pairs
        self._say = say
        self._key = "bl-" + secrets.token_urlsafe(32)

    def run(self) -> None:
        with self._gateways() as ways:
            for concurrency in CONCURRENCIES:
                pairs = [self._pair(ways, concurrency, n) for n in range(self._pairs)]
                self.comparisons.append(compare(pairs))

    @contextmanager
    def _gateways(self) -> Iterator[tuple[ClosedLoop, ClosedLoop]]:
        """The load of each: without rules, with all."""
        with ExitStack() as kept:
            argv = ["-m", "benchmarks.rig.scripted_upstream", "--port", "0"]
            upstream = kept.enter_context(
                Child([sys.executable, *argv, "--step-ms", str(STEP_MS)], READY_LINE)
            )
            url = upstream.wait_ready().removeprefix(READY_LINE)
            plain = plain_config(url, self._key)
            loads: list[ClosedLoop] = []
            for name, config in (("plain", plain), ("rules", with_policy(plain))):
                folder = self._folder / name
                folder.mkdir(exist_ok=True)
                file = folder / "gateway.yaml"
                file.write_text(yaml.safe_dump(config))
                argv = ["-m", "runtime.standalone", "--config", str(file), "--port", "0"]
                argv = [sys.executable, *argv, "--state", str(folder)]
                gateway = kept.enter_context(Child(argv, READY_LINE, {KEY_ENV: "unused"}))
                target = Target(gateway.wait_ready().removeprefix(READY_LINE), self._key)
                model = RULE if name == "rules" else MODEL
                loads.append(self._load(target, model, gateway.pid))
            yield loads[0], loads[1]

    def _load(self, target: Target, model: str, pid: int) -> ClosedLoop:
        return ClosedLoop(
            (target,),
            1,
            ANSWER_TOKENS,
            self._window_s,
            watched={SCHEDULER: pid},
            prompt=prompt(),
            model=model,
        )

    def _pair(self, ways: tuple[ClosedLoop, ClosedLoop], concurrency: int, number: int) -> Pair:
        def cell(way: ClosedLoop) -> Measured:
            return run_apart(replace(way, concurrency=concurrency))

        if direct_first(number):
            plain, ruled = cell(ways[0]), cell(ways[1])
        else:
            ruled, plain = cell(ways[1]), cell(ways[0])
        self._say(
            f"c={concurrency}, pair {number + 1} of {self._pairs}: TTFT p50 "
            f"{plain.ttft_ms_p50:.2f} -> {ruled.ttft_ms_p50:.2f} ms, CPU per chunk "
            f"{plain.cpu_us_per_chunk(SCHEDULER):.1f} -> {ruled.cpu_us_per_chunk(SCHEDULER):.1f} us"
        )
        return Pair(plain, ruled)


def plain_config(upstream_url: str, key: str) -> dict[str, Any]:
    """A configuration without rules, tags and packs; both models can be bought."""
    in_flight_max = 4 * max(CONCURRENCIES)
    return {
        "tenants": {"bench": {"key_sha256": [hashlib.sha256(key.encode()).hexdigest()]}},
        "providers": {
            provider: {
                "base_url": upstream_url,
                "key_env": KEY_ENV,
                "offers": {model: {"name": MODEL, "in_flight_max": in_flight_max}},
            }
            for provider, model in PROVIDERS.items()
        },
    }


def with_policy(plain: dict[str, Any]) -> dict[str, Any]:
    """The same with a rule, tags by default, a search for personal data and every pack."""
    at_home = {
        "storage_regions": ["de"],
        "inference_jurisdictions": ["de"],
        "operator_jurisdiction": "de",
        "documents": ["technical-documentation", "training-data-summary"],
    }
    tags = {"feature": "assistant", "task": "drafting", "locale": "en-IE"}
    tenant = plain["tenants"]["bench"] | {"home": "de", "defaults": tags}
    rule = {
        "tasks": ["drafting"],
        "candidates": [MODEL, OTHER_MODEL],
        "choose": "cheapest",
        "quality_floor": 0.5,
        "cost_usd_max": "0.1",
    }
    return {
        "tenants": {"bench": tenant},
        "providers": {name: each | {"facts": at_home} for name, each in plain["providers"].items()},
        "rules": {RULE: rule},
        "quality": {MODEL: {"overall": 0.8}, OTHER_MODEL: {"overall": 0.9}},
        "compliance": {"packs": list(PACKS)},
    }
