"""How fast one modelled replica is: the step model that stands for an engine in simulated time.

A step with ``n`` decoding requests that hold ``kv`` tokens and takes in ``p`` prompt tokens lasts
``step_fixed_s + n * step_request_s + kv * step_kv_token_s + p / prefill_tok_s`` seconds. A profile
that no engine could have (a free step, a context that its KV cache cannot hold) is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scheduler.replica import EngineLimits

PROFILES_FOLDER = Path(__file__).resolve().parents[1] / "profiles"
FILE_BYTES_MAX = 1 << 16


class BadProfile(ValueError):
    """A profile that cannot be found or trusted."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One replica's step model and limits, in seconds and tokens."""

    name: str
    source: str
    prefill_tok_s: float
    step_fixed_s: float
    step_request_s: float
    step_kv_token_s: float
    kv_tokens_max: int
    running_max: int
    batched_tokens_max: int
    context_tokens_max: int

    def __post_init__(self) -> None:
        if problems := _problems(self):
            raise BadProfile(f"profile {self.name!r}: " + "; ".join(problems))

    @property
    def limits(self) -> EngineLimits:
        """The engine's limits as it tells them to a scheduler."""
        return EngineLimits(
            self.kv_tokens_max, self.context_tokens_max, self.running_max, self.batched_tokens_max
        )

    def step_s(self, decoding: int, kv_tokens: int, prefill_tokens: int) -> float:
        """How long one step takes."""
        return (
            self.step_fixed_s
            + decoding * self.step_request_s
            + kv_tokens * self.step_kv_token_s
            + prefill_tokens / self.prefill_tok_s
        )

    def work_s(self, prompt_new_tokens: int, prompt_tokens: int, output_tokens: int) -> float:
        """The engine seconds that one request takes when ``running_max`` share each step.

        ``prompt_new_tokens`` are those of the prompt that no cache holds. Output token ``j``
        (from 0) is decoded over a context of ``prompt_tokens + j``. A replica whose KV cache
        fills before ``running_max`` requests run spends more than this on each.
        """
        token_s = self.step_fixed_s / self.running_max + self.step_request_s
        context_token_steps = (
            output_tokens * prompt_tokens + output_tokens * (output_tokens - 1) / 2
        )
        return (
            prompt_new_tokens / self.prefill_tok_s
            + output_tokens * token_s
            + context_token_steps * self.step_kv_token_s
        )


def load_profile(name_or_path: str | Path) -> Profile:
    """A profile that ships with the project by its name, or any other by its path."""
    path = Path(name_or_path)
    if path.suffix != ".json" and path.name == str(name_or_path):
        path = PROFILES_FOLDER / f"{name_or_path}.json"
    return Profile(**_read(path).model_dump(exclude={"provenance"}))


def known_profiles() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in PROFILES_FOLDER.glob("*.json")))


class _ProfileFile(BaseModel):
    """A profile as it stands in its file: strict types, no unknown keys.

    ``provenance`` tells people how the numbers were measured; nothing is computed from it.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    source: str
    prefill_tok_s: float
    step_fixed_s: float
    step_request_s: float
    step_kv_token_s: float
    kv_tokens_max: int
    running_max: int
    batched_tokens_max: int
    context_tokens_max: int
    provenance: dict[str, Any] = Field(default_factory=dict)


def _read(path: Path) -> _ProfileFile:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        known = ", ".join(known_profiles()) or "none"
        raise BadProfile(
            f"{path}: cannot be read ({error.strerror}); known profiles: {known}; "
            "or give the path of a .json file"
        ) from None
    if len(content) > FILE_BYTES_MAX:
        raise BadProfile(f"{path}: is larger than {FILE_BYTES_MAX} bytes")
    try:
        return _ProfileFile.model_validate(json.loads(content))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise BadProfile(f"{path}: " + "; ".join(lines)) from None
    except (ValueError, RecursionError) as error:
        raise BadProfile(f"{path}: is not JSON: {error}") from None


_LIMITS = ("kv_tokens_max", "running_max", "batched_tokens_max", "context_tokens_max")
_STEP_COSTS = ("step_fixed_s", "step_request_s", "step_kv_token_s")


def _problems(profile: Profile) -> list[str]:
    values = {field.name: getattr(profile, field.name) for field in fields(profile)}
    problems = [f"{name} must not be empty" for name in ("name", "source") if not values[name]]
    problems += [f"{name} must be at least 1" for name in _LIMITS if values[name] < 1]
    problems += [
        f"{name} must be a number of seconds from 0 up"
        for name in _STEP_COSTS
        if not (isfinite(values[name]) and values[name] >= 0)
    ]
    if not (isfinite(profile.prefill_tok_s) and profile.prefill_tok_s > 0):
        problems.append("prefill_tok_s must be above 0")
    if profile.step_fixed_s + profile.step_request_s <= 0:
        problems.append("a step must take time: step_fixed_s + step_request_s is 0")
    if profile.context_tokens_max > profile.kv_tokens_max:
        problems.append("context_tokens_max is more than kv_tokens_max: no engine starts so")
    return problems
