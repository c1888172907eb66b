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
from benchmarks.simulation.sweep import Trial, sweep
from cluster.cli.report_file import check_writable, origin, write_report
from cluster.cli.simulate import options
from cluster.cli.simulate.options import ALL, AUTO, PLAIN
from cluster.cli.simulate.output import show, stages
from cluster.cli.terminal import note
from runtime.errors import ConfigError


def simulate(
    trace: options.Trace = None,
    trace_format: options.Format = None,
    arrivals: options.Arrivals = None,
    requests: options.Requests = None,
    rate: options.Rate = None,
    replicas: options.Replicas = PLAIN.replicas,
    profile: options.ProfileName = PLAIN.profile,
    load: options.Load = None,
    loads: options.Loads = None,
    ttft_ms: options.TtftMs = PLAIN.ttft_ms,
    policy: options.PolicyName = None,
    policies: options.PolicyNames = None,
    lengths: options.LengthsTold = PLAIN.lengths,
    seed: options.Seed = PLAIN.seed,
    offer: options.Offers = None,
    alternatives: options.AlternativesOf = None,
    pinned_share: options.PinnedShare = PLAIN.pinned_share,
    batch_share: options.BatchShare = PLAIN.batch_share,
    tenants: options.Tenants = PLAIN.tenants,
    warm_share: options.WarmShare = PLAIN.warm_share,
    prefixes: options.PrefixesFrom = PLAIN.prefixes,
    scaling: options.ScalingKind = None,
    laps: options.Laps = AUTO,
    no_bound: options.NoBound = False,
    report: options.Report = None,
    as_json: options.AsJson = False,
) -> None:
    """Play requests against modelled engines, to see what a policy spends, in seconds.

    The scheduler is the real one; time and engines are simulated. Spend is set against a bound:
    what nobody could spend less than, even knowing every arrival and length beforehand.

    Example: baseload simulate --trace conv.csv --load 1.5 --report conv.html

    Example: baseload simulate --offer out=2.25,in=0.45 --policies bid-price,density-first

    Example: baseload simulate --loads 0.9,1.5,3 --policies bid-price,first-come --json
    """
    try:
        experiment = Experiment(
            trace=trace,
            trace_format=trace_format,
            arrivals=arrivals,
            requests=_synthetic(trace, requests, rate),
            rate_per_s=rate,
            profile=profile,
            replicas=replicas,
            ttft_ms=ttft_ms,
            lengths=lengths,
            seed=seed,
            offers=_offers(offer),
            alternatives=alternatives,
            pinned_share=pinned_share,
            batch_share=batch_share,
            tenants=tenants,
            warm_share=warm_share,
            prefixes=prefixes,
            scaling=scaling,
            laps=_laps(laps),
        )
        cells = _loads(load, loads), _policies(policy, policies)
        check_writable(report)
        with stages() as stage:
            trials = sweep(experiment, *cells, with_bound=not no_bound, stage=stage)
    except (BadExperiment, BadOffer) as error:
        raise ConfigError(str(error)) from error
    show(trials, is_sweep=loads is not None or policies is not None, as_json=as_json)
    _keep(trials, report)


def _synthetic(trace: Path | None, requests: int | None, rate: float | None) -> int:
    if trace is not None and (requests is not None or rate is not None):
        raise ConfigError(
            "--requests and --rate make synthetic arrivals: leave out --trace or them"
        )
    return PLAIN.requests if requests is None else requests


def _offers(texts: list[str] | None) -> tuple[SimOffer, ...]:
    return tuple(parse_offer(text) for text in texts) if texts else DEFAULT_OFFERS


def _laps(text: str) -> int | None:
    if text == AUTO:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LAPS_MAX))):
        raise ConfigError(f"--laps {text}: give a number from 1 to {LAPS_MAX}, or {AUTO}")
    return int(text)


def _loads(load: float | None, loads: str | None) -> list[float]:
    if loads is None:
        return [PLAIN.load if load is None else load]
    if load is not None:
        raise ConfigError("--load or --loads: give one of them")
    try:
        return list(dict.fromkeys(float(each) for each in loads.split(",")))
    except ValueError:
        raise ConfigError(f"--loads {loads}: give numbers, as in 0.9,1.1,1.5") from None


def _policies(policy: str | None, policies: str | None) -> list[str]:
    if policies is None:
        return [PLAIN.policy if policy is None else policy]
    if policy is not None:
        raise ConfigError("--policy or --policies: give one of them")
    if policies == ALL:
        return list(POLICY_NAMES)
    return list(dict.fromkeys(each.strip() for each in policies.split(",")))


def _keep(trials: Sequence[Trial], path: Path | None) -> None:
    if path is None:
        return
    from benchmarks.simulation.report import report  # matplotlib is slow to import

    write_report(path, report(trials, origin()))
    note.print(f"report in {path}")
