"""The cause of a failure, found in what Serve 2.60 puts into the status of a deployment."""

from __future__ import annotations

import pytest
from ray.serve._private.application_state import ApplicationStatusInfo, StatusOverview
from ray.serve._private.common import (
    DeploymentStatus,
    DeploymentStatusInfo,
    DeploymentStatusTrigger,
)
from ray.serve.schema import ApplicationStatus

from cluster.serve_status import Status, failure, statuses
from runtime.start_failed import StartFailed

OURS = StartFailed("an engine of m died of SIGSEGV", "/logs/worker-1.err", ["one", "two"])
RETRIED = (
    "A replica failed to start with exception. Retrying 2 more time(s). Error:\n"
    "ray::ServeReplica:baseload:Engine-m.initialize_and_get_metadata() (pid=1, ip=10.0.0.1)\n"
    '  File "replica.py", line 1, in initialize\n'
    "RuntimeError: Traceback (most recent call last):\n"
    '  File "engine.py", line 1, in _start\n'
)
SLOW = (
    "Deployment 'Engine-m' in application 'baseload' has 1 replicas that have taken more than 30s "
    "to be scheduled."
)
BUILD = (
    "Deploying app 'baseload' failed with exception:\nTraceback (most recent call last):\n"
    '  File "application.py", line 1, in build\n'
    "runtime.errors.ConfigError: pool m: there is no card 'H2000' in the catalogue\n"
)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("UPDATING", ""),
        ("HEALTHY", ""),
        ("UPDATING", SLOW),
        (
            "UPDATING",
            SLOW.replace("scheduled", "initialize.\nThis may be caused by a slow __init__"),
        ),
        ("DEPLOYING", ""),
        ("DEPLOY_FAILED", ""),  # the deployment behind it says why
    ],
)
def test_what_only_takes_its_time_has_not_failed(status: str, message: str) -> None:
    assert failure([Status("Engine-m", status, message)]) is None


@pytest.mark.parametrize("status", ["UPDATING", "DEPLOY_FAILED", "UNHEALTHY"])
def test_an_engine_s_own_words_are_found_with_its_log(status: str) -> None:
    message = f"{RETRIED}runtime.start_failed.{type(OURS).__name__}: {OURS}\n\n"
    found = failure([Status("Directory", "HEALTHY", ""), Status("Engine-m", status, message)])
    assert found is not None
    assert (found.message, found.log_path, found.log_tail) == (
        OURS.message,
        OURS.log_path,
        OURS.log_tail,
    )


def test_a_refusal_of_the_builder_is_found() -> None:
    found = failure([Status("application baseload", "DEPLOY_FAILED", BUILD)])
    assert found is not None
    assert found.message == "pool m: there is no card 'H2000' in the catalogue"
    assert found.log_lines() == []


def test_of_any_other_failure_the_last_line_is_told() -> None:
    message = RETRIED + "OSError: no free metrics port from 8002 on\n\n"
    found = failure([Status("Scheduler", "UPDATING", message)])
    assert found is not None
    assert found.message == "Scheduler failed: OSError: no free metrics port from 8002 on"


def test_a_link_below_what_was_wrong_is_left_out() -> None:
    message = (
        RETRIED + "Value error, no such thing\n  For further information visit https://x.y/z\n"
    )
    found = failure([Status("Scheduler", "UPDATING", message)])
    assert found is not None
    assert found.message == "Scheduler failed: Value error, no such thing"


@pytest.mark.parametrize("status", [ApplicationStatus.DEPLOY_FAILED, ApplicationStatus.UNHEALTHY])
def test_serve_s_own_records_are_understood(status: ApplicationStatus) -> None:
    deployment = DeploymentStatusInfo(
        "Engine-m",
        DeploymentStatus.UPDATING,
        DeploymentStatusTrigger.CONFIG_UPDATE_STARTED,
        message=SLOW,
    )
    overview = StatusOverview(
        ApplicationStatusInfo(status, message=BUILD), "baseload", [deployment]
    )
    assert list(statuses([overview])) == [
        Status("Engine-m", "UPDATING", SLOW),
        Status("application baseload", status.value, BUILD),
    ]
    found = failure(statuses([overview]))
    assert found is not None
    assert found.message == "pool m: there is no card 'H2000' in the catalogue"


def test_a_process_that_died_unheard_is_told_as_such() -> None:
    message = RETRIED.splitlines()[0] + "\nActorDiedError()"
    found = failure([Status("Engine-m", "UPDATING", message)])
    assert found is not None
    assert found.message.startswith("the process of Engine-m died before it could say why: ")


def test_the_first_that_failed_is_told() -> None:
    found = failure(
        [
            Status("Engine-m", "UPDATING", RETRIED + "ValueError: first"),
            Status("application baseload", "DEPLOY_FAILED", "Failed to update the deployments."),
        ]
    )
    assert found is not None
    assert found.message == "Engine-m failed: ValueError: first"
