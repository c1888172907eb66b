from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.pool.queue import (
    QUANTUM_TOKENS,
    TENANTS_LOOKED_AT_MAX,
    UNSCHEDULABLE_CLASS,
    Moment,
    Queue,
)
from scheduler.pool.queued_request import OFF_PEAK_CLASS, QueuedRequest
from scheduler.settings import QueueSettings, Settings
from tests.scheduler.given import arrival
from tests.scheduler.sums import assert_queue_sums

PROMPT = 950  # with 50 tokens of answer, 1,000 tokens


def waiting(
    request_id: str, prompt: int = PROMPT, since: float = 10.0, **more: object
) -> QueuedRequest:
    request = arrival(request_id, prompt=prompt, output=50, **more)  # type: ignore[arg-type]
    return QueuedRequest(request, since)


def everyone(_: QueuedRequest) -> bool:
    return True


def queue_of(*members: QueuedRequest, urgency: float = 0.0) -> Queue:
    queue = Queue()
    for each in members:
        queue.add(each, urgency)
    return queue


def serve(queue: Queue, admits: Callable[[QueuedRequest], bool] = everyone) -> QueuedRequest | None:
    head = queue.head(admits)
    if head is not None:
        queue.served(head)
        queue.remove(head.arrival.request_id)
    return head


def serve_all(queue: Queue) -> list[str]:
    served = []
    while (head := serve(queue)) is not None:
        served.append(head.arrival.request_id)
    return served


# One request


def test_what_is_derived_from_the_arrival() -> None:
    usual, batch = waiting("a", 100), waiting("b", deadline_ms=9_000)
    assert (usual.deadline, usual.kv_tokens_expected, usual.priority_class) == (12.0, 150, 1)
    assert (batch.deadline, batch.priority_class, batch.is_off_peak) == (19.0, OFF_PEAK_CLASS, True)


def test_value_nano_per_second_is_cost_per_engine_second() -> None:
    one = waiting("a")
    assert one.value_nano_per_s == inf  # it may not be bought
    one.cost_nano, one.work_s = 3_000, 1.5
    assert one.value_nano_per_s == 2_000


# Bounds


def test_bounds() -> None:
    settings = Settings(queue=QueueSettings(requests_max=2, tokens_max=1_200))
    queue = Queue()
    assert queue.has_tokens_room(waiting("big", 5_000), settings)
    queue.add(waiting("a"), 0.0)
    assert queue.has_requests_room(settings)
    assert not queue.has_tokens_room(waiting("b", 151), settings)
    assert queue.has_tokens_room(waiting("b", 150), settings)
    queue.add(waiting("b", 150), 0.0)
    assert not queue.has_requests_room(settings)
    settings, queue = Settings(queue=QueueSettings(bytes_max=1_000)), Queue()
    for held, room in ((0, 1_000), (600, 400)):
        queue.add(waiting(f"{held}", body_bytes=held), 0.0)
        assert queue.has_bytes_room(waiting("b", body_bytes=room), settings)
        assert not queue.has_bytes_room(waiting("b", body_bytes=room + 1), settings)


@given(st.data())
def test_sums_of_the_parts_under_any_changes(data: st.DataObject) -> None:
    queue, held = Queue(), list[QueuedRequest]()
    for n in range(data.draw(st.integers(1, 60))):
        act = data.draw(st.sampled_from(["add", "add", "remove", "move", "head"]))
        if act == "add" or not held:
            tenant, prompt = data.draw(st.sampled_from("xyz")), data.draw(st.integers(0, 9_000))
            held.append(waiting(str(n), prompt, tenant=tenant))
            held[-1].work_s = data.draw(st.floats(0, 9))
            queue.add(held[-1], data.draw(st.floats(-9, 9)))
        elif act == "remove":
            queue.remove(held.pop(data.draw(st.integers(0, len(held) - 1))).arrival.request_id)
        elif act == "move":
            queue.move_to_class(data.draw(st.sampled_from(held)), data.draw(st.integers(0, 4)))
        else:
            head = queue.head(everyone)
            assert (head is None) == all(w.priority_class == UNSCHEDULABLE_CLASS for w in held)
            assert head is None or head.priority_class == min(each.priority_class for each in held)
        assert len(queue) == len(held)
        assert_queue_sums(queue)
    for each in held:
        queue.remove(each.arrival.request_id)
    assert (len(queue), queue.kv_tokens_expected, queue.work_s) == (0, 0, 0.0)


