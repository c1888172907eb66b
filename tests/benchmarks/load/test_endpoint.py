from __future__ import annotations

import json

import pytest

from benchmarks.load.endpoint import BadLoad, Endpoint, base_url


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1"),
        ("https://host/api/v1/", "https://host/api/v1"),
        ("https://host/v1/chat/completions", "https://host/v1"),
    ],
)
def test_an_address_may_be_short_or_long(given: str, meant: str) -> None:
    assert base_url(given) == meant


@pytest.mark.parametrize("given", ["127.0.0.1:8000", "ftp://host", "http://", "http://h:port", ""])
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(BadLoad, match="give an address"):
        base_url(given)


@pytest.mark.parametrize(
    "given", ["http://me:secret@h", "http://h/v1?key=secret", "http://h/#secret"]
)
def test_an_address_holds_no_key(given: str) -> None:
    with pytest.raises(BadLoad, match="--key-env") as caught:
        base_url(given)
    assert "secret" not in str(caught.value)


def test_a_body_says_what_is_asked_and_no_more() -> None:
    told = json.loads(Endpoint("u", "m", extra_body={"ignore_eos": True}).body("hello", 9))
    assert told == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 9,
        "temperature": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
        "ignore_eos": True,
    }
    plain = json.loads(Endpoint("u", "m", api="completions").body("hello", 9))
    assert plain["prompt"] == "hello"
    assert "messages" not in plain


def test_the_extra_body_may_not_change_what_is_measured() -> None:
    with pytest.raises(BadLoad, match="stream"):
        Endpoint("u", "m", extra_body={"stream": False})


@pytest.mark.parametrize(
    "given", [{"timeout_s": 0.0}, {"timeout_s": float("inf")}, {"temperature": float("nan")}]
)
def test_numbers_out_of_range(given: dict[str, float]) -> None:
    with pytest.raises(BadLoad, match="give"):
        Endpoint("u", "m", **given)  # type: ignore[arg-type]


def test_the_key_is_sent_and_never_shown() -> None:
    endpoint = Endpoint("u", "m", key="secret-key")
    assert endpoint.headers["authorization"] == "Bearer secret-key"
    assert "secret-key" not in repr(endpoint)
    assert endpoint.without_key("no such key: secret-key") == "no such key: …"
    assert "authorization" not in Endpoint("u", "m").headers


@pytest.mark.parametrize(
    ("url", "is_local"),
    [("http://127.0.0.1:1/v1", True), ("http://localhost/v1", True), ("http://10.0.0.1/v1", False)],
)
def test_only_this_machine_is_local(url: str, is_local: bool) -> None:
    assert Endpoint(url, "m").is_local == is_local
