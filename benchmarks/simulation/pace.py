"""The slowest that an engine can decode: how much of an answer may still be left, and when.

Every step gives each request that decodes a token, and no step is longer than a full one: all
slots, all KV and a full batch of prompts. An engine that holds a request steps without a pause, so
from the step that first reads the prompt on, ``steps`` full ones later, so many steps are over. Of
those, at most ``ceil(prompt / (batched_tokens_max - running_max)) + 1`` read the prompt: from the
second one on it is the first in line, and at most the slots' decoding comes before it. Each of the
others has decoded a token. This leaves out requests that are preempted, as the bound does.
"""

from __future__ import annotations

import numpy as np

from benchmarks.simulation.linear_program import Floats, Ints, LinearProgram
from benchmarks.simulation.profile import Profile

_INSTANT_S = 1e-12  # in place of no time, to divide by
_FLOAT_SLACK = 1e-6  # of a step: what adding up times may be off by


def decode_s(
    decoded: Floats, prompt_tokens: Floats, profile: Profile, *, by_context: bool
) -> Floats:
    """The least engine seconds that the first ``decoded`` tokens after the prompt's own take.

    Of the fixed time they bear the share of the slots that they fill, or that of the KV.
    """
    context = decoded * prompt_tokens + decoded * (decoded + 1) / 2
    share = context / profile.kv_tokens_max if by_context else decoded / profile.running_max
    return (
        profile.step_fixed_s * share
        + profile.step_request_s * decoded
        + profile.step_kv_token_s * context
    )


def decoded_at_least(
    after_s: float, prompt_tokens: Floats, decoded: Floats, profile: Profile
) -> Floats:
    """The least of the tokens to be ``decoded`` that are so, so long after the prompt was begun."""
    per_step = profile.batched_tokens_max - profile.running_max
    if per_step < 1:  # those that decode may keep any prompt waiting
        return np.zeros(decoded.size)
    longest_s = profile.step_s(
        profile.running_max, profile.kv_tokens_max, profile.batched_tokens_max
    )
    steps = np.floor(after_s / longest_s - _FLOAT_SLACK)
    done: Floats = np.clip(steps - np.ceil(prompt_tokens / per_step) - 1, 0, decoded)
    return done


def shares_left(
    prompt_tokens: Floats,
    decoded: Floats,
    profile: Profile,
    classes: Ints,
    *,
    by_context: bool,
    slots: int,
    slot_s: float,
) -> Floats:
    """The most of its decoding that may be left, by class and slots since the prompt was begun."""
    left = np.zeros((int(classes.max()) + 1, slots))
    whole_s = decode_s(decoded, prompt_tokens, profile, by_context=by_context)
    whole_s = np.maximum(whole_s, _INSTANT_S)
    for lag in range(slots):
        done = decoded_at_least(lag * slot_s, prompt_tokens, decoded, profile)
        done_s = decode_s(done, prompt_tokens, profile, by_context=by_context)
        of_each = np.where(done < decoded, 1 - done_s / whole_s, 0.0)
        np.maximum.at(left[:, lag], classes, of_each)
        if not of_each.any():
            break
    return left


def add_pace(program: LinearProgram, started: Ints, backlog: Ints, left: Floats) -> None:
    """Bounds what is left of each class at the end of a slot: of what was begun ``lag`` slots
    before, at most the share ``left[class, lag]``. The columns stand class by class."""
    slots = left.shape[1]
    in_class, in_slot = np.divmod(np.arange(started.size), slots)
    at_most = program.rows(np.zeros(started.size))
    program.put(at_most, backlog, 1.0)
    for lag in range(slots):
        share = left[in_class, lag]
        found = np.flatnonzero((share > 0) & (in_slot + lag < slots))
        if not found.size:
            break
        program.put(at_most[found + lag], started[found], -share[found])
