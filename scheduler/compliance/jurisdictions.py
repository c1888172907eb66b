"""Whose law applies: ISO 3166-1 codes in small letters, and groups of them.

"cn" is mainland China alone; "hk", "mo" and "tw" have laws of their own on personal data.
"""

from __future__ import annotations

from collections.abc import Collection

EU = frozenset(
    "at be bg hr cy cz dk ee fi fr de gr hu ie it lv lt lu mt nl pl pt ro sk si es se".split()
)
GROUPS = {"eu": EU, "eea": EU | {"is", "li", "no"}}
# Inference that may run wherever its vendor likes: in no set but this one.
ANYWHERE = "anywhere"


def expanded(codes: Collection[str]) -> frozenset[str]:
    """Every group replaced by its members."""
    return frozenset(code for each in codes for code in GROUPS.get(each, (each,)))


def outside(codes: Collection[str], allowed: Collection[str]) -> frozenset[str]:
    """Those of ``codes`` that are not within ``allowed``; "anywhere" is only within itself."""
    if ANYWHERE in allowed:
        return frozenset()
    return expanded(codes) - expanded(allowed)
