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

Batch requests need time before their deadline, no room. Of several pools each has its own time,
room and pace, and a request may be read by any pool of its models, in shares that make one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from time import perf_counter

import numpy as np

from benchmarks.simulation.bound_demand import (
    Demand,
    Grid,
    classes_of,
    demand_of,
    grid_of,
    rooms_of,
)
from benchmarks.simulation.linear_program import Floats, Ints, LinearProgram
from benchmarks.simulation.pace import add_pace, shares_left
from benchmarks.simulation.pools import MODEL, SimPool
from benchmarks.simulation.profile import Profile
from benchmarks.simulation.run_counters import charge_nano
from benchmarks.simulation.workload import Workload
from models.money import NANO_PER_USD

REQUESTS_MAX = 200_000
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
    """The least that the workload can cost with one pool."""
    return pools_bound(workload, [SimPool(MODEL, profile, replicas)], slot_s)


def pools_bound(workload: Workload, pools: Sequence[SimPool], slot_s: float | None = None) -> Bound:
    """The least that the workload can cost: each request is served by any pool of its models, in
    shares, or bought.

    Slots are a quarter of the shortest budget unless told, and longer where that makes too many:
    on long runs they matter less to the bound than fine classes do.
    """
    began = perf_counter()
    replicas = min((pool.replicas for pool in pools), default=0)
    if replicas < 1 or not (slot_s is None or slot_s > 0):
        raise ValueError(f"needs replicas and a slot above 0, not {replicas} and {slot_s}")
    if not 1 <= len(workload.requests) <= REQUESTS_MAX:
        raise ValueError(
            f"the bound takes 1 to {REQUESTS_MAX} requests, not {len(workload.requests)}: "
            "cut the trace"
        )
    price_usd = np.array(_charges_nano(workload), float) / NANO_PER_USD
    parts = [part for pool in pools if (part := _part(workload, pool, price_usd, slot_s))]
    saved = _program(parts, len(workload.requests)).maximum()
    buy_all_usd = float(price_usd.sum())
    usd = None
    if saved.at_most is not None:
        usd = max(0.0, buy_all_usd * (1 - _FLOAT_SLACK) - saved.at_most)
    return Bound(
        usd=usd,
        buy_all_usd=buy_all_usd,
        solver_usd=None if saved.solver is None else buy_all_usd - saved.solver,
        seconds=perf_counter() - began,
        slot_s=max(part.grid.slot_s for part in parts),
        slots=max(part.grid.slots for part in parts),
        classes=sum(int(part.classes.max()) + 1 for part in parts),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """What one pool could do: of the requests with the numbers ``of``, if it had them alone."""

    of: Ints
    demand: Demand
    grid: Grid
    classes: Ints
    left: Floats
    pool: SimPool


def _part(
    workload: Workload, pool: SimPool, price_usd: Floats, slot_s: float | None
) -> _Part | None:
    """None where no request may be answered by its model."""
    numbers = [n for n, each in enumerate(workload.requests) if pool.model in each.models]
    if not numbers:
        return None
    of = np.array(numbers, np.int64)
    requests = [workload.requests[number] for number in numbers]
    demand = demand_of(requests, workload.block_tokens, pool.profile, price_usd[of])
    grid = grid_of(demand, slot_s)
    classes = classes_of(demand, pool.profile, grid.slots)
    left = shares_left(
        demand.prompt_tokens,
        demand.decoded,
        pool.profile,
        classes,
        by_context=demand.by_context,
        slots=grid.slots,
        slot_s=grid.slot_s,
    )
    return _Part(of, demand, grid, classes, left, pool)


def _charges_nano(workload: Workload) -> list[int]:
    offers = {offer.offer_id: offer for offer in workload.offers}
    return [charge_nano(request, offers) for request in workload.requests]


def _program(parts: Sequence[_Part], requests: int) -> LinearProgram:
    program = LinearProgram()
    once = program.rows(np.ones(requests))
    for part in parts:
        _add_pool(program, part, once[part.of])
    return program


def _add_pool(program: LinearProgram, part: _Part, once: Ints) -> None:
    """``once`` are the rows by which no request is served more than once, over all pools."""
    demand, grid, classes, left = part.demand, part.grid, part.classes, part.left
    profile, replicas = part.pool.profile, part.pool.replicas
    slots, count = grid.slots, int(classes.max()) + 1
    slot_room, kv_room = rooms_of(demand, classes, profile)
    capacity_s = np.full(slots, replicas * grid.slot_s)
    share = program.columns(grid.share_max, demand.price_usd[grid.request])
    starts = classes[grid.request] * slots + grid.slot
    starts_s = demand.decode_s[grid.request]
    started = program.columns(_sums(starts, grid.share_max * starts_s, count * slots))
    executed = program.columns(np.tile(capacity_s, count))
    backlog = program.columns(np.repeat(replicas / np.maximum(slot_room, kv_room), slots))
    in_class, in_slot = np.divmod(np.arange(count * slots), slots)

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
    _add_batch(program, time, once, demand, grid, replicas)


def _sums(of: Ints, values: Floats, count: int) -> Floats:
    sums = np.zeros(count)
    np.add.at(sums, of, values)
    return sums


def _add_batch(
    program: LinearProgram, time: Ints, once: Ints, demand: Demand, grid: Grid, replicas: int
) -> None:
    """All batch requests as one pool of work, done in any slot or after the last one."""
    batch = np.flatnonzero(demand.is_batch)
    last_s = demand.by_s[batch].max(initial=0.0)
    starts_s = np.arange(grid.slots + 1) * grid.slot_s
    lengths_s = np.clip(last_s - starts_s, 0, np.append(np.full(grid.slots, grid.slot_s), inf))
    local = program.columns(np.ones(batch.size), demand.price_usd[batch])
    program.put(once[batch], local, 1.0)
    worked = program.columns(replicas * lengths_s)  # in each slot, and after the last
    pool = program.rows(np.zeros(1))
    work_s = demand.prefill_s[batch] + demand.decode_s[batch]
    program.put(time, worked[:-1], 1.0)
    program.put(np.repeat(pool, batch.size), local, work_s)
    program.put(np.repeat(pool, worked.size), worked, -1.0)
