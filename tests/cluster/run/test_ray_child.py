"""A stop reaches the Scheduler whatever Serve says of its application."""

from __future__ import annotations

import os
import subprocess
import sys


def test_a_stop_drains_an_application_that_still_deploys() -> None:
    """Its ingress serves already; Serve calls it running a moment later, or never."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster.run.drains"],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"RAY_AUTH_MODE": "disabled"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "application: DEPLOYING\ndrained: True\n" in done.stdout
