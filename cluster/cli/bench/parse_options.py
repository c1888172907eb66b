"""Turns the options of `baseload bench` into what they mean.

What cannot be is a BadLoad, BadTrace or BadInput, in one line that says what to do.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.economics.cost import parse_card_hour
from benchmarks.economics.read_theta import read_theta
from benchmarks.load.endpoint import BadLoad, Endpoint, base_url
from benchmarks.load.measures import Slo
from benchmarks.load.schedule import Arrivals, Traffic
from benchmarks.load.setting import Setting
from benchmarks.simulation.traces import BadTrace, TraceFormat, TraceRow, read_trace
from cluster.cli.bench.options import PLAIN, BenchOptions, LoadOptions

FORMATS: dict[str, TraceFormat] = {".csv": "azure", ".jsonl": "mooncake"}


@dataclass(frozen=True, slots=True)
class Replay:
    """A trace, as far as it can be read. ``flaw`` says what is wrong with the rest."""

    name: str = ""
    rows: tuple[TraceRow, ...] = ()
    flaw: str | None = None


def replay(path: Path | None, trace_format: TraceFormat | None) -> Replay:
    """What precedes a line that cannot be read is replayed all the same."""
    if path is None:
        return Replay()
    found = trace_format or FORMATS.get(path.suffix)
    if found is None:
        raise BadLoad(f"--trace {path}: give its --format, azure or mooncake")
    try:
        return Replay(path.name, tuple(read_trace(path, found)))
    except BadTrace as error:
        if len(error.rows) < 2:
            raise
        played = f"the {len(error.rows)} requests before that line are replayed"
        return Replay(path.name, tuple(error.rows), f"{error}; {played}")


def traffic_of(told: Replay, load: LoadOptions, *, is_sweep: bool) -> Traffic:
    """A sweep without a rate starts at the plain one."""
    rate_per_s = load.rate_per_s
    is_closed = rate_per_s is None and load.concurrency is not None and not is_sweep
    plain: Arrivals = "trace" if told.rows else "closed" if is_closed else "poisson"
    arrivals = load.arrivals or plain
    if rate_per_s is None and is_sweep and arrivals not in ("trace", "closed"):
        rate_per_s = PLAIN.rate_per_s
    traffic = Traffic(
        arrivals=arrivals,
        rate_per_s=rate_per_s,
        concurrency=load.concurrency,
        input_tokens=load.input_tokens,
        output_tokens=load.output_tokens,
        prefix_tokens=load.prefix_tokens,
        variation=load.variation,
        rows=told.rows,
        trace_name=told.name,
        length_scale=load.length_scale,
        seed=load.seed,
    )
    return _at_scale(traffic, load.load_scale)


def setting_of(options: BenchOptions) -> Setting:
    endpoint, judged = options.endpoint, options.judged
    return Setting(
        endpoint=Endpoint(
            base_url=base_url(options.url),
            model=endpoint.model,
            key=_key(endpoint.key_env),
            api=endpoint.api,
            temperature=endpoint.temperature,
            extra_body=_extra(endpoint.extra_body, ignore_eos=endpoint.ignore_eos),
            timeout_s=endpoint.timeout_s,
        ),
        slo=Slo(judged.slo_ttft_ms, judged.slo_tpot_ms, judged.attainment),
        warmup_s=options.load.warmup_s,
        seconds=options.load.measured_s,
        cards=judged.cards,
        card_usd_per_h=None
        if judged.card_price is None
        else parse_card_hour(judged.card_price).usd,
        theta=None if judged.theta is None else float(read_theta(judged.theta).tok_s),
        processes=options.output.processes,
        gpus=_gpus(options.output.gpus),
    )


def _at_scale(traffic: Traffic, load_scale: float | None) -> Traffic:
    if load_scale is None:
        return traffic
    if traffic.arrivals != "trace" or traffic.rate_per_s is not None:
        raise BadLoad("--load-scale is for a --trace at its own times: leave out it or --rate")
    if not load_scale > 0:
        raise BadLoad(f"--load-scale {load_scale:g}: give a number above 0")
    return replace(traffic, rate_per_s=traffic.own_rate_per_s() * load_scale)


def _key(name: str | None) -> str | None:
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key:
        raise BadLoad(f"--key-env {name}: the environment has no such variable; export it first")
    if not (key.isascii() and key.isprintable()):
        raise BadLoad(f"--key-env {name}: its value is no key: it must be plain printable text")
    return key


def _extra(text: str | None, *, ignore_eos: bool) -> dict[str, Any]:
    try:
        found = {} if text is None else json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadLoad("--extra-body: give one JSON object, as in '{\"ignore_eos\": true}'")
    return found | ({"ignore_eos": True} if ignore_eos else {})


def _gpus(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise BadLoad(f"--gpus {text}: give the numbers of cards, as in 0,1")
    return tuple(dict.fromkeys(int(part) for part in parts))


def check_folder(out: Path | None) -> None:
    """Refuses a folder that cannot be written to, before the run and not after it."""
    if out is None or out.is_dir():
        return
    if out.exists():
        raise BadLoad(f"--out {out}: is a file; give the path of a folder")
    if not out.absolute().parent.is_dir():
        raise BadLoad(f"--out {out}: make the folder {out.parent} first")
