"""How the processes of an engine ended is known also where nobody has waited for them."""

from __future__ import annotations

import multiprocessing
import os
import time

import pytest

from runtime.engine.exit_codes import ended, exit_codes, started

SPAWN = multiprocessing.get_context("spawn")


@pytest.mark.parametrize("wait", [True, False])
def test_the_end_of_a_process_started_since_is_known(wait: bool) -> None:
    before = started()
    process = SPAWN.Process(target=os._exit, args=(7,))
    process.start()
    if wait:
        process.join()
    assert exit_codes(before, settle_s=60.0) == [7]
    assert exit_codes(started(), settle_s=60.0) == []
    assert process in ended()


def test_a_process_that_lives_on_is_not_waited_for_long() -> None:
    before = started()
    process = SPAWN.Process(target=time.sleep, args=(60,))
    process.start()
    try:
        assert exit_codes(before, settle_s=0.0) == []
    finally:
        process.kill()
        process.join()
    assert exit_codes(before) == [-9]


def test_nothing_started_is_nothing_to_wait_for() -> None:
    assert exit_codes(started(), settle_s=60.0) == []
