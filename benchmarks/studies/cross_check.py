"""`python -m benchmarks.studies.cross_check`: `baseload bench` and vLLM's own serving benchmark,
one after the other on the same server under the same load.

The server is vLLM's, on loopback, started and stopped here, with a model whose steps take as long
as those of a large one on a card: what a client costs shows in the figures of neither. Clients
take turns, and a ratio is taken within a pair, so that a slow minute of the machine is in both
sides. Throughput is from the first request to the last token, as vLLM counts it.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.table import Table

from benchmarks.peers.gateway import Gateway
from benchmarks.peers.plain_engines import WIDE, command
from benchmarks.rig.common import MODEL, ROOT, BenchmarkError
from benchmarks.rig.comparison import Contrast, contrast, direct_first
from benchmarks.rig.fair_share import raise_session
from benchmarks.rig.provenance import command_line, provenance, rounded_floats
from benchmarks.rig.stack import free_port
from benchmarks.rig.terminal import keep, note, table_console
from benchmarks.rig.vllm_client import RUN_S_MAX, ClientFigures, ClientLoad, play
from models.tiny.checkpoint import ensure_tiny_moe
from models.tiny.weights import TinyShape

FIGURES = {
    "ttft_ms_mean": "TTFT mean, ms",
    "ttft_ms_p50": "TTFT p50, ms",
    "tpot_ms_mean": "TPOT mean, ms",
    "tpot_ms_p50": "TPOT p50, ms",
    "output_tok_s": "output tokens/s",
}
RESULT = Path(__file__).parents[1] / "results" / "second_opinion.json"
SHAPE = TinyShape(layers=8, hidden=256, heads=8, kv_heads=4, experts=16, expert_hidden=256)
TOKENS = INPUT_TOKENS, OUTPUT_TOKENS = 128, 64
CONCURRENCIES = (1, 8)
OPEN_SHARE = 0.4  # of what the highest concurrency gives: an open loop that does not queue up
# Their random prompts are stretches of the vocabulary: with a small one, some come twice.
NO_CACHE = "--no-enable-prefix-caching"
PAIRS = 4
SECONDS = 20.0
AT_MOST = 0.05
SEEDS_APART = 7919


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """``folder`` holds the checkpoint by the model's name."""

    url: str
    folder: Path
    seconds: float

    @property
    def tokenizer(self) -> Path:
        return self.folder / MODEL / "tokenizer.json"

    def ours(self, load: ClientLoad, seed: int) -> ClientFigures:
        (run,) = self.bench(load, seed)["runs"]
        return ClientFigures(
            requests=run["answered"],
            ttft_ms_mean=run["ttft_ms"]["mean"],
            ttft_ms_p50=run["ttft_ms"]["p50"],
            tpot_ms_mean=run["tpot_ms"]["mean"],
            tpot_ms_p50=run["tpot_ms"]["p50"],
            output_tok_s=run["whole_run_tok_s"],
        )

    def bench(self, load: ClientLoad, seed: int) -> dict[str, Any]:
        argv = [str(Path(sys.executable).parent / "baseload"), "bench", self.url]
        argv += ["--model", MODEL, "--tokenizer", str(self.tokenizer), "--ignore-eos"]
        argv += ["--input", str(load.input_tokens), "--output", str(load.output_tokens)]
        argv += ["--seconds", str(self.seconds), "--warmup", "0", "--runs", "1"]
        argv += ["--seed", str(seed), "--processes", "1", "--json"]
        if load.rate_per_s is None:
            argv += ["--concurrency", str(load.concurrency)]
        else:
            argv += ["--rate", str(load.rate_per_s), "--arrivals", "fixed"]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=RUN_S_MAX)
        if done.returncode:
            raise BenchmarkError(f"baseload bench ended with {done.returncode}: {done.stderr}")
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def theirs(self, load: ClientLoad, count: int, seed: int) -> ClientFigures:
        """Prompts are new in each run: the server finds nothing of the run before."""
        return play(self.url, load, count, SEEDS_APART * seed, self.folder)


