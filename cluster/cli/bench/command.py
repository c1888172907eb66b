"""`baseload bench`: load on any OpenAI-compatible endpoint, and what its tokens cost."""

from __future__ import annotations

from cluster.cli.bench.options import BenchOptions
from cluster.cli.typer_options import takes


@takes(BenchOptions)
def bench(options: BenchOptions) -> None:
    """Put load on an endpoint: latencies, goodput under an SLO, and USD per M tokens.

    Latencies count from when a request was due, so that a stall shows in all requests that it
    made late. Ctrl-C ends a run and keeps what there is.

    Example: baseload bench http://127.0.0.1:8000 --model tiny-moe --rate 5 --key-env KEY

    Example: baseload bench http://gpu:8000 --model m --sweep --cards 8 --card-price 2.0 --out r
    """
    from cluster.cli.bench.run import run  # what sends and measures is slow to import

    run(options)
