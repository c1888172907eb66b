"""What the head of a refusal says of limits, as vendors document it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from models.vendors import load_vendors
from runtime.targets.rate_limit_headers import PREFIXES, exhausted_s

NOW = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC).timestamp()
VENDORS = load_vendors().by_name


def _seconds(vendor: str, **told: str) -> float | None:
    form = VENDORS[vendor].rate_headers
    assert form is not None
    named = {name.replace("_", "-").encode(): value.encode() for name, value in told.items()}
    assert all(name.startswith(PREFIXES) for name in named)
    return exhausted_s(named, form, NOW)


def test_the_last_of_the_limits_without_room_decides() -> None:
    assert _seconds(
        "anthropic",
        anthropic_ratelimit_requests_remaining="0",
        anthropic_ratelimit_requests_reset="2026-11-30T12:00:07Z",
        anthropic_ratelimit_output_tokens_remaining="0",
        anthropic_ratelimit_output_tokens_reset="2026-11-30T12:00:09+00:00",
        anthropic_ratelimit_input_tokens_remaining="1",
        anthropic_ratelimit_input_tokens_reset="2026-11-30T12:01:00Z",
    ) == pytest.approx(9)


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("1s", 1), ("6m0s", 360), ("1h2m3s", 3_723), ("20ms", 0.02), ("1.5s", 1.5), ("2m", 120)],
)
def test_a_duration(reset: str, seconds: float) -> None:
    told = {"x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": reset}
    assert _seconds("openai", **told) == pytest.approx(seconds)


@pytest.mark.parametrize("reset", ["", "soon", "1x", "-1s", "1s" * 500, "\u0661s"])
def test_what_is_no_duration_says_nothing(reset: str) -> None:
    told = {"x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": reset}
    assert _seconds("openai", **told) is None


def test_a_limit_with_room_and_a_time_that_has_passed() -> None:
    name = "anthropic_ratelimit_tokens_"
    assert _seconds("anthropic", **{name + "remaining": "5", name + "reset": "x"}) is None
    past = {name + "remaining": "0", name + "reset": "2026-11-30T11:00:00"}
    assert _seconds("anthropic", **past) == 0
    assert _seconds("anthropic", **{name + "remaining": "0", name + "reset": "never"}) is None
    assert _seconds("anthropic") is None


def test_every_header_that_is_documented_is_kept_by_a_connection() -> None:
    forms = [each.rate_headers for each in VENDORS.values() if each.rate_headers is not None]
    assert len(forms) == 2
    for form in forms:
        assert form.remaining.encode().startswith(PREFIXES)
        assert form.reset.encode().startswith(PREFIXES)
