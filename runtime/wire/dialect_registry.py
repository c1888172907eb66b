"""Every dialect that is served, each on a route of its own."""

from __future__ import annotations

from runtime.wire.dialect import Dialect
from runtime.wire.openai_dialect import CHAT, COMPLETION

DIALECTS: tuple[Dialect, ...] = (CHAT, COMPLETION)
