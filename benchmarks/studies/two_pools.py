"""Two pools that a rule joins, one of them overloaded: what is spent, against a clairvoyant.

Requests of a rule come as in Azure's conversation trace, and ask first for the pool that is
overloaded; others ask by name for the other pool, as in Azure's code trace. The same requests are
played

- joined: by the rule, a pool with room to spare stands in for the full one; with lengths that are
  learned, and with lengths that are told;
- with each pool by itself: the rule's requests ask for one of the two models by its name;
- by what a simple gateway does with both: first come, overflow in order; and round robin.

The bound is over both pools and is one for all cases; regret is against buying all that the rule
would buy. Answers have as many tokens whichever model gives them. Each seed begins elsewhere in the
traces and draws its own prefixes.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from time import perf_counter

from benchmarks.simulation.arrivals import repeated
from benchmarks.simulation.baselines import POLICIES
from benchmarks.simulation.clairvoyant_bound import pools_bound
from benchmarks.simulation.forecast import Lengths
from benchmarks.simulation.offers import make_offer
from benchmarks.simulation.outcome import Outcome, outcome_of, regret
from benchmarks.simulation.pools import SimPool
from benchmarks.simulation.profile import load_profile
from benchmarks.simulation.simulator import simulate_pools
from benchmarks.simulation.traces import TraceRow, read_trace
from benchmarks.simulation.workload import Request, Workload, make_workload
from benchmarks.studies.two_pools_file import Cell, digest_of, read, write
from scheduler.routing.rule import Candidate, Choose, Rule, named

CHEAP, DEAR = "cheap", "dear"
CHEAP_IS_FASTER = 3.0  # assumed: of two models that a rule joins, the small one takes a third
REPLICAS = {CHEAP: 2, DEAR: 4}
HORIZON_S = 300.0
TTFT_MS = 2_000
TRACES = ("AzureLLMInferenceTrace_conv.csv", "AzureLLMInferenceTrace_code.csv")
PRICES = {CHEAP: "0.42", DEAR: "2.30"}  # USD per M output, a quarter of it per M input
OFFERS = tuple(
    replace(make_offer(usd, offer_id=f"sells-{model}"), model=model)
    for model, usd in PRICES.items()
)
LOADS = ((1.5, 0.5), (1.5, 0.9), (3.0, 0.5))  # of the full pool, and of the other one
SEEDS = (1, 2, 3)
CASES = ("joined", "told", "full_alone", "other_alone", "overflow", "round_robin")
RESULT = Path(__file__).parents[1] / "results" / "two_pools.json"
EXAMPLE = "example: python -m benchmarks.studies.two_pools ../shared/data --seeds 1"
_BLOCK_HASH_BITS = 80  # above those of either trace, so that no prefix is in both


@dataclass(frozen=True, slots=True)
class Setting:
    full: str  # the model whose pool is overloaded
    load: float  # of that pool
    other_load: float
    seed: int

    @property
    def other(self) -> str:
        return DEAR if self.full == CHEAP else CHEAP

    @property
    def rule(self) -> Rule:
        models = (self.full, self.other)
        return Rule("joined", frozenset(), tuple(map(Candidate, models)), Choose.CHEAPEST)

    def __str__(self) -> str:
        return (
            f"{self.full} at {self.load:g}, {self.other} at {self.other_load:g}, seed {self.seed}"
        )


def pools() -> list[SimPool]:
    dear = load_profile("h200")
    faster = replace(
        dear,
        name="h200, steps of a third",
        prefill_tok_s=dear.prefill_tok_s * CHEAP_IS_FASTER,
        step_fixed_s=dear.step_fixed_s / CHEAP_IS_FASTER,
        step_request_s=dear.step_request_s / CHEAP_IS_FASTER,
        step_kv_token_s=dear.step_kv_token_s / CHEAP_IS_FASTER,
    )
    return [SimPool(CHEAP, faster, REPLICAS[CHEAP]), SimPool(DEAR, dear, REPLICAS[DEAR])]


def workload(folder: Path, setting: Setting) -> Workload:
    """The rule's requests and those of the other model, by time."""
    by_model = {pool.model: pool for pool in pools()}
    loads = {setting.full: setting.load, setting.other: setting.other_load}
    conv, code = (
        _stream(folder / trace, by_model[model], loads[model], setting.seed)
        for trace, model in zip(TRACES, loads, strict=True)
    )
    both = tuple(offer.offer_id for offer in OFFERS)
    requests = [
        *(replace(each, rule=setting.rule, offer_ids=both) for each in conv.requests),
        *(_of_the_other(each, setting.other) for each in code.requests),
    ]
    requests.sort(key=lambda each: each.at_s)
    block_tokens = max(conv.block_tokens, code.block_tokens)
    return Workload(tuple(requests), OFFERS, setting.seed, HORIZON_S, block_tokens)


def _of_the_other(request: Request, model: str) -> Request:
    return replace(
        _asking_for(request, model),
        request_id=f"named-{request.request_id}",
        blocks=tuple(block + (1 << _BLOCK_HASH_BITS) for block in request.blocks),
    )


