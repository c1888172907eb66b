"""What a clairvoyant would have to spend on a workload: a lower bound, by a linear program.

It knows every arrival and length, may split requests, and serves each within its budget or buys it
at the cheapest of its offers; what may not be bought is charged at the dearest when it is missed.
No schedule of the simulator costs less, as long as none of its requests is preempted, for each
gives a point of the program with the same cost or less. ``x[r, slot]`` is the share of r's prompt
that is read in the slot, ``executed`` and ``backlog`` what is done and left to do of the decoding
that it starts, in engine seconds and classes of requests. Every step, shared out over the slots
that it touches, obeys:

- Time: its prompts, its decoding and its fixed time ``a`` fill its length. ``a`` is charged in
  part: by requests, ``a >= a * decoding / running_max``, or by context, ``a >= a * kv / kv_max``.
- Room: a request has a slot and the KV of its prompt from its first prompt token to its last, so
  the shares left to do have no more than the slots and the KV of all replicas.
- Decoding: the prompt gives the first token, so of ``n`` tokens ``n - 1`` are decoded, over
  contexts of ``prompt + 1`` to ``prompt + n - 1``.
- Pace: what has begun goes on, one token a step, so that it is not put off (see ``pace``).
- Warmth: a block is warm at best if some other request that holds it came before the deadline.

Batch requests need time before their deadline, no room.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.linear_program import Floats, Ints, LinearProgram
from benchmarks.simulation.pace import add_pace, decode_s, shares_left
from benchmarks.simulation.prefixes import warm_tokens_at_best
from benchmarks.simulation.profile import Profile
from benchmarks.simulation.run import LATE_S, charge_nano
from benchmarks.simulation.workload import Request, Workload
from models.money import NANO_PER_USD

REQUESTS_MAX = 200_000
# Slots and shares of requests in them: slots are longer when there would be more than either.
COLUMNS_MAX = 50_000
COLUMNS_PER_REQUEST_MAX = 2.5
CELLS_MAX = 20_000  # classes times slots: coarser classes when there would be more
CLASS_RATIOS = (1.1, 1.2, 1.4, 2.0, 4.0, inf)  # largest to smallest within a class, on each axis
_FLOAT_SLACK = 1e-9  # of buying everything: what adding up floats may be off by


@dataclass(frozen=True, slots=True)
class Bound:
    """``usd`` holds whatever the solver did, and is None where it gave nothing to prove a bound
    by, as when it ran out of time. ``solver_usd`` is its own figure, None if it failed.

    Far apart, they say that the solver stopped early and ``usd`` could be higher.
    """

    usd: float | None
    buy_all_usd: float
    solver_usd: float | None
    seconds: float
    slot_s: float
    slots: int
    classes: int


def lp_bound(
    workload: Workload, profile: Profile, replicas: int, slot_s: float | None = None
) -> Bound:
    """The least that the workload can cost.

    Slots are a quarter of the shortest budget unless told, and longer where that makes too many:
    on long runs they matter less to the bound than fine classes do.
    """
    began = perf_counter()
    if replicas < 1 or not (slot_s is None or slot_s > 0):
        raise ValueError(f"needs replicas and a slot above 0, not {replicas} and {slot_s}")
    if not 1 <= len(workload.requests) <= REQUESTS_MAX:
        raise ValueError(
            f"the bound takes 1 to {REQUESTS_MAX} requests, not {len(workload.requests)}: "
            "cut the trace"
        )
    demand = _demand(workload, profile)
    grid = _grid(demand, slot_s)
    classes = _classes(demand, profile, grid.slots)
    left = shares_left(
        demand.prompt_tokens,
        demand.decoded,
        profile,
        classes,
        by_context=demand.by_context,
        slots=grid.slots,
        slot_s=grid.slot_s,
    )
    program = _program(demand, grid, classes, left, profile, replicas)
    saved = program.maximum()
    buy_all_usd = float(demand.price_usd.sum())
    usd = None
    if saved.at_most is not None:
        usd = max(0.0, buy_all_usd * (1 - _FLOAT_SLACK) - saved.at_most)
    return Bound(
        usd=usd,
        buy_all_usd=buy_all_usd,
        solver_usd=None if saved.solver is None else buy_all_usd - saved.solver,
        seconds=perf_counter() - began,
        slot_s=grid.slot_s,
        slots=grid.slots,
        classes=int(classes.max()) + 1,
    )


@dataclass(frozen=True, slots=True)
class _Demand:
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


def _demand(workload: Workload, profile: Profile) -> _Demand:
    requests = workload.requests
    at_s = np.array([request.at_s for request in requests])
    by_s = np.array([_due_s(request) for request in requests])
    prompt = np.array([request.prompt_tokens for request in requests], float)
    new = prompt - np.array(
        warm_tokens_at_best(requests, [float(each) for each in by_s], workload.block_tokens), float
    )
    decoded = np.array([request.output_tokens - 1 for request in requests], float)
    by_requests, by_context = (
        decode_s(decoded, prompt, profile, by_context=by_context) for by_context in (False, True)
    )
    # Either share of the fixed time is valid for all; the scarcer resource gives the larger one.
    is_by_context = bool(by_context.sum() > by_requests.sum())
    prefill_s = new / profile.prefill_tok_s
    first_s = prefill_s + np.ceil(new / profile.batched_tokens_max) * profile.step_fixed_s
    return _Demand(
        price_usd=np.array(_charges_nano(workload), float) / NANO_PER_USD,
        at_s=at_s,
        by_s=by_s,
        prompt_tokens=prompt,
        decoded=decoded,
        prefill_s=prefill_s,
        decode_s=by_context if is_by_context else by_requests,
        by_context=is_by_context,
        is_batch=np.array([request.deadline_s is not None for request in requests]),
        is_servable=first_s <= (by_s - at_s) * (1 + _FLOAT_SLACK),
    )


def _due_s(request: Request) -> float:
    if request.deadline_s is not None:
        return request.deadline_s + LATE_S
    return request.at_s + request.ttft_budget_ms / 1000 + LATE_S


def _charges_nano(workload: Workload) -> list[int]:
    offers = {offer.offer_id: offer for offer in workload.offers}
    return [charge_nano(request, offers) for request in workload.requests]


@dataclass(frozen=True, slots=True)
class _Grid:
    """Time in slots, and the slots in which a request may be read: one entry for each share."""

    slot_s: float
    slots: int
    request: Ints
    slot: Ints
    share_max: Floats  # a prompt is read by one replica, between its arrival and its deadline


def _grid(demand: _Demand, slot_s: float | None) -> _Grid:
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
    share_max = np.clip(inside_s / demand.prefill_s[request] + _FLOAT_SLACK, 0, 1)
    return _Grid(slot_s, int(end.max(initial=0)) + 1, request, slot, share_max)


def _classes(demand: _Demand, profile: Profile, slots: int) -> Ints:
    """The class of each request: alike in decoding time and in prompt, where KV could bind.

    A class fills as little room per second of decoding as any of its members, so that finer
    classes bound more closely.
    """
    fair_tokens = profile.kv_tokens_max / profile.running_max
    keys = _roomy_s(demand), np.maximum(demand.prompt_tokens, fair_tokens / 4)
    for ratio in CLASS_RATIOS:
        steps = [np.floor(np.log(key) / np.log(ratio)) for key in keys]
        found, classes = np.unique(np.stack(steps), axis=1, return_inverse=True)
        if found.shape[1] * slots <= CELLS_MAX:
            break
    return classes.ravel().astype(np.int64)


def _roomy_s(demand: _Demand) -> Floats:
    """Decoding times, the short ones rounded up: they are too short for room to bind."""
    return np.maximum(demand.decode_s, max(1e-6, demand.decode_s.max() / 400))


def _program(
    demand: _Demand,
    grid: _Grid,
    classes: Ints,
    left: Floats,
    profile: Profile,
    replicas: int,
) -> LinearProgram:
    program = LinearProgram()
    slots, count = grid.slots, int(classes.max()) + 1
    slot_room, kv_room = _rooms(demand, classes, profile)
    capacity_s = np.full(slots, replicas * grid.slot_s)
    share = program.columns(grid.share_max, demand.price_usd[grid.request])
    starts = classes[grid.request] * slots + grid.slot
    starts_s = demand.decode_s[grid.request]
    started = program.columns(_sums(starts, grid.share_max * starts_s, count * slots))
    executed = program.columns(np.tile(capacity_s, count))
    backlog = program.columns(np.repeat(replicas / np.maximum(slot_room, kv_room), slots))
    in_class, in_slot = np.divmod(np.arange(count * slots), slots)

    once = program.rows(np.ones(classes.size))
    program.put(once[grid.request], share, 1.0)
    time = program.rows(capacity_s)
    program.put(time[grid.slot], share, demand.prefill_s[grid.request])
    program.put(time[in_slot], executed, 1.0)
    for room in (slot_room, kv_room):
        held = program.rows(np.full(slots, float(replicas)))
        program.put(held[in_slot], backlog, room[in_class])
    begun = program.rows(np.zeros(count * slots), is_equal=True)
    program.put(begun[starts], share, -starts_s)
    program.put(begun, started, 1.0)
    flow = program.rows(np.zeros(count * slots), is_equal=True)
    program.put(flow, started, -1.0)
    program.put(flow, executed, 1.0)
    program.put(flow, backlog, 1.0)
    later = in_slot > 0
    program.put(flow[later], backlog[np.flatnonzero(later) - 1], -1.0)
    add_pace(program, started, backlog, left)
    _add_batch(program, time, demand, grid, replicas)
    return program


def _sums(of: Ints, values: Floats, count: int) -> Floats:
    sums = np.zeros(count)
    np.add.at(sums, of, values)
    return sums


def _rooms(demand: _Demand, classes: Ints, profile: Profile) -> tuple[Floats, Floats]:
    """The shares of a replica's slots and of its KV that a second of each class fills at least."""
    decode_s = _roomy_s(demand)
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


def _add_batch(
    program: LinearProgram, time: Ints, demand: _Demand, grid: _Grid, replicas: int
) -> None:
    """All batch requests as one pool of work, done in any slot or after the last one."""
    batch = np.flatnonzero(demand.is_batch)
    last_s = demand.by_s[batch].max(initial=0.0)
    starts_s = np.arange(grid.slots + 1) * grid.slot_s
    lengths_s = np.clip(last_s - starts_s, 0, np.append(np.full(grid.slots, grid.slot_s), inf))
    local = program.columns(np.ones(batch.size), demand.price_usd[batch])
    worked = program.columns(replicas * lengths_s)  # in each slot, and after the last
    pool = program.rows(np.zeros(1))
    work_s = demand.prefill_s[batch] + demand.decode_s[batch]
    program.put(time, worked[:-1], 1.0)
    program.put(np.repeat(pool, batch.size), local, work_s)
    program.put(np.repeat(pool, worked.size), worked, -1.0)
