from __future__ import annotations

import contextvars
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.engine.vllm_adapter.caller_faults import SAYS, blame_the_form, note_form


class Serving:
    def _raise_if_error(self, finish_reason: str | None, request_id: str) -> None:
        if finish_reason == "error":
            raise RuntimeError(request_id)


def ended(reason: str | None, **fields: Any) -> Exception | None:
    request = SimpleNamespace(**{"structured_outputs": None, **fields})
    serving = Serving()
    blame_the_form(serving, ValueError)

    def end() -> Exception | None:
        note_form(request)
        try:
            serving._raise_if_error(reason, "r-1")
        except Exception as error:  # noqa: BLE001
            return error
        return None

    return contextvars.copy_context().run(end)


@pytest.mark.parametrize(
    "fields",
    [
        {"structured_outputs": object()},
        {"response_format": SimpleNamespace(type="json_object")},
        {"tools": [object()], "tool_choice": "required"},
    ],
)
def test_a_form_that_leaves_no_token_is_the_callers_fault(fields: dict[str, Any]) -> None:
    assert repr(ended("error", **fields)) == repr(ValueError(SAYS))
    assert ended("stop", **fields) is None


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"response_format": SimpleNamespace(type="text"), "tools": None},
        {"tools": [object()], "tool_choice": "none"},
    ],
)
def test_without_a_form_it_is_the_engines(fields: dict[str, Any]) -> None:
    assert repr(ended("error", **fields)) == repr(RuntimeError("r-1"))
    assert ended(None, **fields) is None
