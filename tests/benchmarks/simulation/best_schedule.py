"""Small instances, and their best schedules by brute force in the simulated engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from random import Random

from benchmarks.simulation.clairvoyant_bound import Bound
from benchmarks.simulation.engine import EngineRequest, SimReplica
from benchmarks.simulation.profile import Profile
from benchmarks.simulation.run_counters import LATE_S
from benchmarks.simulation.workload import DEFAULT_OFFERS, Request, Workload
from scheduler.replica import Replica

BLOCK_TOKENS = 16
OFFERS = {offer.offer_id: offer for offer in DEFAULT_OFFERS}
ALONE = [(name,) for name in OFFERS]

# Small enough that a handful of requests fills it: by time, by slots or by KV.
PROFILE = Profile(
    name="tiny",
    source="test",
    prefill_tok_s=1_000.0,
    step_fixed_s=0.01,
    step_request_s=0.004,
    step_kv_token_s=2e-5,
    kv_tokens_max=300,
    running_max=2,
    batched_tokens_max=128,
    context_tokens_max=300,
)


@dataclass(frozen=True)
class Instance:
    workload: Workload
    profile: Profile
    replicas: int


def random_instance(seed: int) -> Instance:
    """Four to seven requests that one or two tiny replicas can seldom all serve in time.

    Few sizes and few moments of arrival let schedules fill the time well, so that little lies
    between the best of them and what a program that may split requests can do.
    """
    random = Random(seed)
    replicas = random.choice((1, 1, 2))
    profile = replace(
        PROFILE,
        step_fixed_s=random.choice((0.001, 0.01, 0.03)),
        step_request_s=random.choice((0.001, 0.01)),
        step_kv_token_s=random.choice((0.0, 1e-4)),
        running_max=random.choice((1, 2, 8)),
        kv_tokens_max=random.choice((300, 1_000)),
        batched_tokens_max=random.choice((64, 128, 512)),
    )
    prompts = random.choice(((128,), (64, 128), (33, 80, 150)))
    outputs = random.choice(((1,), (2,), (2, 12), (40,), (1, 5, 30), (1, 60)))
    arrivals_s = random.choice(((0.0,), (0.0, 0.1), (0.03, 0.11, 0.19), (0.0, 0.3, 0.5)))
    budget_ms = random.choice((150, 210, 300))
    are_shared = random.random() < 0.4
    requests = [
        request_of(
            f"r{index}",
            at_s=random.choice(arrivals_s),
            prompt_tokens=(prompt := random.choice(prompts)),
            output_tokens=random.choice(outputs),
            ttft_budget_ms=budget_ms,
            blocks=tuple(range(prompt // 2 // BLOCK_TOKENS)) if are_shared else (),
            offer_ids=random.choice([*ALONE, *ALONE, (), tuple(OFFERS)]),
        )
        for index in range(random.randint(4, 7 if replicas == 1 else 6))
    ]
    return Instance(workload_of(requests, seed), profile, replicas)


def stretched_instance(seed: int) -> Instance:
    """A long answer or two, and then prompts that come as fast as one tiny replica can read them:
    a program that may put decoding off until they have gone would serve them all."""
    random = Random(seed)
    profile = replace(
        PROFILE,
        step_fixed_s=0.001,
        step_request_s=random.choice((0.01, 0.02)),
        kv_tokens_max=1_000,
        batched_tokens_max=random.choice((48, 64)),
    )
    gap_s = random.choice((0.125, 0.13, 0.14))
    requests = [
        request_of(
            f"r{index}",
            at_s=max(0, index - longs) * gap_s,
            prompt_tokens=random.choice((120, 128)) if index >= longs else 10,
            output_tokens=1 if index >= longs else random.choice((30, 60)),
            ttft_budget_ms=random.choice((140, 150, 170)),
            offer_ids=random.choice(ALONE),
        )
        for longs in [random.choice((1, 2))]
        for index in range(6)
    ]
    return Instance(workload_of(requests, seed), profile, 1)


def request_of(request_id: str, **values: object) -> Request:
    base = Request(
        request_id,
        at_s=0.0,
        prompt_tokens=100,
        output_tokens=10,
        max_output_tokens=100,
        ttft_budget_ms=300,
        blocks=(),
        offer_ids=ALONE[0],
    )
    return replace(base, **values)  # type: ignore[arg-type]


def workload_of(requests: Sequence[Request], seed: int = 1) -> Workload:
    by_time = tuple(sorted(requests, key=lambda request: request.at_s))
    return Workload(by_time, DEFAULT_OFFERS, seed, 1.0, BLOCK_TOKENS)


def charge_nano(request: Request) -> int:
    lengths = request.prompt_tokens, 0, request.output_tokens
    costs = {name: offer.price.cost_nano(*lengths) for name, offer in OFFERS.items()}
    if not request.offer_ids:
        return max(costs.values())
    return min(costs[name] for name in request.offer_ids)


def is_in_time(order: Sequence[Request], profile: Profile) -> bool:
    """Whether one replica that is sent these in this order is late for none and preempts none."""
    engine = SimReplica(profile, replica_of(profile), BLOCK_TOKENS)
    waiting = list(order)
    due_s = {request.request_id: request.at_s + request.ttft_budget_ms / 1000 for request in order}
    now = 0.0
    while not engine.meter.preemptions:
        while waiting and waiting[0].at_s <= now:
            sent = waiting.pop(0)
            lengths = sent.prompt_tokens, sent.output_tokens
            engine.push(EngineRequest(sent.request_id, *lengths, sent.blocks))
        end_s = engine.begin_step(now)
        if end_s is None and not waiting:
            return True
        now = waiting[0].at_s if end_s is None else end_s
        for told in engine.end_step() if end_s is not None else ():
            if now > due_s.pop(told.request_id, now) + LATE_S:
                return False
        if now > min(due_s.values(), default=now) + LATE_S:
            return False
    return False


def replica_of(profile: Profile) -> Replica:
    return Replica(
        "replica",
        "model",
        generation=1,
        limits=profile.limits,
    )


def cheapest_nano(instance: Instance) -> int:
    """The cost of the best schedule: any set on any replica in any order, the rest bought."""
    requests, profile = instance.workload.requests, instance.profile
    together: dict[frozenset[int], bool] = {frozenset(): True}
    for size in range(1, len(requests) + 1):
        for chosen in combinations(range(len(requests)), size):
            # Serving fewer is no harder, so a set is tried only if all smaller ones can be served.
            together[frozenset(chosen)] = all(
                together[frozenset(chosen) - {index}] for index in chosen
            ) and any(
                is_in_time([requests[index] for index in order], profile)
                for order in permutations(chosen)
            )
    served = {chosen for chosen, can in together.items() if can}
    if instance.replicas == 2:
        served = {one | other for one in served for other in served}
    charges = [charge_nano(request) for request in requests]
    return sum(charges) - max(sum(charges[index] for index in chosen) for chosen in served)


def usd_of(bound: Bound) -> float:
    assert bound.usd is not None
    return bound.usd
