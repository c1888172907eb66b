"""A closed loop of clients on a replica that follows a step model exactly, step by step."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from random import Random
from statistics import fmean

from benchmarks.fits.calibration import Point
from benchmarks.simulation.profile import Profile

REQUESTS_PER_CLIENT = 10
SHORTEST = 0.8  # of the nominal length


@dataclass(slots=True)
class _Request:
    prompt_tokens: int
    output_tokens: int
    at_s: float
    taken_in: int = 0
    generated: int = 0
    first_s: float = 0.0


def closed_loop(
    profile: Profile,
    prompt_tokens: int,
    output_tokens: int,
    concurrency: int,
    outside_s: float = 0.0,
    seed: int = 0,
) -> Point:
    """Mean times of a loop whose clients all start at once; chunked prefill, decodes first.

    A request reaches the replica ``outside_s`` after its client sent it.
    """
    random = Random(seed)

    def request(at_s: float) -> _Request:
        prompt, output = (
            random.randint(int(SHORTEST * nominal), nominal)
            for nominal in (prompt_tokens, output_tokens)
        )
        return _Request(prompt, output, at_s)

    now_s, left = outside_s, (REQUESTS_PER_CLIENT - 1) * concurrency
    prompts = deque(request(0.0) for _ in range(concurrency))
    decoding: list[_Request] = []
    ttft_s: list[float] = []
    tpot_s: list[float] = []
    while prompts or decoding:
        if not decoding:
            now_s = max(now_s, prompts[0].at_s + outside_s)
        budget = profile.batched_tokens_max - len(decoding)
        arrived = [each for each in prompts if each.at_s + outside_s <= now_s]
        taken, read = _take_in(arrived, budget)
        held = sum(each.prompt_tokens + each.generated for each in decoding)
        now_s += profile.step_s(len(decoding), held, taken)
        for each in decoding:
            each.generated += 1
        for each in read:
            prompts.popleft()
            each.generated, each.first_s = 1, now_s
            ttft_s.append(now_s - each.at_s)
        decoding += read
        for each in [each for each in decoding if each.generated >= each.output_tokens]:
            decoding.remove(each)
            tpot_s.append((now_s - each.first_s) / (each.output_tokens - 1))
            if left:
                left -= 1
                prompts.append(request(now_s))
    return Point(prompt_tokens, output_tokens, concurrency, fmean(ttft_s), fmean(tpot_s))


def _take_in(prompts: list[_Request], budget: int) -> tuple[int, list[_Request]]:
    """How many prompt tokens a step reads, first come first served, and which prompts it ends."""
    taken, read = 0, []
    for prompt in prompts:
        chunk = min(budget - taken, prompt.prompt_tokens - prompt.taken_in)
        prompt.taken_in += chunk
        taken += chunk
        if prompt.taken_in == prompt.prompt_tokens:
            read.append(prompt)
    return taken, read
