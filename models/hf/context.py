"""How many tokens of context a config.json gives a model: as the engine derives it.

Rotary positions may be stretched. YaRN, LongRoPE and Llama 3 state the stretched length in
``max_position_embeddings``; linear and dynamic scaling state the length before it, so theirs is
multiplied. Where YaRN's own figures say another length than ``max_position_embeddings``, the engine
goes by the latter, and the difference is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from models.hf.keys import Keys

_OTHER_NAMES = (
    *("n_positions", "max_seq_len", "seq_length", "max_target_positions"),
    *("max_sequence_length", "max_seq_length", "seq_len"),
)
_STATED = "max_position_embeddings"
_OVER_ALL = "model_max_length"  # where it is there, the engine looks at nothing else
_ALREADY_STRETCHED = frozenset(
    {"su", "longrope", "llama3", "deepseek_yarn", "deepseek_llama_scaling"}
)
_FACTOR_MAX = 1024


def context_of(keys: Keys) -> int:
    """Tokens of prompt and answer together; what had to be assumed goes to ``keys``."""
    if keys.has(_OVER_ALL):
        stated = keys.count(_OVER_ALL)
    else:
        named = [keys.count(name) for name in (_STATED, *_OTHER_NAMES) if keys.has(name)]
        stated = min(named) if named else keys.count(_STATED)
    factor = 1.0
    for rope in _ropes(keys.config):
        kind = rope.get("rope_type") or rope.get("type")
        if kind == "yarn":
            _compare(keys, rope, stated)
        elif kind not in _ALREADY_STRETCHED:
            factor = _factor(keys, rope) or factor
    return int(stated * factor)


def _ropes(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of the whole model, or one for each kind of layers."""
    for name in ("rope_parameters", "rope_scaling"):
        found = config.get(name)
        if isinstance(found, Mapping) and found:
            nested = [each for each in found.values() if isinstance(each, Mapping)]
            yield from nested or [found]
            return


def _factor(keys: Keys, rope: Mapping[str, Any]) -> float | None:
    """None where none is given, and 1 where it is no number to multiply with."""
    value = rope.get("factor")
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value <= _FACTOR_MAX
    ):
        keys.problems.append(
            f"the factor of the rotary scaling must be above 0 and at most {_FACTOR_MAX}, not "
            f"{value!r:.40}"
        )
        return 1.0
    return float(value)


def _compare(keys: Keys, rope: Mapping[str, Any], stated: int) -> None:
    """YaRN reaches ``factor`` times the length that it was trained with."""
    before, factor = rope.get("original_max_position_embeddings"), _factor(keys, rope)
    if factor is None or isinstance(before, bool) or not isinstance(before, int) or before <= 0:
        return
    reached = int(before * factor)
    if reached == stated:
        return
    says = f"YaRN scaling reaches {reached} tokens ({factor:g} x {before}), {_STATED} says {stated}"
    if reached > stated:
        keys.assume(f"{says}: the engine serves {stated}; state {reached} there to have more")
    else:
        keys.assume(
            f"{says}: the engine serves {stated}, of which those past {reached} are untried"
        )
