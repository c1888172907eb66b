"""Measured rows of TTFT and TPOT, read into shapes, layouts and loads, and screened by rule.

The file is AIConfigurator's ``silicon_sample.csv`` format. Only aggregated serving is read. Of
what is in the file, this is left out, and counted under its rule:

- ``disaggregated``: prefill and decode on cards of their own, which no layout here describes;
- ``no config``: a model whose config.json is not at hand;
- ``repeated``: the same measurement under another label, date or name of the same shape;
- ``waited longer than it ran``: TTFT above the whole decode time. The engine did not admit the
  load (its KV cache or its limit on requests), so its TPOT is that of some other concurrency;
- ``faster than its card``: the closed loop would have computed its prompts at more than 60 % of
  the card's dense peak all the time, decode not counted: prompts were repeated, or the load was
  not a closed loop;
- ``campaign``: the engine version, card and folder of measurements in which more than one row in
  ten is faster than its card: what its other rows measure is not known.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.cards import Card, load_cards
from models.hf.config import shape_of
from models.hf.quantization_config import with_fp8_block
from models.layout import Layout
from models.shape import Shape
from models.sizing.tensors import Share, tensors
from models.speed.work import Load, UnknownSpeed

ROWS_FILE = "measured_h100_h200_sample.csv"
ROWS_MAX = 100_000
PROMPT_PEAK_SHARE_MAX = 0.6
CAMPAIGN_SHARE_MAX = 0.1

# Two shapes are one model here: they must not be on both sides of a held-out test.
SAME_SHAPE = {"DeepSeek-V3": "DeepSeek-R1", "Llama-3.1-8B-Instruct-FP8": "Llama-3.1-8B-Instruct"}
CONFIG_NAMES = {"zhipuai/GLM-5": "zai-org/GLM-5"}
_LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
}
# Dense models of the file whose configs are not in the folder; figures of their model cards.
DENSE_CONFIGS: dict[str, dict[str, object]] = {
    "Llama-3.1-8B-Instruct": _LLAMA
    | {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
    },
    "Llama-3.1-70B": _LLAMA
    | {
        "hidden_size": 8192,
        "intermediate_size": 28672,
        "num_attention_heads": 64,
        "num_hidden_layers": 80,
    },
}
_CONCURRENCY = re.compile(r"silicon_concurrency=(\d{1,7})")
_FOLDER = re.compile(r"source_file=([^;]*/)?")


@dataclass(frozen=True, slots=True)
class Row:
    """A row is one measurement. ``model`` groups what has one shape."""

    row_id: str
    model: str
    model_path: str
    shape: Shape
    layout: Layout
    card: Card
    load: Load
    engine: str
    campaign: str
    ttft_ms: float
    tpot_ms: float


@dataclass(frozen=True, slots=True)
class Rows:
    """``kept`` are fitted and judged; ``screened`` counts the rest by rule; ``campaign`` holds
    those left out for what others of their campaign showed, since they may be right."""

    kept: tuple[Row, ...]
    screened: Mapping[str, int]
    campaign: tuple[Row, ...] = ()


def read_rows(data: Path, file: Path | None = None) -> Rows:
    """Reads the rows of ``file``, or of the sample in the folder ``data``, which also holds the
    configs."""
    configs, cards = data / "hf_configs", load_cards()
    found: list[Row] = []
    screened: Counter[str] = Counter()
    with (file or data / ROWS_FILE).open(newline="") as lines:
        for index, record in enumerate(csv.DictReader(lines)):
            if index >= ROWS_MAX:
                raise ValueError(f"more than {ROWS_MAX} rows")
            if record["mode"] != "agg":
                screened["disaggregated"] += 1
                continue
            shape = _shape(record, configs)
            card = cards.get(record["system"].partition("_")[0])
            if shape is None or card is None:
                screened["no config"] += 1
                continue
            found.append(_row(record, shape, card))
    kept, campaign, reasons = screen(found)
    return Rows(kept, screened + reasons, campaign)


def screen(rows: Sequence[Row]) -> tuple[tuple[Row, ...], tuple[Row, ...], Counter[str]]:
    """The rows to keep, those that only their campaign speaks against, and counts by rule."""
    screened: Counter[str] = Counter()
    seen: set[tuple[object, ...]] = set()
    honest, faster = [], []
    for row in rows:
        measurement = _measurement(row)
        if measurement in seen:
            screened["repeated"] += 1
        elif row.ttft_ms > row.load.output_tokens * row.tpot_ms:
            screened["waited longer than it ran"] += 1
        elif prompt_peak_share(row) > PROMPT_PEAK_SHARE_MAX:
            faster.append(row)
        else:
            honest.append(row)
        seen.add(measurement)
    if faster:
        screened["faster than its card"] = len(faster)
    doubtful = _doubtful(honest, faster)
    campaign = tuple(row for row in honest if row.campaign in doubtful)
    if campaign:
        screened["campaign"] = len(campaign)
    kept = tuple(row for row in honest if row.campaign not in doubtful)
    return kept, campaign, screened


def _measurement(row: Row) -> tuple[object, ...]:
    where = (row.model, row.engine, row.card.card_id, row.layout)
    return (*where, row.load, round(row.tpot_ms, 2))


def prompt_peak_share(row: Row) -> float:
    """The share of the dense peak of all cards that the prompts alone take, over a request's
    time."""
    fp8 = row.shape.formats.dense.name.startswith("fp8")
    tflops = row.card.fp8_dense_tflops if fp8 else row.card.bf16_dense_tflops
    if tflops is None:
        raise UnknownSpeed(f"card {row.card.card_id}: its throughput is not known")
    active = sum(t.active_params for t in tensors(row.shape) if t.share is not Share.EMBEDDING)
    operations = 2 * active * row.load.input_tokens * row.load.concurrency
    request_s = (row.ttft_ms + row.load.output_tokens * row.tpot_ms) / 1e3
    return operations / request_s / (row.layout.cards * tflops * 1e12)


def _doubtful(honest: Iterable[Row], faster: Iterable[Row]) -> set[str]:
    wrong = Counter(row.campaign for row in faster)
    right = Counter(row.campaign for row in honest)
    return {
        campaign
        for campaign, count in wrong.items()
        if count > CAMPAIGN_SHARE_MAX * (count + right[campaign])
    }


def _row(record: Mapping[str, str], shape: Shape, card: Card) -> Row:
    name = record["model_path"].rpartition("/")[2]
    layout = _layout(record)
    source = record["silicon_data_source"]
    told = _CONCURRENCY.search(source)
    # Where the load is not told, the batch is that of one rank.
    concurrency = int(told[1]) if told else int(record["batch_size"]) * layout.dp
    folder = _FOLDER.search(source)
    engine, version = record["backend"], record["backend_version"]
    return Row(
        row_id=record["id"],
        model=SAME_SHAPE.get(name, name),
        model_path=record["model_path"],
        shape=shape,
        layout=layout,
        card=card,
        load=Load(int(record["isl"]), int(record["osl"]), concurrency),
        engine=engine,
        campaign="|".join((engine, version, card.card_id, (folder and folder[1]) or "")),
        ttft_ms=float(record["silicon_ttft_ms"]),
        tpot_ms=float(record["silicon_tpot_ms"]),
    )


def _layout(record: Mapping[str, str]) -> Layout:
    """What ran, which is not always what the label says.

    Where attention has a data-parallel size, some labels hold a product: ``tp 64, moe_tp 8,
    moe_ep 8`` has the very figures of ``tp 8, moe_ep 8``, and 64 cards were never at hand. Where
    it has none, it is what is left of the experts' cards.
    """
    tp, told = int(record["tp_size"]), record["attention_dp_size"]
    moe_tp, moe_ep = max(1, int(record["moe_tp_size"])), max(1, int(record["moe_ep_size"]))
    if not told:
        return Layout(tp, dp=max(1, moe_tp * moe_ep // tp), expert_parallel=moe_ep > 1)
    dp = int(told)
    if moe_tp == moe_ep > 1 and tp * dp == moe_tp * moe_ep:
        tp, dp = (moe_tp, 1) if dp == 1 else (1, moe_tp)
    elif tp == dp > 1 and moe_ep == tp * dp:
        tp = 1
    return Layout(tp, dp=dp, expert_parallel=moe_ep > 1)


def _shape(record: Mapping[str, str], configs: Path) -> Shape | None:
    path = CONFIG_NAMES.get(record["model_path"], record["model_path"])
    name = path.rpartition("/")[2]
    config = DENSE_CONFIGS.get(SAME_SHAPE.get(name, name))
    if config is None:
        folder_name = path.replace("/", "--")
        files = [configs / f"{folder_name}{suffix}.json" for suffix in ("-FP8", "")]
        file = next((file for file in files if file.is_file()), None)
        if file is None:
            return None
        config = json.loads(file.read_text())
    shape = shape_of(config)
    plain = shape.formats.dense.name == shape.formats.routed.name == "bf16"
    return with_fp8_block(shape) if plain and record["precision"] == "fp8" else shape
