"""What became of the last `user_config`, kept where a new Scheduler and an operator find it.

Serve applies a changed `user_config` in place, and it stops a replica that raises over it. A
Scheduler that refuses a file would take the endpoint down with it, so it goes on with the one
before, tells the Directory, and the deployment ``Configuration`` fails in its place: `serve status`
and KubeRay show the refusal, and no request passes through it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ray.serve.handle import DeploymentHandle

from runtime.errors import ConfigError

REFUSAL_CHARS_MAX = 2_000
ERRORS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class ConfigNote:
    """``serving`` is the `user_config` in use, None before the first; ``refused`` says what is
    wrong with a later one, None while there is none."""

    serving: dict[str, Any] | None = None
    refused: str | None = None


def refusal(error: Exception) -> str:
    """One text for the log, the status and `/ready`. A defect of ours shows its class alone."""
    why = (
        error.message if isinstance(error, ConfigError) else f"{type(error).__name__}, see the log"
    )
    text = f"user_config is refused, and the one before it goes on serving: {why}"
    return text if len(text) <= REFUSAL_CHARS_MAX else text[: REFUSAL_CHARS_MAX - 1] + "…"


def all_errors(error: Exception) -> tuple[str, ...]:
    """Every one of them, for `/v1/config`."""
    if not isinstance(error, ConfigError):
        return (f"{type(error).__name__}, see the log",)
    found = error.problems or (error.message,)
    more = len(found) - ERRORS_MAX
    return (*found[:ERRORS_MAX], f"and {more} more") if more > 0 else found


class Configuration:
    """Healthy while the configuration that was deployed last is the one that serves.

    Its health check makes Serve replace it after a refusal; what the new one raises as it starts
    is the text that Serve shows, and the first one that starts again ends the alarm.
    """

    async def __init__(self, directory: DeploymentHandle) -> None:  # type: ignore[misc]
        self._directory = directory
        await self.check_health()

    async def check_health(self) -> None:
        """Answers Serve's poll. ConfigError while a `user_config` stands refused."""
        note: ConfigNote = await self._directory.config.remote()
        if note.refused is not None:
            raise ConfigError(note.refused)
