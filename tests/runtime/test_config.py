"""The routing configuration: every mistake in one line, no secrets, nothing unknown."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.config import load_config
from runtime.config_problems import PROBLEMS_SHOWN_MAX
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


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("usd_per_hour_max", 5.0),
        ("usd_per_hour_max", "five"),
        ("usd_per_hour_max", "-1"),
        ("usd_per_hour_max", "nan"),
        ("usd_per_hour_max", "0.0000000001"),
        ("demand_window_ms", 0),
        ("hysteresis_ms", "long"),
        ("target_load", 0),
        ("target_load", 1.01),
        ("target_load", float("nan")),
        ("ageing_ms", -5),
        ("valley_occupancy_max", 1.5),
        ("cap", "1"),
    ],
)
def test_mistakes_in_spill_are_told_with_all_others(field: str, value: Any) -> None:
    tenant = {"key_sha256": ["0" * 64], "spill_usd_per_hour_max": 1}
    told = _refused({"spill": {field: value}, "tenants": {"acme": tenant}, "colour": 1})
    assert f"spill.{field}: " in told
    assert "tenants.acme.spill_usd_per_hour_max: " in told
    assert "colour: " in told


def test_a_cap_of_nothing_forbids_to_buy() -> None:
    zero = {"key_sha256": ["0" * 64], "spill_usd_per_hour_max": "0"}
    some = {"key_sha256": ["1" * 64], "spill_usd_per_hour_max": "0.01"}
    config = load_config({"tenants": {"zero": zero, "some": some}})
    assert [config.may_buy(name) for name in ("zero", "some", "unlisted")] == [False, True, True]
    config = load_config({"spill": {"usd_per_hour_max": "0"}, "tenants": {"some": some}})
    assert [config.may_buy(name) for name in ("some", "unlisted")] == [False, False]


def test_limits_per_minute_are_the_providers_unless_the_offer_has_its_own() -> None:
    own = {"name": "y", "requests_per_min_max": 5}
    given = {
        "requests_per_min_max": 60,
        "tokens_per_min_max": 1_000,
        "offers": {"a": "x", "b": own},
    }
    provider = load_config(_provider(**given)).providers["acme"]
    limits = [
        (offer.requests_per_min_max, offer.tokens_per_min_max)
        for offer in (provider.offer("a"), provider.offer("b"))
    ]
    assert limits == [(60, 1_000), (5, 1_000)]
    assert load_config(_provider()).providers["acme"].offer("m").requests_per_min_max is None
    for name in ("requests_per_min_max", "tokens_per_min_max"):
        assert f"providers.acme.{name}: " in _refused(_provider(**{name: 0}))


def test_what_may_be_sent_to_a_provider() -> None:
    assert load_config(_provider()).providers["acme"].allowed_sensitivity == {"public", "internal"}
    given = load_config(_provider(allowed_sensitivity=["public", "pii"])).providers["acme"]
    assert given.allowed_sensitivity == {"public", "pii"}
    told = _refused(_provider(allowed_sensitivity=["secret"]))
    assert "providers.acme.allowed_sensitivity" in told


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
    told = _refused({f"x{n}": 1 for n in range(PROBLEMS_SHOWN_MAX + 5)})
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
        "https://:secret@api.example.com/v1",
        "https://api.example.com/v1#secret",
        "https://api.example.com/v1?",
        "https://api.example.com:99999/v1",
        "https://api.example.com:0/v1",
        "https://api.exämple.com/v1",
        "https://api.example.com/v1 secret",
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


def test_the_form_of_a_variables_name_is_told_as_it_is() -> None:
    assert "in capitals such as DEEPINFRA_API_KEY" in _refused(_provider(key_env="deepinfra_key"))


def test_a_key_in_the_file_is_an_unknown_field() -> None:
    assert "providers.acme.key: " in _refused(_provider(key="sk-very-secret"))


def test_a_provider_without_offers() -> None:
    assert "providers.acme.offers" in _refused(_provider(offers={}))


def test_two_models_of_one_name_at_a_provider() -> None:
    told = _refused(_provider(offers={"a": "x", "b": {"name": "x"}}))
    assert told == "providers.acme.offers.b: is called 'x' there, as 'a' is"


@pytest.mark.parametrize("name", ["a b", "a/b", "ä", "x" * 65, ""])
def test_a_providers_name_can_stand_in_a_header(name: str) -> None:
    assert _refused({"providers": {name: PROVIDER}}).startswith("providers")


@pytest.mark.parametrize("name", ["two words", "x\r\ny: z", "x" * 257, ""])
def test_an_offers_name_can_stand_in_a_header(name: str) -> None:
    assert "providers.acme.offers.m" in _refused(_provider(offers={"m": name}))


@pytest.mark.parametrize(
    ("digest", "says"),
    [
        ("bl-" + "a" * 43, "this one has been written down"),
        ("A" * 64, "lower-case hex digits, got capitals"),
        ("a" * 63, "the 64 hex digits of a SHA-256, got 63"),
        ("", "the SHA-256 of a key in 64 hex digits"),
    ],
)
def test_a_hash_that_is_none_is_refused_and_not_repeated(digest: str, says: str) -> None:
    told = _refused({"tenants": {"acme": {"key_sha256": ["b" * 64, digest]}}})
    assert told.startswith("tenants.acme.key_sha256[1]: ")
    assert says in told
    assert not digest or digest not in told


def test_a_number_in_a_hashs_place() -> None:
    told = _refused({"tenants": {"acme": {"key_sha256": [5]}}})
    assert told == "tenants.acme.key_sha256[0]: expected text; put it in quotes"


def test_a_key_has_one_owner() -> None:
    tenants = {name: {"key_sha256": ["a" * 64]} for name in ("acme", "other")}
    told = _refused({"tenants": tenants})
    assert told.startswith("tenants.other.key_sha256[0]: is the key of tenant 'acme', too")
    assert "aaaa" not in told


@pytest.mark.parametrize("name", ["local", "", " acme", "a\nb", "ä" * 65])
def test_a_tenants_name_is_its_own_short_and_printable(name: str) -> None:
    told = _refused({"tenants": {name: {"key_sha256": ["a" * 64]}}})
    assert told.startswith("tenants")
    assert load_config({"tenants": {"Müller & Söhne": {"key_sha256": ["a" * 64]}}}).tenants


def test_the_tenant_of_a_starts_key_has_terms_and_no_key() -> None:
    config = load_config({"tenants": {"local": {"home": "cn"}}})
    assert config.tag_terms("local").home == "cn"
    told = _refused({"tenants": {"local": {"key_sha256": ["a" * 64]}}})
    assert told.startswith("tenants.local: 'local' is the tenant of the key that `local_key` makes")


def test_who_has_no_key_is_told_with_all_else_that_is_wrong() -> None:
    told = _refused({"tenants": {"acme": {"home": "uk"}, "none": {"key_sha256": []}}})
    assert "tenants.acme.key_sha256: is missing" in told
    assert "tenants.acme.home: expected a country" in told
    assert "tenants.none.key_sha256: expected at least 1 of them" in told


@pytest.mark.parametrize("host", ["http://x", "a b", "x:1", "x/y", "", "-x"])
def test_a_metrics_host_that_is_none(host: str) -> None:
    assert "telemetry.metrics_host: " in _refused({"telemetry": {"metrics_host": host}})
    assert load_config({"telemetry": {"metrics_host": "::1"}}).telemetry.metrics_host == "::1"


def test_a_budget_of_more_than_a_week_is_none() -> None:
    assert "expected at most 604800000, got 604800001" in _refused({"ttft_budget_ms": 604_800_001})


def test_money_is_shown_in_the_unit_of_its_name() -> None:
    config = load_config({"spill": {"usd_per_hour_max": "5.5"}})
    assert config.spill.usd_per_hour_max == 5_500_000_000
    assert config.model_dump(mode="json")["spill"]["usd_per_hour_max"] == "5.50"
    assert load_config(config.model_dump(mode="json")) == config
