"""The options of `baseload bench`, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.load.endpoint import Api
from benchmarks.load.schedule import Arrivals, Traffic
from benchmarks.simulation.traces import TraceFormat

LOAD, ENDPOINT = "Load", "Endpoint"
JUDGED, OUTPUT = "SLO and cost", "Client and output"

Url = Annotated[str, typer.Argument(help="Of an OpenAI-compatible API; /v1 where it has no path.")]
Model = Annotated[
    str, typer.Option("--model", help="As the server names it.", rich_help_panel=ENDPOINT)
]
Rate = Annotated[
    float | None,
    typer.Option("--rate", help="Requests per second: an open loop.", rich_help_panel=LOAD),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency",
        help="Requests under way: alone, a closed loop; with --rate or --trace, their limit.",
        rich_help_panel=LOAD,
    ),
]
Trace = Annotated[
    Path | None, typer.Option("--trace", help="A trace file to replay.", rich_help_panel=LOAD)
]
Format = Annotated[
    TraceFormat | None,
    typer.Option(
        "--format",
        help="Of the trace. Default: .csv is azure, .jsonl mooncake.",
        rich_help_panel=LOAD,
    ),
]
LoadScale = Annotated[
    float | None,
    typer.Option("--load-scale", help="Times the trace's own rate.", rich_help_panel=LOAD),
]
LengthScale = Annotated[
    float,
    typer.Option("--length-scale", help="Times the trace's own lengths.", rich_help_panel=LOAD),
]
ArrivalsKind = Annotated[
    Arrivals | None,
    typer.Option(
        "--arrivals",
        help="Default: trace, poisson or closed, by what is given. With a trace and another "
        "kind, its lengths are taken and its times are not.",
        rich_help_panel=LOAD,
    ),
]
Variation = Annotated[
    float,
    typer.Option(
        "--variation",
        help="Of gamma gaps: their deviation over their mean; above 1 are bursts.",
        rich_help_panel=LOAD,
    ),
]
Input = Annotated[int, typer.Option("--input", help="Tokens of each prompt.", rich_help_panel=LOAD)]
Output_ = Annotated[
    int, typer.Option("--output", help="Tokens of each answer, at most.", rich_help_panel=LOAD)
]
Prefix = Annotated[
    int,
    typer.Option(
        "--prefix", help="Tokens of the input that all prompts share.", rich_help_panel=LOAD
    ),
]
Seconds = Annotated[
    float, typer.Option("--seconds", help="Of each run, measured.", rich_help_panel=LOAD)
]
Warmup = Annotated[
    float, typer.Option("--warmup", help="Seconds before, cut off.", rich_help_panel=LOAD)
]
Runs = Annotated[
    int, typer.Option("--runs", help="How many; of a sweep, how often.", rich_help_panel=LOAD)
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        help="The same seed gives the same arrivals. Prompts are always new.",
        rich_help_panel=LOAD,
    ),
]
ApiKind = Annotated[
    Api, typer.Option("--api", help="Which of the two is called.", rich_help_panel=ENDPOINT)
]
KeyEnv = Annotated[
    str | None,
    typer.Option(
        "--key-env",
        help="Name of the environment variable that holds the key.",
        rich_help_panel=ENDPOINT,
    ),
]
Temperature = Annotated[float, typer.Option("--temperature", rich_help_panel=ENDPOINT)]
IgnoreEos = Annotated[
    bool,
    typer.Option(
        "--ignore-eos",
        help="Ask for answers of full length, where the server knows that field.",
        rich_help_panel=ENDPOINT,
    ),
]
ExtraBody = Annotated[
    str | None,
    typer.Option(
        "--extra-body", help="A JSON object that joins each request.", rich_help_panel=ENDPOINT
    ),
]
Timeout = Annotated[
    float, typer.Option("--timeout", help="Seconds for an answer.", rich_help_panel=ENDPOINT)
]
TokenizerFile = Annotated[
    Path | None,
    typer.Option(
        "--tokenizer",
        help="A tokenizer.json. Default: the server's own usage tells how long words are.",
        rich_help_panel=ENDPOINT,
    ),
]
SloTtftMs = Annotated[
    float,
    typer.Option("--slo-ttft-ms", help="Until the first token.", rich_help_panel=JUDGED),
]
SloTpotMs = Annotated[
    float,
    typer.Option("--slo-tpot-ms", help="Per token after it.", rich_help_panel=JUDGED),
]
Attainment = Annotated[
    float,
    typer.Option(
        "--attainment", help="Share of requests that must keep both.", rich_help_panel=JUDGED
    ),
]
IsSweep = Annotated[
    bool,
    typer.Option(
        "--sweep",
        help="Find theta, the largest load that keeps the SLO, and the cost below it.",
        rich_help_panel=JUDGED,
    ),
]
Cards = Annotated[
    int,
    typer.Option(
        "--cards", help="That serve the endpoint, all of them counted.", rich_help_panel=JUDGED
    ),
]
CardPrice = Annotated[
    str | None,
    typer.Option(
        "--card-price", help="USD per card and hour, or its parts.", rich_help_panel=JUDGED
    ),
]
ThetaOf = Annotated[
    str | None,
    typer.Option(
        "--theta",
        help="Output tokens per second and card at full use, or the bench.json of a sweep: "
        "utilization is measured against it.",
        rich_help_panel=JUDGED,
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        help="That send the load. Default: as many as it takes.",
        rich_help_panel=OUTPUT,
    ),
]
Gpus = Annotated[
    str | None,
    typer.Option(
        "--gpus",
        help="Whose meters are read, as in 0,1. Default: all of this machine.",
        rich_help_panel=OUTPUT,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for bench.json and rows.parquet.", rich_help_panel=OUTPUT),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report", help="Write a page with plots to this .html file.", rich_help_panel=OUTPUT
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.", rich_help_panel=OUTPUT)]

PLAIN = Traffic("poisson", 1.0)
