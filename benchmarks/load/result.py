"""What a benchmark leaves: a document, and the raw rows that its figures are made from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.load.figures import FIGURES
from benchmarks.load.row_table import write
from benchmarks.load.run import Run
from benchmarks.load.schedule import Traffic
from benchmarks.load.setting import Setting
from benchmarks.load.theta_sweep import Sweep

DOCUMENT, ROWS = "bench.json", "rows.parquet"
NO_PRICE = "no price: give --card-price, in USD per card and hour"


@dataclass(slots=True)
class Bench:
    """``runs`` are all of them; those of a sweep stand in its points as well."""

    setting: Setting
    traffic: Traffic
    origin: dict[str, Any]  # date, machine, versions
    runs: list[Run] = field(default_factory=list)
    sweep: Sweep | None = None
    flaw: str | None = None  # of what was given, that left something out
    unkept: str | None = None  # why the last writing failed

    @property
    def is_interrupted(self) -> bool:
        return any(run.is_interrupted for run in self.runs)

    @property
    def counted(self) -> list[Run]:
        """Those that figures are made from: not one that was stopped, unless there is no other."""
        return [run for run in self.runs if not run.is_interrupted] or self.runs

    @property
    def is_whole(self) -> bool:
        """Whether it is all that was asked for, and there is something in it."""
        if self.sweep is not None:
            has_all = self.sweep.failure is None
        else:  # where a run had no answer in its window, no further one was made
            has_all = bool(self.runs) and all(run.measures.answered for run in self.runs)
        is_clean = self.flaw is None and self.unkept is None
        return has_all and is_clean and not self.is_interrupted

    def errors(self) -> dict[str, tuple[int, str]]:
        """The errors by kind: how many there were in all windows, and what the first one said."""
        found: dict[str, tuple[int, str]] = {}
        for run in self.runs:
            for kind, count in run.measures.errors.items():
                before, said = found.get(kind, (0, ""))
                found[kind] = (before + count, said or run.messages.get(kind, ""))
        return found

    def all_notes(self) -> list[str]:
        """The notes, each once: of the benchmark, then of its runs."""
        found = [text for text in (self.flaw, self.unkept) if text is not None]
        if self.sweep is not None:
            found += _of_sweep(self.sweep)
        if self.setting.card_usd_per_h is None:
            found.append(NO_PRICE)
        found += [note for run in self.runs for note in run.notes]
        return list(dict.fromkeys(found))

    def as_json(self) -> dict[str, Any]:
        setting = self.setting
        told: dict[str, Any] = {
            "endpoint": setting.endpoint.base_url,
            "model": setting.endpoint.model,
            "api": setting.endpoint.api,
            "traffic": self.traffic.as_json(),
            "slo": asdict(setting.slo),
            "warmup_s": setting.warmup_s,
            "seconds": setting.seconds,
            "cards": setting.cards,
            "card_usd_per_h": _number(setting.card_usd_per_h),
            "tokens_per_word": setting.wording.tokens_per_word,
            "template_tokens": setting.wording.overhead_tokens,
            "interrupted": self.is_interrupted,
            "client_bottleneck": any(run.is_client_bottleneck for run in self.runs),
            "notes": self.all_notes(),
        }
        if self.sweep is None:
            told |= {"theta_given": setting.theta, "figures": intervals(self.counted)}
        else:
            told |= _sweep_json(self.sweep)
        return told | {"runs": [run.as_json() for run in self.runs], "provenance": self.origin}

    def keep(self, folder: Path) -> None:
        """Both files or, where a disk is full, those of the time before and a note."""
        self.unkept = None
        rows, document = folder / f"{ROWS}.part", folder / f"{DOCUMENT}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write([run.rows for run in self.runs], rows)
            document.write_text(json.dumps(self.as_json(), indent=1) + "\n")
            rows.replace(folder / ROWS)
            document.replace(folder / DOCUMENT)
        except OSError as error:
            self.unkept = f"{folder}: cannot be written ({error.strerror or error})"


def intervals(runs: Sequence[Run]) -> dict[str, dict[str, float | None] | None]:
    found = {figure.key: figure.interval(runs) for figure in FIGURES}
    return {key: None if each is None else each.as_json() for key, each in found.items()}


def _sweep_json(sweep: Sweep) -> dict[str, Any]:
    theta = sweep.theta
    band = theta and theta.high is not None and 100 * (theta.high - theta.mean) / theta.mean
    return {
        "theta_out_tok_s_per_card": None if theta is None else theta.mean,
        "theta": None if theta is None else theta.as_json(),
        "thetas": sweep.thetas,
        "theta_spread": sweep.spread,
        "band_pct": band or None,
        "rates_at_theta_per_s": sweep.rates,
        "curve": sweep.curve(),
        "failure": sweep.failure,
    }


def _of_sweep(sweep: Sweep) -> list[str]:
    found = []
    if sweep.failure is not None:
        found.append(f"the sweep ended early: {sweep.failure}")
    if sweep.has_few_requests:
        found.append("few requests in each window: one late answer decides; lengthen --seconds")
    return found


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
