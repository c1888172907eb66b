"""`baseload simulate`: the real scheduler in simulated time, and what it costs against the least.

What is run, and what is refused, is `benchmarks.simulation.experiment`'s: this parses, and keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.simulation.baselines import POLICY_NAMES
from benchmarks.simulation.experiment import LAPS_MAX, BadExperiment, Experiment
from benchmarks.simulation.offer_text import parse_offer
from benchmarks.simulation.offers import DEFAULT_OFFERS, BadOffer, SimOffer
from benchmarks.simulation.pool_text import parse_pool, parse_rule
from benchmarks.simulation.sweep import Trial, sweep
from cluster.cli.report_file import check_writable, origin, write_report
from cluster.cli.simulate.options import (
    ALL,
    AUTO,
    PLAIN,
    PoolOptions,
    RequestOptions,
    SimulateOptions,
)
from cluster.cli.simulate.output import show, stages
from cluster.cli.terminal import note
from cluster.cli.typer_options import takes
from cluster.profile import load
from runtime.errors import ConfigError
from scheduler.settings import Settings


@takes(SimulateOptions)
def simulate(options: SimulateOptions) -> None:
    """Play requests against modelled engines, to see what a policy spends, in seconds.

    The scheduler is the real one; time and engines are simulated. Spend is set against a bound:
    what nobody could spend less than, even knowing every arrival and length beforehand.

    Example: baseload simulate --trace conv.csv --load 1.5 --report conv.html

    Example: baseload simulate --offer out=2.25,in=0.45 --policies bid-price,density-first

    Example: baseload simulate --loads 0.9,1.5,3 --policies bid-price,first-come --json

    Example: baseload simulate --config my.yaml --load 1.5

    Example: baseload simulate --pool small,replicas=1 --pool large,replicas=2
    --offer out=0.42,model=small --offer out=2.30,model=large
    --rule small+large,choose=cheapest,share=0.8 --rule large,share=0.2
    """
    output = options.output
    try:
        experiment = _experiment(options.requests, options.pool)
        loads, policies = _loads(options.requests), _policies(options.pool)
        check_writable(output.report)
        with stages() as stage:
            trials = sweep(experiment, loads, policies, with_bound=not output.no_bound, stage=stage)
    except (BadExperiment, BadOffer) as error:
        raise ConfigError(str(error)) from error
    is_sweep = options.requests.loads is not None or options.pool.policies is not None
    show(trials, is_sweep=is_sweep, as_json=output.as_json)
    _keep(trials, output.report)


def _experiment(requests: RequestOptions, pool: PoolOptions) -> Experiment:
    routing = None if pool.config is None else load(pool.config).routing
    known = {} if routing is None else {name: r.rule(name) for name, r in routing.rules.items()}
    return Experiment(
        trace=requests.trace,
        trace_format=requests.trace_format,
        arrivals=requests.arrivals,
        requests=_synthetic(requests),
        rate_per_s=requests.rate_per_s,
        profile=pool.profile,
        replicas=pool.replicas,
        pools=tuple(map(parse_pool, pool.pools or ())),
        rules=tuple(parse_rule(text, known) for text in requests.rules or ()),
        ttft_ms=requests.ttft_ms,
        lengths=requests.lengths,
        seed=requests.seed,
        offers=_offers(pool.offers),
        alternatives=pool.alternatives,
        pinned_share=requests.pinned_share,
        batch_share=requests.batch_share,
        tenants=requests.tenants,
        warm_share=requests.warm_share,
        prefixes=requests.prefixes,
        scaling=requests.scaling,
        laps=_laps(requests.laps),
        settings=Settings() if routing is None else routing.settings(),
    )


def _synthetic(wanted: RequestOptions) -> int:
    if wanted.trace is not None and (wanted.requests, wanted.rate_per_s) != (None, None):
        raise ConfigError(
            "--requests and --rate make synthetic arrivals: leave out --trace or them"
        )
    return PLAIN.requests if wanted.requests is None else wanted.requests


def _offers(texts: list[str] | None) -> tuple[SimOffer, ...]:
    return tuple(parse_offer(text) for text in texts) if texts else DEFAULT_OFFERS


def _laps(text: str) -> int | None:
    if text == AUTO:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LAPS_MAX))):
        raise ConfigError(f"--laps {text}: give a number from 1 to {LAPS_MAX}, or {AUTO}")
    return int(text)


def _loads(wanted: RequestOptions) -> list[float]:
    if wanted.loads is None:
        return [PLAIN.load if wanted.load is None else wanted.load]
    if wanted.load is not None:
        raise ConfigError("--load or --loads: give one of them")
    try:
        return list(dict.fromkeys(float(each) for each in wanted.loads.split(",")))
    except ValueError:
        raise ConfigError(f"--loads {wanted.loads}: give numbers, as in 0.9,1.1,1.5") from None


def _policies(pool: PoolOptions) -> list[str]:
    if pool.policies is None:
        return [PLAIN.policy if pool.policy is None else pool.policy]
    if pool.policy is not None:
        raise ConfigError("--policy or --policies: give one of them")
    if pool.policies == ALL:
        return list(POLICY_NAMES)
    return list(dict.fromkeys(each.strip() for each in pool.policies.split(",")))


def _keep(trials: Sequence[Trial], path: Path | None) -> None:
    if path is None:
        return
    from benchmarks.simulation.report import report  # matplotlib is slow to import

    write_report(path, report(trials, origin()))
    note.print(f"report in {path}")