# Order


def test_class_comes_before_all() -> None:
    queue = queue_of(waiting("last", priority=2), waiting("batch", deadline_ms=1))
    queue.add(waiting("usual"), 5.0)
    queue.add(waiting("first", 9_000, priority=0), 9.0)
    assert serve_all(queue) == ["first", "usual", "last", "batch"]


def test_urgency_then_deadline_then_arrival() -> None:
    queue = queue_of(waiting("c", since=11.0), waiting("b"), waiting("d", since=11.0))
    queue.add(waiting("a", since=99.0), -1.0)
    assert serve_all(queue) == ["a", "b", "c", "d"]


def test_whom_the_policy_does_not_admit_is_passed_over() -> None:
    queue = queue_of(waiting("a", tenant="x"), waiting("b", tenant="y"), waiting("c", priority=2))
    assert queue.head(lambda each: each.arrival.request_id != "a") is not None
    served = [serve(queue, lambda each: each.arrival.request_id == "c") for _ in range(2)]
    assert [each and each.arrival.request_id for each in served] == ["c", None]


def test_the_unschedulable_are_never_next() -> None:
    lost = waiting("a")
    queue = queue_of(lost)
    queue.move_to_class(lost, UNSCHEDULABLE_CLASS)
    assert queue.head(everyone) is None
    queue.move_to_class(lost, 1)
    assert queue.head(everyone) is lost


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(1, 20_000)), min_size=1))
def test_asking_again_gives_the_same(members: list[tuple[str, int]]) -> None:
    queue = queue_of(*(waiting(str(n), p, tenant=t) for n, (t, p) in enumerate(members)))
    for _ in members:
        assert len({id(queue.head(everyone)) for _ in range(3)}) == 1
        serve(queue)


# Fairness


@given(st.lists(st.integers(1, 12_000), min_size=2, max_size=5), st.integers(0, 9))
def test_backlogged_tenants_get_equal_tokens(prompts: list[int], first: int) -> None:
    """However different their requests are, and whatever one had while it was alone."""
    queue, count, served = Queue(), 0, Counter[str]()
    largest = max(prompts) + 50

    def refill(tenant: str, prompt: int) -> None:
        nonlocal count
        count += 1
        queue.add(waiting(str(count), prompt, tenant=tenant), 0.0)

    for _ in range(first + 1):
        refill("0", prompts[0])
    for _ in range(first):
        serve(queue)
    for tenant, prompt in enumerate(prompts[1:], 1):
        refill(str(tenant), prompt)
    for _ in range(150):
        for tenant, prompt in enumerate(prompts):
            if str(tenant) not in queue._classes[1]:
                refill(str(tenant), prompt)
            refill(str(tenant), prompt)  # at least one stays behind
        head = serve(queue)
        assert head is not None
        served[head.arrival.tenant] += head.kv_tokens_expected
        assert max(served.values()) - min(served[str(n)] for n in range(len(prompts))) <= 2 * (
            QUANTUM_TOKENS + largest
        )


def test_a_tenant_owes_nothing_for_what_it_had_alone() -> None:
    queue = queue_of(*(waiting(f"x{n}", tenant="x") for n in range(120)))
    for _ in range(100):
        serve(queue)
    for n in range(20):
        queue.add(waiting(f"y{n}", tenant="y"), 0.0)
    tenants = [name[0] for name in serve_all(queue)[:20]]
    assert 8 <= tenants.count("x") <= 12


