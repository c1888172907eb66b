"""A Serve config file as a whole: every mistake is one line that names the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.profile import LOCAL_PROFILE, Profile, load, parse
from runtime.errors import ConfigError


def _document(**changes: Any) -> Any:
    document = yaml.safe_load(LOCAL_PROFILE.read_text())
    document["applications"][0] |= changes
    return document


def _refused(document: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(Path("x.yaml"), document)
    told = caught.value.message
    assert told.startswith("x.yaml")
    assert "\n" not in told
    return told


def test_the_local_profile() -> None:
    profile = load(LOCAL_PROFILE)
    assert (profile.host, profile.port) == ("127.0.0.1", 8000)
    assert [(pool.model, pool.replicas) for pool in profile.args.pools] == [("tiny-moe", 2)]
    assert list(profile.routing.providers) == ["stand-in", "stand-in-sg"]
    assert profile.routing.settings().spill.usd_per_hour_max == 5_000_000_000


def test_moved_is_the_same_application_on_other_ports() -> None:
    profile = load(LOCAL_PROFILE)
    moved = profile.moved(9000, [9001, 9002])
    assert moved.port == 9000
    assert moved.args.stand_in is not None
    assert moved.args.stand_in.port == 9001
    assert moved.routing.providers["stand-in"].base_url == "http://127.0.0.1:9001/v1"
    assert moved.routing.telemetry.metrics_port == 9002
    assert moved.args.pools == profile.args.pools
    assert profile.port == 8000
    assert profile.document == yaml.safe_load(LOCAL_PROFILE.read_text())


def test_moved_without_a_stand_in_or_metrics() -> None:
    document = _document()
    app = document["applications"][0]
    del app["args"]["stand_in"]
    app["deployments"][0]["user_config"] = {}
    del document["http_options"]
    moved = parse(Path("x.yaml"), document).moved(9000, [9001, 9002])
    assert moved.port == 9000
    assert moved.routing.providers == {}


def test_another_vendors_address_is_not_moved() -> None:
    document = _document()
    providers = document["applications"][0]["deployments"][0]["user_config"]["providers"]
    other = "https://api.example.com:8001/v1"
    providers["other"] = {"base_url": other, "key_env": "K", "offers": {"tiny-moe": "x"}}
    moved = parse(Path("x.yaml"), document).moved(9000, [9001, 9002])
    assert moved.routing.providers["other"].base_url == other


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "text",
        5,
        {},
        {"applications": None},
        {"applications": []},
        {"applications": [{}, {}]},
        {"applications": [5]},
        {"applications": [{"args": {}, "deployments": []}]},
        _document(deployments=[{"name": "Scheduler"}]),
        _document(deployments=[{"name": "Other", "user_config": {}}]),
    ],
)
def test_a_file_of_another_shape(document: Any) -> None:
    assert "cluster/local.yaml is an example" in _refused(document)


def test_mistakes_in_what_runs() -> None:
    told = _refused(_document(args={"pools": [{"model": "m", "replicas": 0}], "colour": 1}))
    for where in ("args.pools[0].replicas: ", "pools[0].card: ", "args.colour: "):
        assert where in told


def test_mistakes_in_the_routing() -> None:
    scheduler = {"name": "Scheduler", "user_config": {"queue": {"wait_ms_max": "long"}}}
    assert "user_config.queue.wait_ms_max: " in _refused(_document(deployments=[scheduler]))


def test_nobody_could_call_it() -> None:
    document = _document()
    document["applications"][0]["args"]["local_key"] = False
    assert "API key" in _refused(document)


@pytest.mark.parametrize("port", ["eight", 0, 70_000, None])
def test_a_port_that_is_none(port: Any) -> None:
    document = _document()
    document["http_options"]["port"] = port
    assert "http_options" in _refused(document)


@pytest.mark.parametrize("options", [5, ["x"], None])
def test_http_options_of_another_shape(options: Any) -> None:
    document = _document()
    document["http_options"] = options
    assert "http_options" in _refused(document)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"a: [1,\nb: 2", "is not YAML"),
        (b"!!python/object/apply:os.system [ls]", "is not YAML"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_yaml(tmp_path: Path, text: bytes, says: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=says) as caught:
        load(path)
    assert "\n" not in caught.value.message
    assert str(path) in caught.value.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_a_profile_is_what_it_was_parsed_from() -> None:
    document = _document()
    assert isinstance(parse(Path("x.yaml"), document), Profile)
