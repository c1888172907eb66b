from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scheduler.queue import Queue, Waiting
from scheduler.settings import Settings
from tests.scheduler.given import arrival


def waiting(request_id: str, prompt: int = 100) -> Waiting:
    return Waiting(arrival(request_id, prompt=prompt, output=50), since=10.0)


def test_deadline_and_tokens_come_from_the_arrival() -> None:
    one = waiting("a")
    assert one.deadline == 12.0
    assert one.kv_tokens == 150


def test_bounds() -> None:
    settings = Settings(queue_requests_max=2, queue_tokens_max=200)
    queue = Queue()
    assert queue.has_tokens_room(waiting("big", prompt=5_000), settings)
    queue.add(waiting("a"))
    assert queue.has_requests_room(settings)
    assert not queue.has_tokens_room(waiting("b"), settings)
    assert queue.has_tokens_room(waiting("b", prompt=0), settings)
    queue.add(waiting("b", prompt=0))
    assert not queue.has_requests_room(settings)


@given(st.lists(st.integers(0, 500), max_size=30), st.data())
def test_first_in_first_out_and_sums_of_the_parts(prompts: list[int], data: st.DataObject) -> None:
    queue = Queue()
    for n, prompt in enumerate(prompts):
        queue.add(waiting(str(n), prompt))
    kept = [str(n) for n in range(len(prompts))]
    for request_id in data.draw(st.lists(st.sampled_from(kept), unique=True)) if kept else []:
        queue.remove(request_id)
        kept.remove(request_id)
    assert [w.arrival.request_id for w in queue.in_order()] == kept
    assert len(queue) == len(kept)
    assert queue.prompt_tokens == sum(prompts[int(n)] for n in kept)
    assert queue.kv_tokens == sum(prompts[int(n)] + 50 for n in kept)
    assert all(w.is_held for w in queue.in_order())
