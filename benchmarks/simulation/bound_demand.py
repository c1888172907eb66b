"""What requests ask of one pool's engines, in the slots and classes of the bound's program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.linear_program import Floats, Ints
from benchmarks.simulation.pace import decode_s
from benchmarks.simulation.prefixes import warm_tokens_at_best
from benchmarks.simulation.profile import Profile
from benchmarks.simulation.run_counters import LATE_S
from benchmarks.simulation.workload import Request

# Slots and shares of requests in them: slots are longer when there would be more than either.
COLUMNS_MAX = 50_000
COLUMNS_PER_REQUEST_MAX = 2.5
CELLS_MAX = 20_000  # classes times slots: coarser classes when there would be more
CLASS_RATIOS = (1.1, 1.2, 1.4, 2.0, 4.0, inf)  # largest to smallest within a class, on each axis
FLOAT_SLACK = 1e-9  # what adding up floats may be off by


@dataclass(frozen=True, slots=True)
class Demand:
    """What each request asks of the engines and what it costs elsewhere, one value each."""

    price_usd: Floats
    at_s: Floats
    by_s: Floats  # the first token; of a batch request, the last
    prompt_tokens: Floats
    decoded: Floats  # tokens
    prefill_s: Floats
    decode_s: Floats
    by_context: bool  # what the fixed time of decoding is shared by; else by requests
    is_batch: NDArray[np.bool_]
    is_servable: NDArray[np.bool_]  # by a replica of its own, in time


def demand_of(
    requests: Sequence[Request], block_tokens: int, profile: Profile, price_usd: Floats
) -> Demand:
    at_s = np.array([request.at_s for request in requests])
    by_s = np.array([_due_s(request) for request in requests])
    prompt = np.array([request.prompt_tokens for request in requests], float)
    new = prompt - np.array(
        warm_tokens_at_best(requests, [float(each) for each in by_s], block_tokens), float
    )
    decoded = np.array([request.output_tokens - 1 for request in requests], float)
    by_requests, by_context = (
        decode_s(decoded, prompt, profile, by_context=by_context) for by_context in (False, True)
    )
    # Either share of the fixed time is valid for all; the scarcer resource gives the larger one.
    is_by_context = bool(by_context.sum() > by_requests.sum())
    prefill_s = new / profile.prefill_tok_s
    first_s = prefill_s + np.ceil(new / profile.batched_tokens_max) * profile.step_fixed_s
    return Demand(
        price_usd=price_usd,
        at_s=at_s,
        by_s=by_s,
        prompt_tokens=prompt,
        decoded=decoded,
        prefill_s=prefill_s,
        decode_s=by_context if is_by_context else by_requests,
        by_context=is_by_context,
        is_batch=np.array([request.deadline_s is not None for request in requests]),
        is_servable=first_s <= (by_s - at_s) * (1 + FLOAT_SLACK),
    )


def _due_s(request: Request) -> float:
    if request.deadline_s is not None:
        return request.deadline_s + LATE_S
    return request.at_s + request.ttft_budget_ms / 1000 + LATE_S


@dataclass(frozen=True, slots=True)
class Grid:
    """Time in slots, and the slots in which a request may be read: one entry for each share."""

    slot_s: float
    slots: int
    request: Ints
    slot: Ints
    share_max: Floats  # a prompt is read by one replica, between its arrival and its deadline


def grid_of(demand: Demand, slot_s: float | None) -> Grid:
    online = np.flatnonzero(demand.is_servable & ~demand.is_batch)
    at_s, by_s = demand.at_s[online], demand.by_s[online]
    if slot_s is None:
        slot_s = float((by_s - at_s).min()) / 4 if online.size else 1.0
    columns_max = max(COLUMNS_MAX, COLUMNS_PER_REQUEST_MAX * online.size)
    while ((by_s - at_s).sum() + by_s.max(initial=0)) / slot_s + online.size > columns_max:
        slot_s *= 2
    start, end = (at_s / slot_s).astype(np.int64), (by_s / slot_s).astype(np.int64)
    count = end - start + 1
    request = np.repeat(online, count)
    slot = np.repeat(start - np.cumsum(count) + count, count) + np.arange(request.size)
    inside_s = np.minimum(demand.by_s[request], (slot + 1) * slot_s) - np.maximum(
        demand.at_s[request], slot * slot_s
    )
    share_max = np.clip(inside_s / demand.prefill_s[request] + FLOAT_SLACK, 0, 1)
    return Grid(slot_s, int(end.max(initial=0)) + 1, request, slot, share_max)


def classes_of(demand: Demand, profile: Profile, slots: int) -> Ints:
    """The class of each request: alike in decoding time and in prompt, where KV could bind.

    A class fills as little room per second of decoding as any of its members, so that finer
    classes bound more closely.
    """
    fair_tokens = profile.kv_tokens_max / profile.running_max
    keys = roomy_s(demand), np.maximum(demand.prompt_tokens, fair_tokens / 4)
    for ratio in CLASS_RATIOS:
        steps = [np.floor(np.log(key) / np.log(ratio)) for key in keys]
        found, classes = np.unique(np.stack(steps), axis=1, return_inverse=True)
        if found.shape[1] * slots <= CELLS_MAX:
            break
    return classes.ravel().astype(np.int64)


def roomy_s(demand: Demand) -> Floats:
    """Decoding times, the short ones rounded up: they are too short for room to bind."""
    return np.maximum(demand.decode_s, max(1e-6, demand.decode_s.max() / 400))


def rooms_of(demand: Demand, classes: Ints, profile: Profile) -> tuple[Floats, Floats]:
    """The shares of a replica's slots and of its KV that a second of each class fills at least."""
    decode_s = roomy_s(demand)
    rooms = (
        1 / profile.running_max / decode_s,
        demand.prompt_tokens / profile.kv_tokens_max / decode_s,
    )
    least = []
    for room in rooms:
        of_class = np.full(int(classes.max()) + 1, inf)
        np.minimum.at(of_class, classes, room)
        least.append(of_class)
    return least[0], least[1]