def compare(site: Site, load: ClientLoad, pairs: int) -> dict[str, Any]:
    """``direct`` of a contrast is vLLM's figure. The first run says how many requests fit."""
    look = site.bench(load, 0)
    count = look["runs"][0]["answered"]
    bare = dataclasses.replace(load, input_tokens=load.input_tokens - look["template_tokens"])
    found: list[tuple[ClientFigures, ClientFigures]] = []
    for pair in range(pairs):
        seed = 1 + pair
        if direct_first(pair):
            theirs, ours = site.theirs(bare, count, seed), site.ours(load, seed)
        else:
            ours, theirs = site.ours(load, seed), site.theirs(bare, count, seed)
        found.append((theirs, ours))
        ratios = {name: getattr(ours, name) / getattr(theirs, name) for name in FIGURES}
        note.print(f"  {load}: " + ", ".join(f"{k} {v:.3f}" for k, v in ratios.items()))
    figures = {
        name: contrast([(getattr(t, name), getattr(o, name)) for t, o in found]) for name in FIGURES
    }
    return {
        "load": str(load),
        "figures": {name: _as_json(each) for name, each in figures.items()},
        "holds": all(abs(each.ratio - 1) <= AT_MOST for each in figures.values()),
        "pairs": [{"vllm": dataclasses.asdict(t), "ours": dataclasses.asdict(o)} for t, o in found],
    }


def _as_json(found: Contrast) -> dict[str, float]:
    return {
        "vllm": found.direct,
        "ours": found.baseload,
        "ratio": found.ratio,
        "ratio_min": found.ratio_min,
        "ratio_max": found.ratio_max,
    }


def measured(site: Site, pairs: int) -> list[dict[str, Any]]:
    site.ours(ClientLoad(*TOKENS, CONCURRENCIES[-1]), 0)  # the server's warm-up
    found = [compare(site, ClientLoad(*TOKENS, each), pairs) for each in CONCURRENCIES]
    busiest = median(pair["ours"]["output_tok_s"] for pair in found[-1]["pairs"])
    rate = round(OPEN_SHARE * busiest / OUTPUT_TOKENS, 1)
    return [*found, compare(site, ClientLoad(*TOKENS, rate_per_s=rate), pairs)]


def table(loads: Sequence[Mapping[str, Any]]) -> Table:
    shown = Table(title="`baseload bench` beside vLLM's own benchmark, on one server")
    for head in ("load", "figure", "vLLM's", "ours", "ratio", "of the pairs"):
        shown.add_column(head)
    for load in loads:
        for name, each in load["figures"].items():
            pairs = f"{each['ratio_min']:.3f} to {each['ratio_max']:.3f}"
            cells = (f"{each['vllm']:.2f}", f"{each['ours']:.2f}", f"{each['ratio']:.3f}", pairs)
            shown.add_row(load["load"], FIGURES[name], *cells)
    return shown


def main(
    pairs: Annotated[int, typer.Option(min=1, help="Runs of each client, at each load.")] = PAIRS,
    seconds: Annotated[float, typer.Option(min=5, help="Of each run.")] = SECONDS,
    out: Annotated[Path, typer.Option(help="The result file.")] = RESULT,
) -> None:
    """Compare the two clients. Takes about 12 minutes.

    Example: python -m benchmarks.studies.cross_check --pairs 2 --seconds 10 --out look.json
    """
    origin = provenance()
    raise_session()  # neither client is to wait behind the engine
    with tempfile.TemporaryDirectory(prefix="bl-opinion-") as place:
        folder, port = Path(place), free_port()
        model = ensure_tiny_moe(folder / MODEL, shape=SHAPE)
        url = f"http://127.0.0.1:{port}"
        serve = command(port, WIDE, model)
        serve = dataclasses.replace(serve, argv=(*serve.argv, NO_CACHE))
        server = Gateway("the engine", serve, url, folder)
        try:
            server.wait_ready()
            loads = measured(Site(url, folder, seconds), pairs)
        finally:
            server.stop()
    told = {
        "holds": all(load["holds"] for load in loads),
        "at_most": AT_MOST,
        "input_tokens": INPUT_TOKENS,
        "output_tokens": OUTPUT_TOKENS,
        "seconds": seconds,
        "command": command_line("benchmarks.studies.cross_check"),
        **origin,
        "loads": loads,
    }
    keep(rounded_floats(told), out)
    table_console().print(table(loads))


if __name__ == "__main__":
    typer.run(main)
