"""What the translation of a request does not know of."""

from __future__ import annotations

import pytest

from runtime.wire.anthropic.request_translation import messages_request
from runtime.wire.anthropic.untranslatable import NotTaken
from tests.runtime.wire.bodies import USER


def test_a_field_that_nobody_has_translated_is_not_left_out_without_a_word() -> None:
    plain = {"model": "m", "max_tokens": 5, "messages": USER}
    assert messages_request(plain)["max_tokens"] == 5
    with pytest.raises(NotTaken) as caught:
        messages_request({**plain, "of_tomorrow": 1})
    assert caught.value.field == "of_tomorrow"
