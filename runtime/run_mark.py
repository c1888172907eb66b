"""The mark that `baseload serve` puts into the environment of all that it starts."""

from __future__ import annotations

import os

RUN_ENV = "BASELOAD_RUN"


def run_id() -> str | None:
    """The id of the run that this process belongs to; None under `serve run`, which has none."""
    return os.environ.get(RUN_ENV)
