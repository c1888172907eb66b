"""vLLM's own serving benchmark, as a process beside ours.

The wheel for CPUs carries the module, but the command that it belongs to does not start there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rig.common import MODEL, ROOT, BenchmarkError

RUN_S_MAX = 600.0
EVEN = "10000"  # the shape of its gamma gaps: no draw makes one client's load the harder
DRIVER = """
from vllm.benchmarks.serve import add_cli_args, main
from vllm.utils.argparse_utils import FlexibleArgumentParser

parser = FlexibleArgumentParser()
add_cli_args(parser)
main(parser.parse_args())
"""


@dataclass(frozen=True, slots=True)
class ClientLoad:
    """Closed with ``concurrency``, open and evenly spaced with ``rate_per_s``."""

    input_tokens: int
    output_tokens: int
    concurrency: int | None = None
    rate_per_s: float | None = None

    def __str__(self) -> str:
        if self.rate_per_s is None:
            return f"{self.concurrency} under way"
        return f"{self.rate_per_s:.3g} requests/s"


@dataclass(frozen=True, slots=True)
class ClientFigures:
    """What either client measured; rates from the first request to the last token."""

    requests: int
    ttft_ms_mean: float
    ttft_ms_p50: float
    tpot_ms_mean: float
    tpot_ms_p50: float
    output_tok_s: float


def play(base_url: str, load: ClientLoad, count: int, seed: int, folder: Path) -> ClientFigures:
    """So many requests. ``base_url`` without /v1; ``folder`` holds the checkpoint by its name.

    ``load.input_tokens`` are without those of the chat template.
    """
    result = folder / "vllm.json"
    argv = [sys.executable, "-c", DRIVER, "--backend", "openai-chat"]
    argv += ["--endpoint", "/v1/chat/completions"]
    argv += ["--base-url", base_url, "--model", MODEL, "--tokenizer", str(folder / MODEL)]
    argv += ["--dataset-name", "random", "--random-input-len", str(load.input_tokens)]
    argv += ["--random-output-len", str(load.output_tokens), "--ignore-eos"]
    argv += ["--num-prompts", str(count), "--seed", str(seed), "--disable-tqdm"]
    argv += ["--percentile-metrics", "ttft,tpot", "--temperature", "0"]
    argv += ["--save-result", "--result-dir", str(folder), "--result-filename", result.name]
    if load.concurrency is not None:
        argv += ["--max-concurrency", str(load.concurrency)]
    if load.rate_per_s is not None:
        argv += ["--request-rate", str(load.rate_per_s), "--burstiness", EVEN]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=RUN_S_MAX)
    if done.returncode:
        raise BenchmarkError(f"vLLM's benchmark ended with {done.returncode}: {done.stderr[-400:]}")
    told = json.loads(result.read_text())
    if told["completed"] < count:
        raise BenchmarkError(f"vLLM's benchmark completed {told['completed']} of {count} requests")
    return ClientFigures(
        requests=told["completed"],
        ttft_ms_mean=told["mean_ttft_ms"],
        ttft_ms_p50=told["median_ttft_ms"],
        tpot_ms_mean=told["mean_tpot_ms"],
        tpot_ms_p50=told["median_tpot_ms"],
        output_tok_s=told["output_throughput"],
    )