def test_a_tenant_that_the_policy_keeps_out_saves_up_no_turns() -> None:
    queue = queue_of(*(waiting(f"{t}{n}", tenant=t) for t in "xyz" for n in range(120)))
    for _ in range(60):
        serve(queue, lambda each: each.arrival.tenant != "z")
    tenants = [name[0] for name in serve_all(queue)[:30]]
    assert 8 <= tenants.count("z") <= 14


def test_a_bounded_number_of_tenants_is_looked_at() -> None:
    many = [waiting(str(n), 40_000, tenant=str(n)) for n in range(TENANTS_LOOKED_AT_MAX + 9)]
    asked: list[QueuedRequest] = []
    queue = queue_of(*many)
    assert queue.head(lambda each: not asked.append(each)) is many[0]  # type: ignore[func-returns-value]
    assert len(asked) == TENANTS_LOOKED_AT_MAX


# Unschedulable


@pytest.mark.parametrize("tenants", [1, 2, 6])
def test_the_unschedulable_are_looked_at_in_turn(tenants: int) -> None:
    queue = Queue()
    for n in range(6):
        each = waiting(str(n), tenant=str(n % tenants))
        queue.add(each, 0.0)
        queue.move_to_class(each, UNSCHEDULABLE_CLASS)
    seen = Counter(w.arrival.request_id for _ in range(12) for w in queue.some_unschedulable(2))
    assert seen == dict.fromkeys("012345", 4)


def test_who_is_unschedulable_twice_is_found_once() -> None:
    queue, one = queue_of(), waiting("a")
    for each in (one, waiting("b")):
        queue.add(each, 0.0)
        queue.move_to_class(each, UNSCHEDULABLE_CLASS)
    queue.move_to_class(one, 1)
    queue.move_to_class(one, UNSCHEDULABLE_CLASS)
    found = [each.arrival.request_id for each in queue.some_unschedulable(9)]
    assert sorted(found) == ["a", "b"]


# Aside


def test_who_stands_aside_is_not_next_and_comes_back_to_its_place() -> None:
    first, second, third = (waiting(name) for name in "abc")
    queue = queue_of(first, second, third)
    queue.reserve(first, "r1")
    assert queue.head(everyone) is second
    assert len(queue) == 3
    queue.move_to_class(first, 0)
    assert queue.head(everyone) is second
    queue.move_to_class(first, 1)
    queue.unreserve(first)
    queue.unreserve(first)
    assert serve_all(queue) == ["a", "b", "c"]


def test_who_left_while_aside_does_not_come_back() -> None:
    one = waiting("a")
    queue = queue_of(one, waiting("b"))
    queue.reserve(one, "r1")
    queue.remove("a")
    queue.unreserve(one)
    assert serve_all(queue) == ["b"]
    assert_queue_sums(queue)


# Moments


def test_moments_come_in_order_and_only_for_who_still_waits() -> None:
    a, b = waiting("a"), waiting("b")
    queue = queue_of(a, b)
    queue.at(Moment.EXPIRY, 3.0, a)
    queue.at(Moment.LATEST, 1.0, b)
    queue.at(Moment.AGEING, 2.0, a)
    assert queue.due(0.9) is None
    assert queue.due(1.0) == (Moment.LATEST, b)
    queue.remove("a")
    queue.add(waiting("a"), 0.0)  # the same name again is another request
    assert queue.due(9.0) is None


@pytest.mark.parametrize("stays", [0, 1, 30])
def test_memory_is_that_of_who_waits(stays: int) -> None:
    queue = queue_of(*(waiting(f"stays{n}") for n in range(stays)), urgency=-9.0)
    for n in range(5_000):
        each = waiting(str(n))
        queue.add(each, 0.0)
        queue.at(Moment.EXPIRY, 1e9, each)
        queue.move_to_class(each, n % 5)
        queue.remove(str(n))
        entries = sum(len(lane.heap) for c in queue._classes.values() for lane in c.values())
        assert entries <= 3 * stays + 20
        assert len(queue._moments) <= 8 * stays + 80
