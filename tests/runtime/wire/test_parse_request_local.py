"""What vLLM serves and vendors do not: where it goes, and where it keeps a request."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.wire.parse_request import ChatRequest, CompletionRequest
from tests.runtime.wire.bodies import LOCAL, LOCAL_CHAT, TOOL, chat, completion, refused, sent

ASKS_NOTHING: dict[str, Any] = {
    "stop_token_ids": [],
    "bad_words": [],
    "include_stop_str_in_output": False,
    "skip_special_tokens": True,
    "spaces_between_special_tokens": True,
    "thinking_token_budget": -1,
    "return_token_ids": False,
    "chat_template_kwargs": {},
    "continue_final_message": False,
    "add_generation_prompt": True,
    "include_reasoning": True,
}


def test_there_is_a_case_for_every_such_field() -> None:
    assert ChatRequest.LOCAL.keys() == LOCAL_CHAT.keys()
    assert CompletionRequest.LOCAL.keys() == LOCAL.keys() | {"response_format"}


@pytest.mark.parametrize("name", sorted(LOCAL_CHAT))
def test_it_reaches_a_replica_and_keeps_the_request_there(name: str) -> None:
    for ask in (chat, completion) if name in LOCAL else (chat,):
        request = ask(**{name: LOCAL_CHAT[name]})
        assert request.local_only == name
        assert sent(request)[name] == LOCAL_CHAT[name]
        assert name not in sent(request, openai_only=True)
        nothing = ask(**{name: None})
        assert nothing.local_only is None
        assert name not in sent(nothing)


@pytest.mark.parametrize("name", sorted(ASKS_NOTHING))
def test_a_value_that_asks_for_what_is_done_anyway_keeps_it_nowhere(name: str) -> None:
    request = chat(**{name: ASKS_NOTHING[name]})
    assert request.local_only is None
    assert name not in sent(request, openai_only=True)


def test_an_answers_form_keeps_a_completion_but_not_a_chat() -> None:
    form = {"type": "json_object"}
    assert completion(response_format=form).local_only == "response_format"
    assert completion(response_format={"type": "text"}).local_only is None
    assert chat(response_format=form).local_only is None
    assert sent(chat(response_format=form), openai_only=True)["response_format"] == form


def test_hints_are_left_out_where_it_is_bought_and_named() -> None:
    request = chat(top_k=5, ignore_eos=True, cache_salt="s", store=True)
    assert request.local_only is None
    assert request.ignored_by(bought=False) == ("store",)
    assert request.ignored_by(bought=True) == ("store", "top_k", "ignore_eos", "cache_salt")
    assert sent(request, openai_only=True).keys() == {"model", "messages"}


def test_a_salt_parts_prefixes() -> None:
    def prefix(**fields: Any) -> list[str]:
        return list(chat(**fields).prefix_parts()) + list(completion(**fields).prefix_parts())

    assert prefix() != prefix(cache_salt="a") != prefix(cache_salt="b")


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"stop_token_ids": [1] * 65}, "stop_token_ids", "at most 64"),
        ({"stop_token_ids": [-1]}, "stop_token_ids[0]", "at least 0"),
        ({"allowed_token_ids": []}, "allowed_token_ids", "at least 1"),
        ({"bad_words": [""]}, "bad_words[0]", "at least 1"),
        ({"skip_special_tokens": 1}, "skip_special_tokens", "true or false, not an integer"),
        ({"cache_salt": "a/b"}, "cache_salt", "a character that is not allowed"),
        ({"chat_template_kwargs": "x"}, "chat_template_kwargs", "an object, not a string"),
        (
            {"chat_template_kwargs": {"thinking": {}}},
            "chat_template_kwargs.thinking",
            "true, false, an integer or a short string, not an object",
        ),
        (
            {"chat_template_kwargs": {"thinking": "x" * 65}},
            "chat_template_kwargs.thinking",
            "at most 64",
        ),
        (
            {"continue_final_message": True, "add_generation_prompt": True},
            "add_generation_prompt",
            "excludes continue_final_message",
        ),
        ({"structured_outputs": {}}, "structured_outputs", "one of json, regex, choice"),
        (
            {"structured_outputs": {"regex": "a", "choice": ["a"]}},
            "structured_outputs",
            "one of json, regex, choice",
        ),
        ({"structured_outputs": {"json": "{}"}}, "structured_outputs.json", "an object, not a"),
        ({"structured_outputs": {"choice": []}}, "structured_outputs.choice", "at least 1"),
        (
            {"structured_outputs": {"choice": ["a" * 1024] * 64}},
            "structured_outputs.choice",
            "larger than 65536 bytes",
        ),
        ({"structured_outputs": {"regex": "a" * 2049}}, "structured_outputs.regex", "at most 2048"),
        ({"structured_outputs": {"regex": "\0"}}, "structured_outputs.regex", "a character"),
    ],
)
def test_each_has_its_bounds(fields: dict[str, Any], param: str, says: str) -> None:
    error = refused(lambda: chat(**fields))
    assert error.param == param
    assert says in error.message


def test_an_engine_continues_a_message_only_without_a_new_beginning() -> None:
    told = sent(chat(continue_final_message=True))
    assert (told["continue_final_message"], told["add_generation_prompt"]) == (True, False)


def test_usage_in_every_frame_of_one_answer() -> None:
    often = {"include_usage": True, "continuous_usage_stats": True}
    request = chat(stream=True, stream_options=often)
    assert sent(request)["stream_options"] == often
    assert request.ignored_by(bought=False) == ()
    assert sent(request, openai_only=True)["stream_options"] == {"include_usage": True}
    assert request.ignored_by(bought=True) == ("stream_options.continuous_usage_stats",)
    for fields in ({"n": 2}, {"stream_options": {**often, "include_usage": False}}):
        several = chat(**{"stream": True, "stream_options": often, **fields})
        assert sent(several)["stream_options"] == {"include_usage": True}
        assert several.ignored == ("stream_options.continuous_usage_stats",)


@pytest.mark.parametrize("name", ["look up", "mcp:files/read", "文件", "a" * 65])
def test_names_that_vendors_refuse_stay_at_home(name: str) -> None:
    function = {**TOOL["function"], "name": name}
    tools = [{"type": "function", "function": function}]
    request = chat(tools=tools, tool_choice={"type": "function", "function": {"name": name}})
    assert not request.taken_everywhere
    assert request.local_only is None
    assert sent(request)["tools"] == tools
    assert chat(tools=[TOOL]).taken_everywhere


def test_more_stops_than_vendors_take_stay_at_home() -> None:
    assert chat(stop=["a"] * 4).taken_everywhere
    assert chat(stop="aaaaaaaaa").taken_everywhere
    request = chat(stop=[*"abcdefgh"])
    assert not request.taken_everywhere
    assert sent(request)["stop"] == [*"abcdefgh"]


def test_labels_are_spelt_as_vendors_take_them() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "My answer: v1/中", "schema": {}}}
    messages = [{"role": "user", "content": "hi", "name": "Ann Lee/<x>"}]
    request = chat(messages=messages, response_format=form)
    assert sent(request)["messages"] == messages
    assert sent(request)["response_format"] == form
    told = sent(request, openai_only=True)
    assert told["messages"][0]["name"] == "Ann_Lee__x_"
    assert told["response_format"]["json_schema"]["name"] == "My_answer__v1__"
    for bad in ("a\nb", "\x7f"):
        refused(lambda bad=bad: chat(messages=[{**messages[0], "name": bad}]))  # type: ignore[misc]
