from __future__ import annotations

import re

from runtime.edge.request_ids import DRAWN_AT_ONCE, RequestIds


def test_ids_are_distinct_over_several_draws_and_processes() -> None:
    some, others = RequestIds(), RequestIds()
    ids = [each.next() for each in (some, others) for _ in range(3 * DRAWN_AT_ONCE)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("req-[0-9a-f]{24}", each) for each in ids)