def _asking_for(request: Request, model: str) -> Request:
    offers = tuple(offer.offer_id for offer in OFFERS if offer.model == model)
    return replace(request, rule=named(model), offer_ids=offers)


def _stream(trace: Path, pool: SimPool, load: float, seed: int) -> Workload:
    """The beginning of a trace that is folded to the load, and repeated where it is too short."""
    rows, laps = read_trace(trace, "azure"), 1
    while (whole := _folded(_from(rows, laps, seed), pool, load, seed)).duration_s < HORIZON_S:
        laps += 1
    requests = tuple(each for each in whole.requests if each.at_s < HORIZON_S)
    return replace(whole, requests=requests, duration_s=HORIZON_S)


def _from(rows: list[TraceRow], laps: int, seed: int) -> list[TraceRow]:
    """Each lap of each seed begins elsewhere in the trace, as those of a repeated one do."""
    own = repeated(rows, laps * seed)[laps * (seed - 1) * len(rows) :]
    return [replace(row, at_s=row.at_s - own[0].at_s) for row in own]


def _folded(rows: list[TraceRow], pool: SimPool, load: float, seed: int) -> Workload:
    return make_workload(
        rows,
        pool.profile,
        replicas=pool.replicas,
        load=load,
        ttft_ms=TTFT_MS,
        offers=OFFERS,
        seed=seed,
    )


def _asking(joined: Workload, models: Iterator[str]) -> Workload:
    """The rule's requests ask for the next of ``models`` by its name instead."""
    requests = (_asking_for(r, next(models)) if r.rule.name else r for r in joined.requests)
    return replace(joined, requests=tuple(requests))


def cases(setting: Setting, joined: Workload) -> Iterator[tuple[str, Workload, str, Lengths]]:
    """Each with its requests, its policy, and what that is told of lengths."""
    full, other = setting.full, setting.other
    yield "joined", joined, "bid-price", "learned"
    yield "told", joined, "bid-price", "told"
    yield "full_alone", _asking(joined, cycle([full])), "bid-price", "learned"
    yield "other_alone", _asking(joined, cycle([other])), "bid-price", "learned"
    yield "overflow", joined, "first-come", "learned"
    yield "round_robin", _asking(joined, cycle([full, other])), "first-come", "learned"


def measure(
    folder: Path, setting: Setting, known: Mapping[str, Cell], wanted: Sequence[str]
) -> Cell:
    """``known`` are cells that were measured before, by the digest of their requests: of such a
    one the bound stays, and the cases that are not ``wanted``."""
    joined = workload(folder, setting)
    digest = digest_of(joined, pools())
    cell = known.get(digest)
    if cell is None or cell["bound_usd"] is None:
        cell = _without_cases(setting, joined, digest)
    for name, requests, policy, lengths in cases(setting, joined):
        if name not in wanted:
            continue
        run = simulate_pools(
            requests, pools(), policy=POLICIES[policy](), lengths=lengths, seed=setting.seed
        )
        cell["cases"][name] = _case(outcome_of(run), cell["bound_usd"], cell["buy_all_usd"])
    return cell


def _without_cases(setting: Setting, joined: Workload, digest: str) -> Cell:
    bound = pools_bound(joined, pools())
    return {
        "full": setting.full,
        "load": setting.load,
        "other_load": setting.other_load,
        "seed": setting.seed,
        "requests": len(joined.requests),
        "digest": digest,
        "bound_usd": bound.usd,
        "buy_all_usd": bound.buy_all_usd,
        "cases": {},
    }


def _case(outcome: Outcome, bound_usd: float | None, buy_all_usd: float) -> dict[str, object]:
    return {
        "spend_usd": outcome.spend_usd,
        "regret": regret(outcome.spend_usd, bound_usd, buy_all_usd),
        "spend_over_bound": outcome.spend_usd / bound_usd if bound_usd else None,
        "slo_attainment": outcome.slo_attainment,
        "spilled_share": outcome.spilled_share,
        "substituted": outcome.reasons.get("substitute", 0),
    }


def _options(argv: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the trace files are")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--full", nargs="+", choices=[CHEAP, DEAR], default=[CHEAP, DEAR])
    says = "of each cell; those that are left out stay as they are in the result file"
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), help=says)
    says = "result file; its bounds are kept where the requests are the same"
    parser.add_argument("--out", type=Path, default=RESULT, help=says)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    settings = [
        Setting(full, *loads, seed)
        for seed in options.seeds
        for loads in LOADS
        for full in options.full
    ]
    known, began = read(options.out), perf_counter()
    for number, setting in enumerate(settings, 1):
        cell = measure(options.folder, setting, known, options.cases)
        known[cell["digest"]] = cell
        write(options.out, list(known.values()))
        left_min = (perf_counter() - began) / number * (len(settings) - number) / 60
        print(
            f"  {number} of {len(settings)}: {setting}: {_told(cell)}; "
            f"about {left_min:.0f} min left",
            flush=True,
        )
    return 0


def _told(cell: Cell) -> str:
    if cell["bound_usd"] is None:
        return "no bound"
    return ", ".join(f"{name} {case['regret']:.3f}" for name, case in cell["cases"].items())


if __name__ == "__main__":
    sys.exit(main())
