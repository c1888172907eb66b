from __future__ import annotations

import pickle

import pytest

from runtime import errors, feedback_errors
from runtime.error_headers import error_headers
from runtime.errors import BaseloadError
from runtime.feedback_errors import FeedbackRefused


def _tree(kind: type[BaseloadError] = BaseloadError) -> list[type[BaseloadError]]:
    return [k for sub in kind.__subclasses__() for k in (sub, *_tree(sub))]


# Those that stop a start stand in files of their own, and are told to no client.
ANSWERED = (errors.__name__, feedback_errors.__name__)
KINDS = [kind for kind in _tree() if kind.__module__ in ANSWERED]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_states_its_facts(kind: type[BaseloadError]) -> None:
    assert isinstance(kind.status, int)
    assert 400 <= kind.status <= 599
    for name in ("type", "code", "says"):
        assert isinstance(getattr(kind, name), str)
        assert getattr(kind, name)
    assert isinstance(kind.retryable, bool)


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_can_be_raised_bare(kind: type[BaseloadError]) -> None:
    error = kind()
    assert error.message == kind.says
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301


def test_the_drawing_and_the_tree_name_the_same_classes() -> None:
    drawn = {word for word in (errors.__doc__ or "").split() if word in vars(errors)}
    assert drawn >= {kind.__name__ for kind in KINDS if kind.__module__ == errors.__name__}
    assert FeedbackRefused.__name__ in (errors.__doc__ or "").split()
    for line in (errors.__doc__ or "").splitlines():
        if "── " in line:
            name, *facts = line.split("── ")[1].split()
            if "runtime/" in line:  # it says where else the class stands
                continue
            kind = getattr(errors, name)
            if facts and facts[0].isdigit():
                assert kind.status == int(facts[0]), name


def test_codes_of_leaves_are_distinct() -> None:
    leaves = [kind for kind in KINDS if not kind.__subclasses__()]
    codes = [kind.code for kind in leaves]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", KINDS)
def test_clients_do_not_retry_what_only_costs_twice(kind: type[BaseloadError]) -> None:
    told = error_headers(kind())
    retried_unasked = kind.status in (408, 409, 429) or kind.status >= 500
    assert (told.get("x-should-retry") == "false") == (retried_unasked and not kind.retryable)
    assert not ("retry-after" in told and not kind.retryable)


def test_headers_say_when_and_how() -> None:
    assert error_headers(errors.QueueFull(retry_after_s=7)) == {"retry-after": "7"}
    assert error_headers(errors.NoTarget())["retry-after"] == "1"
    assert error_headers(errors.SpillCapped(retry_after_s=3)) == {"retry-after": "3"}
    refused = errors.QueueTimeout()
    refused.reason = "queue_timeout"
    told = {"x-should-retry": "false", "x-baseload-reason": "queue_timeout"}
    assert error_headers(refused) == told
    assert error_headers(errors.InvalidApiKey()) == {"www-authenticate": "Bearer"}
    assert error_headers(errors.MethodNotAllowed(allow=("GET", "POST")))["allow"] == "GET, POST"
    assert error_headers(errors.BadRequest("x", param="n")) == {}


def test_a_rejection_carries_the_status_of_the_target() -> None:
    error = errors.UpstreamRejected("no such tool", status=404, param="tools")
    assert (error.status, error.retryable, error.param) == (404, False, "tools")
    assert errors.UpstreamRejected(status=429).retryable
    with pytest.raises(ValueError, match="502"):
        errors.UpstreamRejected(status=502)
