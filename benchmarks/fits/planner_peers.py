"""Ours, AIConfigurator's and a plain roofline's errors on the same measured rows.

``python -m benchmarks.fits.planner_peers ../shared/data --peer-python PATH``: the peer is installed
in an environment of its own (``pip install aiconfigurator==0.12.0``) and asked through the function
that its ``cli estimate`` calls, with the batch of one data-parallel rank and its newest data. The
rows that it refuses are counted, and a second table holds only what all three answered. Without a
peer the other two are compared, and the reason is printed.

Ours stands twice: as calibrated, on rows of the fit, and fitted without the model at hand.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np

from benchmarks.fits.factor_fit import OTHER_ENGINES, VLLM, Fitted, held_out
from benchmarks.fits.planner_fit import RESULT, predicted_by
from benchmarks.fits.planner_rows import CONFIG_NAMES, Row, read_rows
from benchmarks.fits.planner_tables import Predicted, as_json, errors_by_model, table
from benchmarks.rig.provenance import provenance
from models.speed.calibration import load_calibration
from models.speed.roofline import Factors

PEER = "AIConfigurator"
PEER_TIMEOUT_S = 1_800.0
ANSWER_BYTES_MAX = 1 << 24
RESULT_LINE = "estimates: "  # the peer prints much else

# What a planner without measurements assumes: no launches, no CPU, 80 % and 60 % of the data sheet.
PLAIN = Fitted(
    Factors(
        read_shared=0.8,
        read_routed=0.8,
        compute_shared=0.6,
        compute_routed=0.6,
        compute_attention=0.6,
        link=0.8,
        passes=0.0,
        layer_s=0.0,
        moe_layer_s=0.0,
        latent_layer_s=0.0,
        sparse_layer_s=0.0,
        hop_s=0.0,
        step_s=0.0,
        request_s=0.0,
        prompt_launches=0.0,
        prompt_launches_felt=0.0,
        queue=0.0,
    ),
    dict.fromkeys(("vllm", *OTHER_ENGINES), VLLM),
)

# Runs in the peer's environment: questions come in as JSON, refusals go out as their first words.
ASK = f"""
import json, sys
from importlib.metadata import version
from aiconfigurator.cli.api import cli_estimate
answers = []
for question in json.load(sys.stdin):
    try:
        found = cli_estimate(**question)
        answers.append([found.ttft, found.tpot, None])
    except Exception as error:
        answers.append([None, None, f"{{type(error).__name__}}: {{error}}"[:200]])
