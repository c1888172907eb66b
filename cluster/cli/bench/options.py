"""The options of `baseload bench`, with their help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.endpoint import Api
from benchmarks.load.schedule import Arrivals, Traffic
from benchmarks.simulation.traces import TraceFormat
from cluster.cli import common_options
from cluster.cli.typer_options import argument, option, panel

PLAIN = Traffic("poisson", 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointOptions:
    model: str = option("As the server names it.")
    api: Api = option("Which of the two is called.", "chat")
    key_env: str | None = option("Name of the environment variable that holds the key.", None)
    temperature: float = option("Of sampling; 0 takes the likeliest token.", 0.0)
    ignore_eos: bool = option(
        "Ask for answers of full length, where the server knows that field.", False
    )
    extra_body: str | None = option("A JSON object that joins each request.", None)
    timeout_s: float = option("Seconds for an answer.", 600.0, "--timeout")
    tokenizer: Path | None = option(
        "A tokenizer.json. Default: the server's own usage tells how long words are.", None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    rate_per_s: float | None = option("Requests per second: an open loop.", None, "--rate")
    concurrency: int | None = option(
        "Requests under way: alone, a closed loop; with --rate or --trace, their limit.", None
    )
    trace: Path | None = option("A trace file to replay.", None)
    trace_format: TraceFormat | None = option(
        "Of the trace. Default: .csv is azure, .jsonl mooncake.", None, "--format"
    )
    load_scale: float | None = option("Times the trace's own rate.", None)
    length_scale: float = option("Times the trace's own lengths.", PLAIN.length_scale)
    arrivals: Arrivals | None = option(
        "Default: trace, poisson or closed, by what is given. With a trace and another "
        "kind, its lengths are taken and its times are not.",
        None,
    )
    variation: float = option(
        "Of gamma gaps: their deviation over their mean; above 1 are bursts.", PLAIN.variation
    )
    input_tokens: int = option("Tokens of each prompt.", PLAIN.input_tokens, "--input")
    output_tokens: int = option("Tokens of each answer, at most.", PLAIN.output_tokens, "--output")
    prefix_tokens: int = option(
        "Tokens of the input that all prompts share.", PLAIN.prefix_tokens, "--prefix"
    )
    measured_s: float = option("Of each run, measured.", 60.0, "--seconds")
    warmup_s: float = option("Seconds before, cut off.", 10.0, "--warmup")
    runs: int = option("How many; of a sweep, how often.", 3)
    seed: int = option("The same seed gives the same arrivals. Prompts are always new.", PLAIN.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedOptions:
    """``card_price`` and ``theta`` are texts, read as `baseload breakeven` reads them."""

    slo_ttft_ms: float = option("Until the first token.", 2000.0)
    slo_tpot_ms: float = option("Per token after it.", 80.0)
    attainment: float = option("Share of requests that must keep both.", 0.99)
    sweep: bool = option(
        "Find theta, the largest load that keeps the SLO, and the cost below it.", False
    )
    cards: int = option("That serve the endpoint, all of them counted.", 1)
    card_price: str | None = option("USD per card and hour, or its parts.", None)
    theta: str | None = option(
        "Output tokens per second and card at full use, or the bench.json of a sweep: "
        "utilization is measured against it.",
        None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    processes: int | None = option("That send the load. Default: as many as it takes.", None)
    gpus: str | None = option(
        "Whose meters are read, as in 0,1. Default: all of this machine.", None
    )
    out: Path | None = option("Folder for bench.json and rows.parquet.", None)
    report: Path | None = common_options.report_page()
    as_json: bool = common_options.json_output()


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    url: str = argument("Of an OpenAI-compatible API; /v1 where it has no path.")
    endpoint: EndpointOptions = panel("Endpoint")
    load: LoadOptions = panel("Load")
    judged: JudgedOptions = panel("SLO and cost")
    output: OutputOptions = panel("Client and output")
