"""Fields that clients send with the official OpenAI client for Python: its own and vLLM's."""

from __future__ import annotations

from typing import Any

import openai
from harness import API_KEY, BASE_URL, HELLO, MODEL, WEATHER, case, main, raises

CLIENT = openai.OpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0)
PLAIN: dict[str, Any] = {"model": MODEL, "messages": HELLO, "max_tokens": 8}
IGNORED = "x-baseload-ignored"


def ask(**more: Any) -> Any:
    return CLIENT.chat.completions.create(**(PLAIN | more))


@case
def names_as_people_have_them() -> None:
    assert ask(messages=[{"role": "user", "content": "Hello", "name": "Ada L: dev/ops"}])


@case
def content_in_parts() -> None:
    parts = [{"type": "text", "text": "Hello"}, {"type": "text", "text": "again"}]
    assert ask(messages=[{"role": "user", "content": parts}])


@case
def cache_hints_in_parts() -> None:
    part = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}
    assert ask(messages=[{"role": "user", "content": [part]}])


@case
def harmless_hints_are_dropped_and_named() -> None:
    hints: dict[str, Any] = {
        "verbosity": "low",
        "store": True,
        "service_tier": "auto",
        "prediction": {"type": "content", "content": "Hello"},
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "modalities": ["text"],
        "safety_identifier": "s",
        "user": "u",
        "metadata": {"a": "b", "n": 1},
    }
    done = CLIENT.chat.completions.with_raw_response.create(**PLAIN, extra_body=hints)
    for name in ("store", "service_tier", "prediction"):
        assert name in done.headers[IGNORED]


@case
def nulls_are_nothing() -> None:
    names = ("stop", "seed", "tools", "tool_choice", "response_format", "logit_bias", "functions")
    assert ask(extra_body=dict.fromkeys((*names, "audio", "web_search_options", "n")))


@case
def thinking_is_switched() -> None:
    for value in (True, False):
        assert ask(extra_body={"chat_template_kwargs": {"enable_thinking": value}})


@case
def a_template_is_never_taken() -> None:
    raises(
        openai.BadRequestError,
        "chat_template",
        lambda: ask(extra_body={"chat_template": "{{ x }}"}),
    )


@case
def fields_of_vllm() -> None:
    fields: dict[str, Any] = {
        "top_k": 5,
        "min_p": 0.1,
        "repetition_penalty": 1.1,
        "min_tokens": 2,
        "ignore_eos": True,
        "stop_token_ids": [7],
        "skip_special_tokens": False,
        "include_stop_str_in_output": True,
        "spaces_between_special_tokens": False,
    }
    for name, value in fields.items():
        assert ask(extra_body={name: value}), name


@case
def structured_outputs_of_vllm() -> None:
    for what in ({"choice": ["yes", "no"]}, {"regex": "[ab]{3}"}, {"json": {"type": "boolean"}}):
        assert ask(extra_body={"structured_outputs": what}).choices[0].message.content


@case
def old_names_are_refused_with_the_new_one() -> None:
    raises(
        openai.BadRequestError,
        "structured_outputs",
        lambda: ask(extra_body={"guided_choice": ["yes", "no"]}),
    )
    raises(openai.BadRequestError, "tools", lambda: ask(functions=[WEATHER["function"]]))


@case
def an_answer_that_goes_on() -> None:
    said = [*HELLO, {"role": "assistant", "content": "Well,"}]
    more = {"continue_final_message": True, "add_generation_prompt": False}
    assert ask(messages=said, extra_body=more)


@case
def log_probabilities() -> None:
    assert ask(logprobs=True, top_logprobs=3).choices[0].logprobs.content


@case
def several_choices_and_seeds() -> None:
    assert len(ask(n=3, seed=1, temperature=1.0).choices) == 3


@case
def five_stops() -> None:
    assert ask(stop=["a", "b", "c", "d", "e"])


if __name__ == "__main__":
    main("openai (Python), fields")
