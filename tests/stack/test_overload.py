"""Three times what fits, for a minute: the engines never notice, every caller gets an answer in
time, and all is as before soon after.

The provider is a scripted one. A third engine would take what it can serve from the replicas: they
share two cores. The KV cache is small enough to be what runs out first, so that preemptions are
what a careless scheduler would get, and that three times what fits is little work for all but the
engines. They take any processor time that is left, and a slower machine stood still for a second
under it: whoever waits leaves the wait 1.5 s early.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import pytest

from benchmarks.load.schedule import Ask
from benchmarks.rig.common import Target, percentile
from benchmarks.rig.open_loop import Answer, OpenLoop, Seen, run_apart
from benchmarks.rig.stack import PROVIDER_KEY_ENV
from benchmarks.rig.stand_in import stand_in_profile
from tests.stack.running import Stack, running

BUDGET_MS = 3_000
ENGINE = {"kv_blocks": 14, "context_tokens_max": 768}
QUEUE = {"deadline_margin_ms": 1_500}
PROBE_REQUESTS = 60
OVERLOAD, OVERLOAD_S = 3.0, 60.0
LOW, LOW_S = 0.2, 35.0
RECOVERY_S_MAX = 30.0
CALM_TTFT_MS = 500
NEAR_EMPTY, NEAR_EMPTY_SHARE_MIN = 1, 0.9  # requests that wait in an engine


@dataclass(frozen=True)
class Site:
    endpoint: Target
    engines: tuple[Target, ...]

    def play(self, asks: list[Ask], seed: int) -> Seen:
        return run_apart(OpenLoop((self.endpoint,), self.engines, tuple(asks), seed))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("overload")
    with (
        stand_in_profile(folder, 20, ENGINE, queue=QUEUE) as profile,
        running(folder / "state", profile, {PROVIDER_KEY_ENV: "unused"}) as stack,
    ):
        stack.wait_for(2, within_s=60)
        yield Site(Target(f"{stack.url}/v1", stack.key), engines(stack))


def engines(stack: Stack) -> tuple[Target, ...]:
    return tuple(Target(each["base_url"], each["token"]) for each in stack.command("engines"))


def arrivals(rate_per_s: float, start_s: float, end_s: float, random: Random) -> list[Ask]:
    """Poisson, with prompts and answers of a few hundred tokens."""
    asks, at_s = list[Ask](), start_s
    while (at_s := at_s + random.expovariate(rate_per_s)) < end_s:
        prompt_tokens, output_tokens = random.randint(150, 450), random.randint(50, 250)
        asks.append(Ask(len(asks), at_s, prompt_tokens, output_tokens, budget_ms=BUDGET_MS))
    return asks


def capacity_per_s(site: Site) -> float:
    """Requests per second that the replicas answer when there are more than enough of them."""
    asks = [Ask(0, 0.0, 300, 150, budget_ms=120_000)] * PROBE_REQUESTS
    seen = site.play(asks, seed=1)
    local = [each for each in seen.answers if each.is_local]
    assert len(local) == PROBE_REQUESTS
    return len(local) / max(each.e2e_ms / 1000 for each in local)


def preemptions(seen: Seen) -> int:
    """Of all engines, since the run began."""
    found = [seen.of_engine(number) for number in (0, 1)]
    return sum(each[-1].report.preemptions - each[0].report.preemptions for each in found)


def waiting_near_empty(seen: Seen, until_s: float) -> float:
    """The share of the load reports under overload that show (nearly) nobody waiting."""
    waiting = [each.report.waiting for each in seen.sightings if 0 < each.at_s < until_s]
    return sum(each <= NEAR_EMPTY for each in waiting) / len(waiting)


def is_calm(answer: Answer) -> bool:
    return answer.reason == "local_fit" and answer.ttft_ms <= CALM_TTFT_MS


@pytest.mark.timeout(420)
def test_a_minute_of_three_times_the_load_then_back_to_normal(site: Site) -> None:
    rate_per_s = capacity_per_s(site)
    random = Random(7)
    asks = arrivals(OVERLOAD * rate_per_s, 0.0, OVERLOAD_S, random)
    asks += arrivals(LOW * rate_per_s, OVERLOAD_S, OVERLOAD_S + LOW_S, random)
    seen = site.play(asks, seed=2)

    accepted = [each for each in seen.answers if each.status == 200]
    refused = [each for each in seen.answers if each.status == 429]
    ttft_ms_p99 = percentile([each.ttft_ms for each in accepted], 0.99)
    preempted = preemptions(seen)
    near_empty = waiting_near_empty(seen, OVERLOAD_S)
    after = [each for each in seen.answers if each.at_s >= OVERLOAD_S]
    restless_s = max((a.at_s - OVERLOAD_S for a in after if not is_calm(a)), default=0.0)
    print(
        f"{rate_per_s:.1f} requests/s fit; of {len(asks)} {len(accepted)} answered, "
        f"{len(refused)} refused; {Counter(each.reason for each in seen.answers)}; TTFT p99 "
        f"{ttft_ms_p99:.0f} ms; {preempted} preemptions; engine queue near empty "
        f"{near_empty:.1%} of the time; normal after {restless_s:.1f} s"
    )
    assert len(accepted) + len(refused) == len(asks)
    assert all(each.is_whole for each in accepted)
    assert all(each.retry_after_s is not None and each.retry_after_s >= 1 for each in refused)
    assert sum(each.is_bought for each in accepted) > len(asks) / 3
    assert preempted == 0
    assert ttft_ms_p99 <= BUDGET_MS
    assert near_empty >= NEAR_EMPTY_SHARE_MIN
    assert restless_s <= RECOVERY_S_MAX
    assert sum(each.at_s > OVERLOAD_S + restless_s for each in after) >= 5


def test_the_same_load_straight_at_an_engine_does_preempt(site: Site) -> None:
    """Else the zero above would say nothing."""
    straight = Site(site.engines[0], site.engines)
    seen = straight.play([Ask(0, 0.0, 240, 400, budget_ms=BUDGET_MS)] * 32, seed=3)
    preempted = preemptions(seen)
    assert all(each.is_whole for each in seen.answers)
    assert preempted > 0
