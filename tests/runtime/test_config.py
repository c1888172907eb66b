"""The routing configuration: every mistake in one line, no secrets, nothing unknown."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.config import ERRORS_SHOWN_MAX, load_config
from runtime.errors import ConfigError
from scheduler.settings import Settings

PROVIDER = {"base_url": "https://api.example.com/v1", "key_env": "KEY", "offers": {"m": "m-there"}}


def _refused(data: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(data)
    assert "\n" not in caught.value.message
    return caught.value.message


def _provider(**fields: Any) -> dict[str, Any]:
    return {"providers": {"acme": {**PROVIDER, **fields}}}


def test_an_empty_configuration_is_whole() -> None:
    config = load_config({})
    assert config.settings() == Settings()
    assert config.providers == {}


def test_the_queue_bounds_reach_the_scheduler() -> None:
    settings = load_config({"queue": {"requests_max": 3, "wait_ms_max": 50}}).settings()
    assert (settings.queue_requests_max, settings.queue_wait_ms_max) == (3, 50)
    assert settings.queue_tokens_max == Settings().queue_tokens_max


def test_an_offer_may_be_a_name_or_more() -> None:
    config = load_config(_provider(offers={"a": "x", "b": {"name": "y", "in_flight_max": 2}}))
    provider = config.providers["acme"]
    assert provider.offer("a").name == "x"
    assert (provider.offer("b").name, provider.offer("b").in_flight_max) == ("y", 2)


def test_all_mistakes_are_told_at_once_each_with_its_path() -> None:
    told = _refused({"ttft_budget_ms": 0, "colour": 1, "queue": {"requests_max": "many"}})
    assert "ttft_budget_ms: " in told
    assert "colour: " in told
    assert "queue.requests_max: " in told


def test_many_mistakes_are_counted() -> None:
    told = _refused({f"x{n}": 1 for n in range(ERRORS_SHOWN_MAX + 5)})
    assert told.endswith("and 5 more")


@pytest.mark.parametrize("data", [None, [], "text", 5])
def test_no_mapping_at_all(data: Any) -> None:
    assert _refused(data)


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https://user:secret@api.example.com/v1",
        "https://api.example.com/v1?key=secret",
        "http://api.example.com/v1",
        "http://localhost.evil.example/v1",
        "http://[::1/v1",
    ],
)
def test_an_unsafe_address_is_refused_and_not_repeated(url: str) -> None:
    told = _refused(_provider(base_url=url))
    assert told.startswith("providers.acme")
    assert "secret" not in told


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001/v1", "http://[::1]:1/v1", "https://a/v1"])
def test_a_safe_address(url: str) -> None:
    assert load_config(_provider(base_url=url)).providers["acme"].base_url == url


@pytest.mark.parametrize("key_env", ["sk-very-secret", "key", "", "A B"])
def test_a_key_in_place_of_a_variable_name_is_refused_and_not_repeated(key_env: str) -> None:
    told = _refused(_provider(key_env=key_env))
    assert "providers.acme.key_env" in told
    assert "sk-very-secret" not in told


def test_a_key_in_the_file_is_an_unknown_field() -> None:
    assert "providers.acme.key: " in _refused(_provider(key="sk-very-secret"))


def test_a_provider_without_offers() -> None:
    assert "providers.acme.offers" in _refused(_provider(offers={}))
