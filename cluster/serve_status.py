"""What Ray Serve says of an application that does not start, in our words.

Serve puts the traceback of whatever failed into the status of the deployment, or of the application
where building it failed. The cause is its last lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ray.serve._private.application_state import StatusOverview

from runtime.errors import ConfigError
from runtime.start_failed import LOG_HEADING, LOG_LINE, StartFailed

CAUSE_CHARS_MAX = 500
FAILED = frozenset({"DEPLOY_FAILED", "UNHEALTHY"})
# A failing replica is tried again; meanwhile the status stays and its message says this.
_TRYING_AGAIN = "failed to start"
_OURS = re.compile(
    rf"^(?:\w+\.)*(?P<kind>{StartFailed.__name__}|{ConfigError.__name__}): (?P<text>.*)",
    re.S | re.M,
)
_PYDANTIC_LINK = "For further information visit"  # below what was wrong
_LOG = re.compile(rf"^{LOG_HEADING}(?P<path>.+):$")


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a deployment, or of the whole application; the words are Serve's."""

    name: str
    status: str
    message: str


def statuses(overviews: Iterable[StatusOverview]) -> Iterator[Status]:
    """The statuses, deployments first: that of their application only says which of them failed."""
    for overview in overviews:
        for each in overview.deployment_statuses:
            yield Status(each.name, each.status.value, each.message)
        app = overview.app_status
        yield Status(f"application {overview.name}", app.status.value, app.message)


def failure(statuses: Iterable[Status]) -> StartFailed | None:
    """The first that failed, or has failed once and is tried again; None while none has."""
    for each in statuses:
        if each.message and (each.status in FAILED or _TRYING_AGAIN in each.message):
            return cause(each)
    return None


def cause(status: Status) -> StartFailed:
    """The cause by the traceback in its message: our own error, or the last line of another."""
    match = list(_OURS.finditer(status.message))
    if match:
        first, *rest = match[-1]["text"].splitlines()
        return _with_log(first, rest)
    lines = [line.strip() for line in status.message.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(_PYDANTIC_LINK)] or lines
    if "ActorDiedError" in lines[-1]:
        return StartFailed(
            f"the process of {status.name} died before it could say why: if nobody killed it, "
            "memory ran out (`dmesg` says so)"
        )
    return StartFailed(f"{status.name} failed: {lines[-1][:CAUSE_CHARS_MAX]}")


def _with_log(line: str, rest: list[str]) -> StartFailed:
    heading = next((match for each in rest if (match := _LOG.match(each))), None)
    tail = [each.removeprefix(LOG_LINE) for each in rest if each.startswith(LOG_LINE)]
    return StartFailed(line[:CAUSE_CHARS_MAX], heading["path"] if heading else None, tail)
