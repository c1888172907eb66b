"""The name of a configuration that is applied: the same content has the same digest anywhere."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from runtime.config import GatewayConfig

DIGEST_CHARS = 12


@dataclass(frozen=True, slots=True)
class ConfigVersion:
    """``number`` counts the configurations that this process has applied, from 1."""

    digest: str
    number: int
    applied_ms: int

    def __str__(self) -> str:
        return f"{self.digest}.{self.number}"

    def after(self, config: GatewayConfig, applied_ms: int) -> ConfigVersion:
        """The version once ``config`` is applied: this one, where nothing differs."""
        digest = digest_of(config)
        if digest == self.digest:
            return self
        return ConfigVersion(digest, self.number + 1, applied_ms)


@dataclass(frozen=True, slots=True)
class RefusedConfig:
    """A later configuration that could not be taken: in one ``line``, and all of its errors."""

    line: str
    errors: tuple[str, ...]
    refused_ms: int


def first_version(config: GatewayConfig, applied_ms: int) -> ConfigVersion:
    return ConfigVersion(digest_of(config), 1, applied_ms)


class _Memo:
    """The digest that was asked for last: ten thousand tenants take a third of a second, which a
    thread has time for, and who serves requests has not."""

    last: tuple[GatewayConfig, str] | None = None


def digest_of(config: GatewayConfig) -> str:
    """The digest of all that is in force, with defaults, the rules of policy packs and own
    prices."""
    last = _Memo.last
    if last is None or last[0] is not config:
        last = _Memo.last = (config, _digest_of(config))
    return last[1]


def _digest_of(config: GatewayConfig) -> str:
    content = {
        "config": config.model_dump(),
        "rules": config.compliance.rules,
        "prices": config.own_prices,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARS]


def _plain(value: Any) -> Any:
    """What JSON has no form for. The order of a set differs from process to process."""
    if isinstance(value, frozenset | set):
        return sorted(value)
    if is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    return str(value)
