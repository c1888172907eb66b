"""Origins in the configuration: in the form that browsers send, or refused with that form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.config import load_config
from runtime.errors import ConfigError

OURS = "https://chat.example.com"


@pytest.mark.parametrize(
    "origin",
    [
        "https://chat.example.com",
        "http://localhost:3000",
        "http://127.0.0.1:5173",
        "http://[::1]:3000",
        "https://xn--mnchen-3ya.example",
        "app://obsidian.md",
        "*",
    ],
)
def test_origins_that_can_be_configured(origin: str) -> None:
    assert load_config({"http": {"allowed_origins": [origin]}}).http.allowed_origins == [origin]


@pytest.mark.parametrize(
    ("origins", "says"),
    [
        (["https://chat.example.com/"], "no path"),
        (["https://chat.example.com/app"], "no path"),
        (["https://*.example.com"], "https://host"),
        (["chat.example.com"], "https://host"),
        (["https://"], "https://host"),
        (["https://user@chat.example.com"], "https://host"),
        (["https://Chat.Example.com"], "lower case"),
        (["https://chat.example.com:443"], ":443"),
        (["http://chat.example.com:80"], ":80"),
        (["https://chat.example.com:99999"], "port"),
        (["https://chat.example.com?x"], "https://host"),
        (["https://chat.example.com\n"], "https://host"),
        (["https://münchen.example"], "https://host"),
        (["null"], "https://host"),
        (["*", "https://chat.example.com"], "alone"),
        ([f"https://h{each}.example.com" for each in range(65)], "64"),
        ("https://chat.example.com", "list"),
        ([7], "text"),
    ],
)
def test_origins_that_no_browser_would_send(origins: Any, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"http": {"allowed_origins": origins}})
    assert says in caught.value.message
    assert "http.allowed_origins" in caught.value.message


def test_the_configuration_can_be_written_and_read_back() -> None:
    config = load_config({"http": {"allowed_origins": [OURS]}})
    assert load_config(json.loads(config.model_dump_json())) == config
