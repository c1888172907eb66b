"""What a running `baseload serve` does with a changed config file, and what it says of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from cluster.cli.config_watch import Change, ConfigWatch
from cluster.run.config_handover import Handover
from runtime.config_version import digest_of

APPLIED_S_MAX = 30.0


class Reload:
    """``give`` hands something over to Serve; ``ready`` is the body of /ready as of now."""

    def __init__(
        self,
        watch: ConfigWatch,
        give: Callable[[Handover], None],
        ready: Callable[[], dict[str, Any]],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch = watch
        self._give = give
        self._ready = ready
        self._now_s = now_s
        self._awaited: str | None = None  # the digest of what was handed over last
        self._awaited_until_s = 0.0

    def news(self) -> Iterator[str]:
        """Looks at the file, and at what has become of the last change. Lines for a person."""
        if (change := self._watch.look()) is not None:
            yield from self._take(change)
        elif self._awaited is not None:
            yield from self._become(self._awaited)

    def _take(self, change: Change) -> Iterator[str]:
        if change.profile is None:
            self._awaited = None
            self._give(Handover(None, list(change.errors)))
            count = f"{len(change.errors)} error{'s' if len(change.errors) > 1 else ''}"
            yield f"the changed file is refused, {count}; the configuration before it goes on:"
            yield from (f"  {each}" for each in change.errors)
            return
        for place in change.restart:
            yield f"a change of {place} waits for a restart"
        if not change.is_new:
            return
        self._give(Handover(change.user_config))
        self._awaited = digest_of(change.profile.routing)
        self._awaited_until_s = self._now_s() + APPLIED_S_MAX

    def _become(self, digest: str) -> Iterator[str]:
        state = self._ready()
        version = str(state.get("config", ""))
        if version.partition(".")[0] == digest:
            self._awaited = None
            yield f"configuration {version} is applied"
        elif self._now_s() > self._awaited_until_s:
            self._awaited = None
            refused = state.get("config_refused", "the log says why")
            yield f"the changed configuration is not applied: {refused}"
