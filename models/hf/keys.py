"""Looks up the keys of a config.json, and collects all that is missing or wrong in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COUNT_MAX = 1 << 32  # larger than any size that a model has, small enough for exact products
PROBLEMS_MAX = 32


class BadModelConfig(ValueError):
    """A config that cannot be sized; ``problems`` lists all that is missing or wrong in it."""

    def __init__(self, problems: list[str]) -> None:
        unique = tuple(dict.fromkeys(problems))
        self.problems = unique[:PROBLEMS_MAX]
        super().__init__("this config.json cannot be sized: " + "; ".join(self.problems))


class Keys:
    """The keys of one config. A key whose value is null counts as absent.

    A bad key yields 1, so that the reader goes on and finds the other problems too; nothing is
    built from it, because ``refuse_if_bad`` comes first.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.problems: list[str] = []
        self._assumed: list[str] = []

    @property
    def assumed(self) -> tuple[str, ...]:
        return tuple(self._assumed)

    def assume(self, text: str) -> None:
        self._assumed.append(text)

    def refuse_if_bad(self) -> None:
        if self.problems:
            raise BadModelConfig(self.problems)

    def has(self, *names: str) -> bool:
        return any(self.config.get(name) is not None for name in names)

    def count(self, *names: str, most: int = COUNT_MAX) -> int:
        """The first of ``names`` that is there, as a whole number above 0."""
        for name in names:
            value = self.config.get(name)
            if value is not None:
                return self._checked(name, value, 1, most)
        self.problems.append(f"{' or '.join(names)} is missing")
        return 1

    def count_or(self, absent: int, *names: str) -> int:
        """Reads as ``count`` does, but 0 is allowed, and so is absence. A list is another key's
        business."""
        for name in names:
            value = self.config.get(name)
            if value is not None and not isinstance(value, list):
                return self._checked(name, value, 0, COUNT_MAX)
        return absent

    def flag(self, name: str) -> bool:
        return self.config.get(name) is True

    def per_layer(self, name: str, layers: int) -> list[Any]:
        """A list with one entry for each layer, or nothing. Entries of draft layers are cut."""
        value = self.config.get(name)
        if not isinstance(value, list) or not value:
            return []
        if len(value) < layers:
            self.problems.append(f"{name} has {len(value)} entries for {layers} layers")
            return []
        if not all(isinstance(entry, int | str) for entry in value):
            self.problems.append(f"{name} must list whole numbers or names")
            return []
        return value[:layers]

    def _checked(self, name: str, value: Any, least: int, most: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            shown = repr(value)[:40]
            self.problems.append(f"{name} must be a whole number of {least} to {most}, not {shown}")
            return 1
        return value
