"""Accounts: which offers of a configuration can be bought, and at what price."""

from __future__ import annotations

from datetime import date
from typing import Any, cast

import pytest

from models.price_book import load_price_book
from runtime.config import load_config
from runtime.targets.connector import Connector
from runtime.targets.provider_accounts import Account, open_accounts
from runtime.wire.tags import Sensitivity

TODAY = date(2026, 6, 1)
CONNECTOR = cast(Connector, None)  # nothing is sent here


def _accounts(**providers: Any) -> dict[str, Account]:
    return open_accounts(load_config({"providers": providers}), load_price_book(), CONNECTOR, TODAY)


def _provider(key_env: str, **offers: Any) -> dict[str, Any]:
    return {"base_url": "https://api.example.com/v1/", "key_env": key_env, "offers": offers}


def test_an_offer_has_its_dated_price_and_its_key_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VENDOR_KEY", "sk-secret")
    terms = {"tiny": {"name": "tiny-moe", "context_tokens_max": 4096, "in_flight_max": 3}}
    found = _accounts(**{"stand-in": _provider("VENDOR_KEY", **terms)})
    account = found["stand-in/tiny-moe"]
    assert (account.offer.model, account.name) == ("tiny", "tiny-moe")
    assert (account.offer.context_tokens_max, account.offer.in_flight_max) == (4096, 3)
    assert account.offer.price is not None
    assert account.offer.price.price_id == "stand-in/tiny-moe@2026-01-01"
    assert account.upstream.base_url == "https://api.example.com/v1"
    assert account.upstream.key == "sk-secret"
    assert "sk-secret" not in repr(account)


def test_an_offer_has_the_limits_of_its_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_KEY", "k")
    given = {**_provider("VENDOR_KEY", m="tiny-moe"), "requests_per_min_max": 7}
    terms = {"name": "other", "tokens_per_min_max": 9}
    given["offers"] = {"m": "tiny-moe", "n": terms}
    found = _accounts(**{"stand-in": given})
    limits = {
        name: (account.offer.requests_per_min_max, account.offer.tokens_per_min_max)
        for name, account in found.items()
    }
    assert limits == {"stand-in/tiny-moe": (7, None), "stand-in/other": (7, 9)}


def test_personal_and_regulated_data_go_only_where_the_provider_is_said_to_have_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VENDOR_KEY", "k")
    plain = _provider("VENDOR_KEY", m="m")
    found = _accounts(plain=plain, trusted={**plain, "allowed_sensitivity": ["regulated", "pii"]})
    assert [each for each in Sensitivity if found["plain/m"].may_have(each)] == [
        Sensitivity.PUBLIC,
        Sensitivity.INTERNAL,
    ]
    assert [each for each in Sensitivity if found["trusted/m"].may_have(each)] == [
        Sensitivity.PII,
        Sensitivity.REGULATED,
    ]


def test_without_its_key_a_provider_is_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("VENDOR_KEY", raising=False)
    monkeypatch.setenv("OTHER_KEY", "k")
    found = _accounts(a=_provider("VENDOR_KEY", m="m"), b=_provider("OTHER_KEY", m="m"))
    assert list(found) == ["b/m"]
    assert "VENDOR_KEY is not set" in caplog.text


def test_an_offer_without_a_price_is_known_but_never_eligible(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("VENDOR_KEY", "k")
    found = _accounts(**{"stand-in": _provider("VENDOR_KEY", m="no-such-model")})
    assert found["stand-in/no-such-model"].offer.price is None
    assert "never bought" in caplog.text


def test_a_price_that_was_withdrawn_does_not_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_KEY", "k")
    found = _accounts(deepseek=_provider("VENDOR_KEY", **{"DeepSeek-V3.2": "deepseek-chat"}))
    assert found["deepseek/deepseek-chat"].offer.price is None  # ended in April


def test_a_keys_last_line_end_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_KEY", "sk-secret\n")
    found = _accounts(**{"stand-in": _provider("VENDOR_KEY", tiny="tiny-moe")})
    assert found["stand-in/tiny-moe"].upstream.key == "sk-secret"


def test_a_provider_whose_key_cannot_be_sent_is_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("VENDOR_KEY", "sk-se\ncret")
    assert _accounts(**{"stand-in": _provider("VENDOR_KEY", tiny="tiny-moe")}) == {}
    assert "stand-in is off" in caplog.text
    assert "cret" not in caplog.text
