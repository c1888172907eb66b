"""What listens: dashboards that others can reach, whose they are, and who has the port."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.profile import LOCAL_PROFILE, load
from cluster.run import doctor_sockets, supervisor
from cluster.run.doctor_sockets import (
    DASHBOARD_PORT,
    Listener,
    dashboard_check,
    listeners,
    port_check,
)
from cluster.run.doctor_verdict import DoctorVerdict
from cluster.state_folder import STATE_ENV

LISTENING = (
    "import socket, time; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); "
    "print(s.getsockname()[1], flush=True); time.sleep(60)"
)


@pytest.mark.parametrize(
    ("listener", "is_open"),
    [
        (Listener("0.0.0.0", DASHBOARD_PORT), True),  # noqa: S104 -- what is to be found
        (Listener("::", DASHBOARD_PORT), True),
        (Listener("10.1.2.3", 9000, "python .../ray/dashboard/dashboard.py --port=9000"), True),
        (Listener("127.0.0.1", DASHBOARD_PORT), False),
        (Listener("::1", DASHBOARD_PORT), False),
        (Listener("::ffff:127.0.0.1", DASHBOARD_PORT), False),
        (Listener("0.0.0.0", 22, "sshd"), False),  # noqa: S104
    ],
)
def test_a_dashboard_that_others_can_reach(listener: Listener, is_open: bool) -> None:
    for is_ours, verdict in ((True, DoctorVerdict.PROBLEM), (False, DoctorVerdict.WARNING)):
        own = dataclasses.replace(listener, is_ours=is_ours)
        check = dashboard_check([own, Listener("127.0.0.1", 1)])
        assert check.verdict is (verdict if is_open else DoctorVerdict.OK)
        assert is_open == bool(check.advice)


def test_a_dashboard_is_told_with_whose_it_is() -> None:
    found = Listener("10.1.2.3", DASHBOARD_PORT, "x", 41, "alice")
    assert "10.1.2.3:8265 (pid 41 of alice)" in dashboard_check([found]).found
    unknown = Listener("10.1.2.3", DASHBOARD_PORT)
    assert "another user's process" in dashboard_check([unknown]).found


def test_no_dashboard_at_all() -> None:
    assert dashboard_check([]).found == "not running"


@pytest.mark.parametrize(("own", "is_ours"), [(None, True), ("same", True), ("other", False)])
def test_a_process_of_another_run_is_not_ours(
    tmp_path: Path, own: str | None, is_ours: bool
) -> None:
    env = {name: value for name, value in os.environ.items() if name != STATE_ENV}
    if own is not None:
        env[STATE_ENV] = str(tmp_path / own)
    child = subprocess.Popen(
        [sys.executable, "-c", LISTENING], env=env, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        (found,) = [each for each in listeners(tmp_path / "same") if each.port == port]
    finally:
        child.kill()
        child.communicate()
    assert (found.pid, found.is_ours) == (child.pid, is_ours)
    assert found.owner
    assert "time.sleep(60)" in found.program


def test_the_port_and_who_has_it(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        profile = load(LOCAL_PROFILE).moved(holder.getsockname()[1], [1, 2])
        check = port_check(profile, list(listeners(tmp_path)))
        assert check.verdict is DoctorVerdict.PROBLEM
        assert f"is in use by pid {os.getpid()}" in check.found
    assert port_check(profile).verdict is DoctorVerdict.OK


def test_a_port_that_baseload_itself_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_sockets, "port_is_free", lambda *_: False)
    monkeypatch.setattr(supervisor, "probe_ready", lambda _: {"replicas": {}})
    assert "Baseload answers on 127.0.0.1:8000" in port_check(load(LOCAL_PROFILE)).found
