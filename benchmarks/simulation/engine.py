"""One modelled vLLM replica, step by step in simulated time.

In a step every decoding request gets a token; what is left of the step's token budget goes to the
prompts of those that wait, first come first served, in chunks. A request is taken in when a slot
and KV room for its prompt are there, and has its first token at the end of the step that finishes
its prompt. When the decoding requests outgrow the KV cache, the newest is preempted and later
reads its prompt and what it has written again. KV is counted in tokens, not blocks, and requests
that share a prefix do not share its KV.

A step costs the same however many requests run: each is looked at only at its marks, every
``MARK_TOKENS`` tokens and at its end.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from benchmarks.simulation.meter import Meter
from benchmarks.simulation.prefix_cache import PrefixCache
from benchmarks.simulation.profile import Profile
from scheduler.replica import LoadReport, Replica

MARK_TOKENS = 16


@dataclass(slots=True, eq=False)
class EngineRequest:
    """A request as the engine knows it. ``tokens_out`` is exact whenever the engine tells it."""

    request_id: str
    prompt_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()
    tokens_out: int = 0
    preemptions: int = 0
    _prefill_left: int = 0
    _mark_step: int = -1  # -1: not decoding
    _out_at_step_0: int = 0  # what its tokens would be had it always been decoding

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.tokens_out


class SimReplica:
    """One modelled replica: ``push`` requests; while ``begin_step`` gives an end, call ``end_step``
    at that time."""

    def __init__(self, profile: Profile, replica: Replica, block_tokens: int) -> None:
        self.profile = profile
        self.replica = replica
        self.meter = Meter()
        self.useful_s = 0.0  # work done, as Profile.work_s counts it, without what was done twice
        self.kv_tokens = 0  # held, with the next token of each prompt under way
        self.is_stepping = False
        self._block_tokens = block_tokens
        self._cache = PrefixCache(profile.kv_tokens_max // block_tokens)
        self._waiting: deque[EngineRequest] = deque()
        self._taken: dict[EngineRequest, None] = {}  # prefilling or decoding, the newest last
        self._prefilling: deque[EngineRequest] = deque()
        self._prefilled: list[EngineRequest] = []  # by the present step
        self._marks: dict[int, list[EngineRequest]] = {}
        self._decoding = 0
        self._decoding_kv = 0
        self._unread_tokens = 0  # prompts of requests without a first token
        self._step_s = 0.0
        self._step_prefill = 0
        self._step_new = 0  # of the prefill: what was not read before
        self._token_s = profile.step_fixed_s / profile.running_max + profile.step_request_s

    @property
    def running(self) -> int:
        return len(self._taken)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def requests(self) -> list[EngineRequest]:
        """All that are in it, for those who must end them when it dies."""
        return [*self._taken, *self._waiting]

    def push(self, request: EngineRequest) -> None:
        most = request.prompt_tokens + request.output_tokens
        if most > self.profile.context_tokens_max:
            raise ValueError(f"{request.request_id} needs {most} tokens: beyond the context")
        self._waiting.append(request)
        self._unread_tokens += request.prompt_tokens

    def begin_step(self, now: float) -> float | None:
        """When the step that begins now will end; None if there is nothing to do."""
        self.is_stepping = bool(self._taken or self._waiting)
        if not self.is_stepping:
            return None
        has_room = self._make_room()
        self._step_prefill = prefill = self._prefill(may_take=has_room)
        self._step_s = self.profile.step_s(self._decoding, self._decoding_kv, prefill)
        return now + self._step_s

    def end_step(self) -> list[EngineRequest]:
        """Those at a mark: their first token, every ``MARK_TOKENS`` tokens, and the last."""
        step, told = self.meter.steps + 1, []
        profile, decoding = self.profile, self._decoding
        decoded = decoding + len(self._prefilled)
        self.useful_s += decoding * self._token_s + self._decoding_kv * profile.step_kv_token_s
        self.useful_s += self._step_new / profile.prefill_tok_s
        self.kv_tokens += decoding
        self._decoding_kv += decoding
        for request in self._marks.pop(step, ()):
            request.tokens_out = request._out_at_step_0 + step
            told.append(request)
            self._go_on(request, step)
        for request in self._prefilled:
            told.append(request)
            self._start(request, step)
        self._prefilled = []
        self.meter.on_step(self._step_s, self._step_prefill, decoded)
        return told

    def report(self) -> LoadReport:
        meter = self.meter
        return LoadReport(
            replica_id=self.replica.replica_id,
            generation=self.replica.generation,
            running=len(self._taken),
            waiting=len(self._waiting),
            kv_tokens_used=self.kv_tokens,
            waiting_prefill_tokens=self._unread_tokens,
            prefill_tok_s=meter.prefill_tok_s,
            decode_step_s=meter.decode_step_s,
            preemptions=meter.preemptions,
            prefix_hit_tokens=meter.prefix_hit_tokens,
            busy_s=meter.busy_s,
            steps=meter.steps,
            prefilled_tokens=meter.prefilled_tokens,
            decoded_tokens=meter.decoded_tokens,
        )

    # Within a step

    def _make_room(self) -> bool:
        """Preempt until this step's tokens fit. True if that was nobody: then others may come.

        A request that is alone always fits, since the context is no larger than the KV cache.
        """
        before = self.meter.preemptions
        while self.kv_tokens + self._decoding > self.profile.kv_tokens_max:
            self._preempt(next(reversed(self._taken)))
        return self.meter.preemptions == before

    def _preempt(self, request: EngineRequest) -> None:
        self.meter.preemptions += 1
        request.preemptions += 1
        del self._taken[request]
        if request._mark_step < 0:
            self.kv_tokens -= request.tokens + 1
            self._prefilling.remove(request)
        else:
            self._marks[request._mark_step].remove(request)
            request._mark_step = -1
            request.tokens_out = request._out_at_step_0 + self.meter.steps
            self.kv_tokens -= request.tokens
            self._decoding_kv -= request.tokens
            self._decoding -= 1
        self._waiting.appendleft(request)

    def _prefill(self, may_take: bool) -> int:
        """Read prompts as far as the budget goes; how many tokens of them."""
        self._step_new = 0
        budget = left = max(0, self.profile.batched_tokens_max - self._decoding)
        while left > 0 and (self._prefilling or (may_take and self._take())):
            request = self._prefilling[0]
            chunk = min(left, request._prefill_left)
            request._prefill_left -= chunk
            left -= chunk
            if not request.preemptions:
                self._step_new += chunk
            if not request._prefill_left:
                self._prefilled.append(self._prefilling.popleft())
        return budget - left

    def _take(self) -> bool:
        """Take in the first that waits, if there is room: also for the tokens of this step."""
        if not self._waiting or len(self._taken) >= self.profile.running_max:
            return False
        request = self._waiting[0]
        held = request.tokens + 1
        if self.kv_tokens + self._decoding + held > self.profile.kv_tokens_max:
            return False
        self._waiting.popleft()
        self._taken[request] = None
        self._prefilling.append(request)
        self.kv_tokens += held
        hit = min(self._cache.hits(request.blocks) * self._block_tokens, request.tokens - 1)
        self.meter.prefix_hit_tokens += hit
        request._prefill_left = request.tokens - hit
        return True

    def _start(self, request: EngineRequest, step: int) -> None:
        """Its prompt was read, which gave a token."""
        self._cache.insert(request.blocks)
        if request.tokens_out == 0:
            self._unread_tokens -= request.prompt_tokens
        request.tokens_out += 1
        request._out_at_step_0 = request.tokens_out - step
        self._decoding += 1
        self._decoding_kv += request.tokens
        self._go_on(request, step)

    def _go_on(self, request: EngineRequest, step: int) -> None:
        """To its next mark, or out."""
        left = request.output_tokens - request.tokens_out
        if left <= 0:
            del self._taken[request]
            self.kv_tokens -= request.tokens
            self._decoding_kv -= request.tokens
            self._decoding -= 1
            return
        request._mark_step = step + min(left, MARK_TOKENS - request.tokens_out % MARK_TOKENS)
        self._marks.setdefault(request._mark_step, []).append(request)
