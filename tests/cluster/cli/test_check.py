"""`baseload check`, and what `baseload serve` does with it: words, JSON, exit status."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from cluster.checks.data_flows.map_schema import DataFlowMap
from cluster.cli import check as cli_check
from cluster.cli.main import app, main
from cluster.profile import LOCAL_PROFILE
from cluster.state_folder import STATE_ENV
from runtime.engine.vllm_adapter.settings_verdict import SettingsVerdict
from tests.cluster.checks.data_flows.sample import file as data_flows_file

RUNNER = CliRunner()
H20 = LOCAL_PROFILE.with_name("h20.yaml")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(STATE_ENV, str(tmp_path / "state"))
    monkeypatch.setattr(cli_check, "ask_vllm", lambda asked, _: [SettingsVerdict() for _ in asked])
    return tmp_path / "state"


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Path]:
    def edit(change: Callable[[Any, Any], None]) -> Path:
        document = yaml.safe_load(LOCAL_PROFILE.read_text())
        app = document["applications"][0]
        change(app["args"], app["deployments"][0]["user_config"])
        path = tmp_path / "edited.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    return edit


def check(*arguments: object, ends: int = 0) -> Result:
    done = RUNNER.invoke(app, ["check", *map(str, arguments)])
    assert done.exit_code == ends, (done.output, done.exception)
    return done


def test_what_the_local_profile_comes_to(state: Path) -> None:
    lines = check().stdout.splitlines()
    assert lines[0] == "cards      2 x cpu"
    assert lines[1].startswith("pool       tiny-moe: 2 x TP1 on cpu at 0.05 USD per card and hour")
    assert "0.10 in, 0.01 cached, 0.40 out USD per M tokens since 2026-01-01" in lines[2]
    assert "port       requests on 127.0.0.1:8000" in lines
    assert lines[-1].endswith("local.yaml: valid, 0 errors and 0 warnings")
    assert not state.exists()


def test_the_same_as_a_document_with_units_as_the_names_say() -> None:
    told = json.loads(check(LOCAL_PROFILE, "--json").stdout)
    assert (told["valid"], told["errors"], told["warnings"]) == (True, [], [])
    assert (told["host"], told["port"]) == ("127.0.0.1", 8000)
    assert told["cards_needed"] == [{"card": "cpu", "cards": 2, "cards_max": 2, "nodes": 0}]
    assert told["pools"][0]["card_usd_per_hour"] == "0.05"
    assert told["args"]["pools"][0]["replicas"] == 2
    assert told["user_config"]["spill"]["usd_per_hour_max"] == "5.00"
    prices = [offer["price"]["output_usd_per_mtok"] for offer in told["offers"]]
    assert prices == ["0.40", "4.00"]
    assert [offer["why_never_bought"] for offer in told["offers"]] == [None, None]
    assert [each["port"] for each in told["ports"]] == [8000, 8001, 8002]
    assert _money(told) >= {"5.00", "0.05", "0.40"}


def _money(value: Any, name: str = "") -> set[str]:
    """All amounts in USD, each of which must be decimal text; what a dollar weighs is none."""
    if isinstance(value, dict):
        return {found for key, inner in value.items() for found in _money(inner, key)}
    if isinstance(value, list):
        return {found for inner in value for found in _money(inner, name)}
    if "usd" not in name or name.endswith("per_usd") or value is None:
        return set()
    assert isinstance(value, str), name
    assert float(value) < 1_000, name
    return {value}


def test_cards_are_counted_for_the_start_and_for_what_a_pool_may_grow_to(tmp_path: Path) -> None:
    document = yaml.safe_load(H20.read_text())
    pool = document["applications"][0]["args"]["pools"][0]
    pool["replicas"] = 2
    pool["autoscaling"] = {"replicas_max": 4, "prometheus": "http://127.0.0.1:9090"}
    path = tmp_path / "grows.yaml"
    path.write_text(yaml.safe_dump(document))
    told = check(path, "--elsewhere").stdout
    assert "cards      16 x h20, up to 32 on 2 nodes" in told
    assert "unchecked  folders, cards, addresses, ports, keys and the environment" in told


def test_a_file_for_another_machine_is_an_error_here() -> None:
    told = json.loads(check(H20, "--json", ends=2).stdout)
    at = {each["path"]: each["wrong"] for each in told["errors"]}
    assert "8 x h20 are needed" in at["applications[0].args.pools[0].card"]
    assert "does not exist here" in at["applications[0].args.pools[0].checkpoint"]
    assert (told["valid"], told["args"]) == (False, None)
    assert told["pools"][0]["card"] == "h20"


def test_errors_come_before_warnings_each_with_its_line(edited: Callable[..., Path]) -> None:
    def change(args: Any, user: Any) -> None:
        args["pools"][0] |= {"model": "tiny-mo", "card_usd_per_hour": "900"}
        user["ttft_budget_ms"] = 400
        user["providers"]["stand-in"]["base_url"] = "https://:hidden@x/v1"

    path = edited(change)
    lines = check(path, ends=2).stdout.splitlines()
    kinds = [line.split()[0] for line in lines if line.startswith(("error", "warning"))]
    assert kinds == ["error", "error", "warning"]
    at = next(n for n, line in enumerate(lines) if line.endswith("pools[0].model"))
    number = path.read_text().splitlines().index("    - model: tiny-mo") + 1
    assert f"{path}:{number}  applications[0].args.pools[0].model" in lines[at]
    assert lines[at + 1].strip() == ("no model 'tiny-mo' in the catalogue; did you mean tiny-moe?")
    assert "hidden" not in "".join(lines)
    assert lines[-1] == f"{path}: cannot be served, 2 errors and 1 warning"


def test_an_unknown_key_is_named(edited: Callable[..., Path]) -> None:
    def change(args: Any, user: Any) -> None:
        args["pools"][0]["replica"] = 2

    told = check(edited(change), ends=2).stdout
    assert "`replica` is not known here; did you mean replicas?" in told


def test_a_flag_that_is_a_secret_is_not_shown(edited: Callable[..., Path]) -> None:
    def change(args: Any, user: Any) -> None:
        args["pools"][0]["engine"]["vllm_flags"] = {"hf-token": "hf_abc", "seed": 7}

    told = check(edited(change), "--json").stdout
    assert "hf_abc" not in told
    assert json.loads(told)["args"]["pools"][0]["engine"]["vllm_flags"] == {
        "hf-token": "(not shown)",
        "seed": 7,
    }


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    told = json.loads(check(tmp_path / "none.yaml", "--json", ends=2).stdout)
    assert [each["wrong"] for each in told["errors"]] == [
        "cannot be read: No such file or directory"
    ]


def serve(patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str], *given: str) -> str:
    """What a start that is refused says."""
    patch.setattr(sys, "argv", ["baseload", "serve", *given])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capture.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    assert told.err.splitlines()[-1].startswith("baseload: ")
    return told.err


def test_a_start_on_a_port_in_use_says_where_and_starts_nothing(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        told = serve(monkeypatch, capsys, "--port", str(port))
    assert f"port {port} on 127.0.0.1 is in use; stop what holds it" in told
    assert told.splitlines()[0] == "error      --port"
    assert told.splitlines()[-1] == "baseload: --port has 1 error: nothing was started"
    assert "local.yaml" not in told
    assert not state.exists()


def test_a_port_in_use_that_the_file_says_is_told_at_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        path = tmp_path / "own.yaml"
        path.write_text(LOCAL_PROFILE.read_text().replace("8000", str(port)))
        told = serve(monkeypatch, capsys, str(path))
    assert f"error      {path}:9  http_options.port" in told


@pytest.mark.parametrize("port", ["0", "-1", "99999"])
def test_a_port_that_is_none_is_told_as_the_option(
    port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = serve(monkeypatch, capsys, "--port", port)
    assert told == f"baseload: --port {port}: expected 1 to 65535\n"


def test_a_start_says_all_errors_at_once(
    edited: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def change(args: Any, user: Any) -> None:
        args["pools"][0]["card"] = "h2000"
        user["queue"] = {"wait_ms_max": "long"}

    told = serve(monkeypatch, capsys, str(edited(change)))
    assert "did you mean h200, h20" in told
    assert "expected a whole number, got 'long'" in told
    assert "has 2 errors: nothing was started" in told


def test_the_matrix_of_laws_as_lines_as_a_document_and_as_a_page(tmp_path: Path) -> None:
    path, page = data_flows_file(tmp_path), tmp_path / "flows.html"
    done = check(path, "--matrix", "--report", page)
    assert done.stdout.startswith(f"Where data of {path} may go: ")
    assert "map in " in done.stderr
    assert "What may go where" in page.read_text()
    told = json.loads(check(path, "--matrix", "--json").stdout)
    assert DataFlowMap.model_validate(told).packs == ["pipl"]


def test_the_matrix_of_a_file_that_cannot_be_served(edited: Callable[..., Path]) -> None:
    path = edited(lambda args, config: config.update(compliance={"packs": ["gpdr"]}))
    done = check(path, "--matrix", ends=2)
    assert done.stdout == ""
    assert "did you mean gdpr" in done.stderr


def test_a_page_is_the_matrixs(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["check", "--report", str(tmp_path / "x.html")])
    assert "--report: writes the map of --matrix" in str(done.exception)
