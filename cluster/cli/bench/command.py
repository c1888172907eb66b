"""`baseload bench`: load on any OpenAI-compatible endpoint, and what its tokens cost."""

from __future__ import annotations

from cluster.cli.bench import options
from cluster.cli.bench.options import PLAIN


def bench(
    url: options.Url,
    model: options.Model,
    rate: options.Rate = None,
    concurrency: options.Concurrency = None,
    trace: options.Trace = None,
    trace_format: options.Format = None,
    load_scale: options.LoadScale = None,
    length_scale: options.LengthScale = PLAIN.length_scale,
    arrivals: options.ArrivalsKind = None,
    variation: options.Variation = PLAIN.variation,
    input_tokens: options.Input = PLAIN.input_tokens,
    output_tokens: options.Output_ = PLAIN.output_tokens,
    prefix: options.Prefix = PLAIN.prefix_tokens,
    seconds: options.Seconds = 60.0,
    warmup: options.Warmup = 10.0,
    runs: options.Runs = 3,
    seed: options.Seed = PLAIN.seed,
    api: options.ApiKind = "chat",
    key_env: options.KeyEnv = None,
    temperature: options.Temperature = 0.0,
    ignore_eos: options.IgnoreEos = False,
    extra_body: options.ExtraBody = None,
    timeout: options.Timeout = 600.0,
    tokenizer: options.TokenizerFile = None,
    slo_ttft_ms: options.SloTtftMs = 2000.0,
    slo_tpot_ms: options.SloTpotMs = 80.0,
    attainment: options.Attainment = 0.99,
    sweep: options.IsSweep = False,
    cards: options.Cards = 1,
    card_price: options.CardPrice = None,
    theta: options.ThetaOf = None,
    processes: options.Processes = None,
    gpus: options.Gpus = None,
    out: options.Out = None,
    report: options.Report = None,
    as_json: options.AsJson = False,
) -> None:
    """Put load on an endpoint: latencies, goodput under an SLO, and USD per M tokens.

    Latencies count from when a request was due, so that a stall shows in all requests that it
    made late. Ctrl-C ends a run and keeps what there is.

    Example: baseload bench http://127.0.0.1:8000 --model tiny-moe --rate 5 --key-env KEY

    Example: baseload bench http://gpu:8000 --model m --sweep --cards 8 --card-price 2.0 --out r
    """
    given = dict(locals())
    from cluster.cli.bench.run import run  # what sends and measures is slow to import

    run(given)
