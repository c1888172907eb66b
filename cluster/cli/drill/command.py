"""`baseload drill`: plays failures against a copy of the configured gateway, and says what came."""

from __future__ import annotations

import typer

from cluster.checks.check_config_file import Place
from cluster.cli.check import EXIT_ERRORS, examined, print_findings
from cluster.cli.drill.options import DrillOptions
from cluster.cli.report_file import check_writable
from cluster.cli.terminal import note
from cluster.cli.typer_options import takes

EXIT_FORBIDDEN = 1


@takes(DrillOptions)
def drill_command(options: DrillOptions) -> None:
    """Play failures of targets, and report what users would have seen. Nothing running is touched.

    It builds the gateway of a config file in this process, with its rules, tenants, laws and
    prices, and scripted targets on loopback ports in the place of every provider and pool. No
    stack that runs and no provider is asked, and no key is read, so it needs no permission. Each
    kind of requests is sent, with and without personal data, before a fault and with it. Times are
    those that are added to an answer; scripted targets say nothing of speed.

    Exit status 1 if a request went where the laws or the rules of the file forbid it, and 2 if
    the file has errors.

    Example: baseload drill docs/examples/task-rules.yaml --report drill.html

    Example: baseload drill serve.yaml --scenario outage --scenario slow --seconds 20 --json
    """
    check_writable(options.report)
    found = examined(options.config, Place.ELSEWHERE)
    if found.profile is None:
        print_findings(note, found)
        raise typer.Exit(EXIT_ERRORS)
    from cluster.cli.drill.play import (
        play,  # it loads a whole gateway, which --help need not wait for
    )

    if play(options, found, found.profile).misplaced:
        raise typer.Exit(EXIT_FORBIDDEN)