print({RESULT_LINE!r} + json.dumps({{"version": version("aiconfigurator"), "answers": answers}}))
"""


class NoPeer(RuntimeError):
    """The peer cannot be asked; the text says why."""


@dataclass(frozen=True, slots=True)
class PeerAnswers:
    version: str
    predicted: Predicted
    refusals: Counter[str]


def question(row: Row) -> dict[str, str | int]:
    """What ``cli estimate`` is asked for a row."""
    layout = row.layout
    asked: dict[str, str | int] = {
        "model_path": _peer_name(row),
        "system_name": f"{row.card.card_id}_sxm",
        "backend_name": row.engine,
        "isl": int(row.load.input_tokens),
        "osl": int(row.load.output_tokens),
        "batch_size": ceil(row.load.concurrency / layout.dp),
        "tp_size": layout.tp,
        "attention_dp_size": layout.dp,
    }
    if row.shape.moe is not None:
        sliced = 1 if layout.expert_parallel else layout.experts_over
        return asked | {"moe_tp_size": sliced, "moe_ep_size": layout.ep}
    fp8 = row.shape.formats.dense.name.startswith("fp8")
    return asked | ({"gemm_quant_mode": "fp8"} if fp8 else {})


def ask(python: Path | None, rows: Sequence[Row]) -> PeerAnswers:
    """Asks AIConfigurator about one row. Raises NoPeer where it has no answer."""
    if python is None:
        raise NoPeer("no --peer-python was given")
    questions = json.dumps([question(row) for row in rows])
    try:
        done = subprocess.run(
            [str(python), "-c", ASK],
            input=questions,
            capture_output=True,
            text=True,
            timeout=PEER_TIMEOUT_S,
        )
    except OSError as error:
        raise NoPeer(f"{python} does not start: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise NoPeer(f"no answer within {PEER_TIMEOUT_S:.0f} s") from error
    return read_answers(done.stdout[-ANSWER_BYTES_MAX:], done.stderr, len(rows))


def read_answers(output: str, errors: str, count: int) -> PeerAnswers:
    line = next((each for each in output.splitlines() if each.startswith(RESULT_LINE)), None)
    if line is None:
        last = errors.strip().splitlines()[-1:] or ["it printed nothing"]
        raise NoPeer(f"it ended without an answer: {last[0][:200]}")
    answered = json.loads(line.removeprefix(RESULT_LINE))
    answers = answered["answers"]
    if len(answers) != count:
        raise NoPeer(f"it gave {len(answers)} answers to {count} questions")
    numbers = np.array([[np.nan if v is None else v for v in each[:2]] for each in answers])
    refusals = Counter(each[2].partition(":")[0] for each in answers if each[2] is not None)
    return PeerAnswers(answered["version"], Predicted(numbers[:, 0], numbers[:, 1]), refusals)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the folder with the rows and hf_configs/")
    parser.add_argument("--peer-python", type=Path, help="of the peer's environment")
    parser.add_argument("--sample", type=int, help="this many rows, at random, of those kept")
    parser.add_argument("--moe", action="store_true", help="MoE rows of vLLM and SGLang only")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kept = list(read_rows(options.data).kept)
    unseen = Predicted.of_seconds(*held_out(kept))
    chosen = [i for i, row in enumerate(kept) if not options.moe or _is_moe_of_ours(row)]
    if options.sample is not None:
        chosen = sorted(
            random.Random(options.seed).sample(chosen, min(options.sample, len(chosen)))
        )
    rows = [kept[i] for i in chosen]
    standing = load_calibration()
    found = {
        "ours, held out": unseen.of_rows(chosen),
        "ours, in the fit": predicted_by(Fitted(standing.factors, standing.engines), rows),
        "plain roofline": predicted_by(PLAIN, rows),
    }
    chosen_by = "MoE rows of vLLM and SGLang" if options.moe else "every row kept"
    result: dict[str, object] = {"of": chosen_by, "sample": options.sample, "rows": len(rows)}
    try:
        peer = ask(options.peer_python, rows)
    except NoPeer as absent:
        print(f"{PEER} is left out: {absent}")
        result["peer_left_out"] = str(absent)
    else:
        found[PEER] = peer.predicted
        result |= {"peer_version": peer.version, "peer_refused": dict(peer.refusals)}
    _print_and_keep(rows, found, result)


def _print_and_keep(
    rows: Sequence[Row], found: dict[str, Predicted], result: dict[str, object]
) -> None:
    answered = np.all([np.isfinite(each.tpot_ms) for each in found.values()], axis=0)
    common = [row for row, all_did in zip(rows, answered, strict=True) if all_did]
    for title, of, mask in (
        ("all_rows", rows, np.ones(len(rows), dtype=bool)),
        ("answered_by_all", common, answered),
    ):
        columns = {name: errors_by_model(of, each.of_rows(mask)) for name, each in found.items()}
        print(f"\n{title.replace('_', ' ')}: {len(of)}\n{table(columns)}")
        result[title] = {name: as_json(errors) for name, errors in columns.items()}
    before = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    RESULT.write_text(json.dumps(before | {"peers": provenance() | result}, indent=2) + "\n")


def _is_moe_of_ours(row: Row) -> bool:
    return row.shape.moe is not None and row.engine in ("vllm", "sglang")


def _peer_name(row: Row) -> str:
    """It takes quantisation from the checkpoint's name."""
    path = CONFIG_NAMES.get(row.model_path, row.model_path)
    return f"{path}-FP8" if path == "zai-org/GLM-5" else path


if __name__ == "__main__":
    main()
