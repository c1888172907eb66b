"""Requests at their times, in a process of their own, while engines tell of their load."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.load.request_sender import BUDGET_HEADER
from benchmarks.load.schedule import Ask
from benchmarks.rig.child import Child
from benchmarks.rig.common import BenchmarkError, Target
from benchmarks.rig.open_loop import FAILED, OpenLoop, run_apart
from benchmarks.rig.scripted_upstream import READY_LINE
from tests.benchmarks.load.scripted import Script, serving

REPORT = {
    "running": 1,
    "waiting": 0,
    "kv_tokens_used": 64,
    "waiting_prefill_tokens": 0,
    "prefill_tok_s": None,
    "decode_step_s": None,
    "preemptions": 0,
    "prefix_hit_tokens": 0,
}


class Engine(BaseHTTPRequestHandler):
    """Reports twice, then ends; refuses who has no key."""

    def do_GET(self) -> None:
        has_key = self.headers["authorization"] == "Bearer token"
        self.send_response(200 if has_key and self.path == "/load" else 401)
        self.end_headers()
        if has_key:
            self.wfile.write(2 * (json.dumps(REPORT).encode() + b"\n"))

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def engine() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asks(*at_s: float) -> tuple[Ask, ...]:
    return tuple(Ask(0, each, 30, 8, budget_ms=700) for each in at_s)


def test_answers_are_whole_and_timed_from_when_they_were_sent() -> None:
    argv = [sys.executable, "-m", "benchmarks.rig.scripted_upstream", "--step-ms", "20"]
    with Child(argv, READY_LINE) as child, engine() as reporting:
        target = Target(child.wait_ready().removeprefix(READY_LINE), "k")
        gone = Target("http://127.0.0.1:9/v1", "k")
        engines = (Target(reporting, "token"),)
        seen = run_apart(OpenLoop((target, gone), engines, asks(0.0, 0.1, 0.3, 0.4)))
    by_time = sorted(seen.answers, key=lambda answer: answer.at_s)
    assert [answer.is_whole for answer in by_time] == [True, False, True, False]
    assert [answer.status for answer in by_time] == [200, FAILED, 200, FAILED]
    for answer, at_s in zip(by_time, (0.0, 0.1, 0.3, 0.4), strict=True):
        assert at_s <= answer.at_s < at_s + 0.3
        assert answer.ask.at_s == at_s
    for answer in by_time[::2]:  # eight tokens, and one step each for the role and the end
        assert answer.e2e_ms >= 9 * 20
        assert answer.ttft_ms < answer.e2e_ms - 7 * 20
    assert [each.report.kv_tokens_used for each in seen.of_engine(0)] == [64, 64]
    assert all(-30 < each.at_s < 30 for each in seen.sightings)  # of the run, not of the machine
    assert seen.of_engine(1) == []


def test_where_an_answer_came_from_is_read_off_its_headers_and_refusals_stay_refusals() -> None:
    script = Script(slots_own=1, healthy_requests=2, status=429)
    with serving(script) as url:
        seen = run_apart(OpenLoop((Target(url, "k"),), (), asks(0.0, 0.4, 0.8)))
    first, second, refused = sorted(seen.answers, key=lambda answer: answer.at_s)
    assert first.is_local
    assert first.is_whole
    assert second.is_whole
    assert (refused.status, refused.is_whole) == (429, False)
    assert {headers[BUDGET_HEADER] for headers in script.headers} == {"700"}
    assert all(headers.get("x-baseload-tell") is None for headers in script.headers)
    assert len(set(script.prompts)) == 3


def test_an_engine_that_does_not_report_is_no_measurement() -> None:
    with serving(Script()) as url, engine() as reporting:
        loop = OpenLoop((Target(url, "k"),), (Target(reporting, "wrong"),), asks(0.0))
        with pytest.raises(BenchmarkError, match="does not report"):
            run_apart(loop)
