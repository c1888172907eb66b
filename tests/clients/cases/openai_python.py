"""The official OpenAI client for Python."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import openai
from harness import API_KEY, BASE_URL, FORCED, HELLO, MODEL, WEATHER, case, main, raises
from pydantic import BaseModel, Field

CLIENT = openai.OpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0)
PLAIN: dict[str, Any] = {"model": MODEL, "messages": HELLO, "max_tokens": 8}
FORCED_CALL: dict[str, Any] = PLAIN | {"tools": [WEATHER], "tool_choice": FORCED, "max_tokens": 512}


class Answer(BaseModel):
    city: Literal["Berlin", "Shanghai"]
    warm: bool


class Coded(BaseModel):
    code: str = Field(pattern=r"^[A-Z]{2}-\d{2}$")


def ask(**more: Any) -> Any:
    return CLIENT.chat.completions.create(**(PLAIN | more))


@case
def whole() -> None:
    assert ask().choices[0].message.content
    assert ask().usage.total_tokens > 0


@case
def streamed() -> None:
    chunks = list(ask(stream=True, stream_options={"include_usage": True}))
    assert any(chunk.choices and chunk.choices[0].delta.content for chunk in chunks)
    assert chunks[-1].usage.completion_tokens == 8


@case
def streamed_with_usage_throughout() -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    assert list(ask(stream=True, stream_options=options))[-1].usage.completion_tokens == 8


@case
def stream_helper() -> None:
    """It takes an answer that was cut off for an error."""
    choice = {"structured_outputs": {"choice": ["yes", "no"]}}
    with CLIENT.chat.completions.stream(**PLAIN, extra_body=choice) as stream:
        assert stream.get_final_completion().choices[0].message.content


@case
async def asynchronous() -> None:
    async with openai.AsyncOpenAI(base_url=BASE_URL, api_key=API_KEY) as client:
        stream = await client.chat.completions.create(**PLAIN, stream=True)
        assert [chunk async for chunk in stream]


@case
def parsed() -> None:
    done = CLIENT.chat.completions.parse(
        model=MODEL, messages=HELLO, response_format=Answer, max_tokens=512
    )
    assert isinstance(done.choices[0].message.parsed, Answer)


@case
def parsed_answers_are_sent_back() -> None:
    done = CLIENT.chat.completions.parse(
        model=MODEL, messages=HELLO, response_format=Answer, max_tokens=512
    )
    assert ask(messages=[*HELLO, done.choices[0].message, *HELLO])
    assert ask(messages=[*HELLO, done.choices[0].message.model_dump(), *HELLO])


@case
def a_pattern_in_a_schema() -> None:
    done = CLIENT.chat.completions.parse(
        model=MODEL, messages=HELLO, response_format=Coded, max_tokens=512
    )
    assert done.choices[0].message.parsed


@case
def a_pattern_in_a_tool() -> None:
    tool = openai.pydantic_function_tool(Coded)
    assert ask(tools=[tool], tool_choice="auto")
    assert ask(tools=[tool], tool_choice="required", max_tokens=512)


@case
def formats_in_a_schema() -> None:
    class Dated(BaseModel):
        at: datetime
        of: UUID

    schema = {"name": "Dated", "schema": Dated.model_json_schema()}
    assert ask(response_format={"type": "json_schema", "json_schema": schema})


@case
def a_title_with_spaces() -> None:
    schema = {"name": "The answer: v1/a", "schema": Answer.model_json_schema()}
    assert ask(response_format={"type": "json_schema", "json_schema": schema})


@case
def json_mode() -> None:
    assert ask(response_format={"type": "json_object"})


@case
def a_forced_call_and_its_result() -> None:
    message = CLIENT.chat.completions.create(**FORCED_CALL).choices[0].message
    (call,) = message.tool_calls
    assert call.function.name == "weather"
    result = {"role": "tool", "tool_call_id": call.id, "content": "warm"}
    assert ask(messages=[*HELLO, message, result], tools=[WEATHER])
    assert ask(messages=[*HELLO, message.model_dump(), result], tools=[WEATHER])


@case
def a_streamed_call_that_is_sent_back_with_its_index() -> None:
    calls: dict[int, dict[str, Any]] = {}
    for chunk in CLIENT.chat.completions.create(**FORCED_CALL, stream=True):
        for part in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            call = calls.setdefault(part.index, {"function": {"name": "", "arguments": ""}})
            call |= {"index": part.index, "type": "function"} | ({"id": part.id} if part.id else {})
            call["function"]["name"] += part.function.name or ""
            call["function"]["arguments"] += part.function.arguments or ""
    assert calls
    said = {"role": "assistant", "content": None, "tool_calls": list(calls.values())}
    result = {"role": "tool", "tool_call_id": calls[0]["id"], "content": "warm"}
    assert ask(messages=[*HELLO, said, result], tools=[WEATHER])


@case
def parsed_arguments_are_sent_back() -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "weather", "arguments": "{}", "parsed_arguments": {"a": 1}},
    }
    said = {"role": "assistant", "content": None, "tool_calls": [call], "parsed": None}
    result = {"role": "tool", "tool_call_id": "c1", "content": "warm"}
    assert ask(messages=[*HELLO, said | {"provider_specific_fields": {"x": 1}}, result])


@case
def a_long_tool_description() -> None:
    """A coding agent's has 9,242 characters; here the model's context ends before."""
    function = WEATHER["function"] | {"description": "x" * 9_242}
    try:
        ask(tools=[{"type": "function", "function": function}])
    except openai.BadRequestError as error:
        if error.code != "context_length_exceeded":
            raise


@case
def an_answer_that_was_cut_off_while_thinking() -> None:
    thought = {"role": "assistant", "content": None, "reasoning_content": "hm"}
    assert ask(messages=[*HELLO, thought, *HELLO])


@case
def the_newer_name_of_the_bound() -> None:
    done = CLIENT.chat.completions.create(model=MODEL, messages=HELLO, max_completion_tokens=4)
    assert done.usage.completion_tokens <= 4


@case
def many_prompts_at_once() -> None:
    done = CLIENT.completions.create(model=MODEL, prompt=["Hello"] * 32, max_tokens=2)
    assert len(done.choices) == 32


@case
def token_ids_and_plain_fields_of_completions() -> None:
    more: dict[str, Any] = {"best_of": 1, "suffix": None, "echo": False}
    assert CLIENT.completions.create(model=MODEL, prompt=[1, 2, 3], max_tokens=2, extra_body=more)


@case
def models_and_one_model() -> None:
    named = [MODEL, "tiny-moe-plus", "auto", "drafts", "everything"]
    assert [each.id for each in CLIENT.models.list()] == named
    assert CLIENT.models.retrieve(MODEL).id == MODEL
    raises(openai.NotFoundError, MODEL, lambda: CLIENT.models.retrieve("no-such"))


@case
def a_request_is_found_again() -> None:
    done = CLIENT.chat.completions.with_raw_response.create(
        **PLAIN, extra_headers={"X-Client-Request-Id": "mine-1"}
    )
    assert done.headers["x-client-request-id"] == "mine-1"
    assert done.parse()._request_id.startswith("req-")


@case
def responses_name_what_to_use() -> None:
    raises(
        openai.NotFoundError,
        "/v1/chat/completions",
        lambda: CLIENT.responses.create(model=MODEL, input="Hello"),
    )


@case
def embeddings_are_refused_in_words() -> None:
    raises(
        openai.NotFoundError, "embeddings", lambda: CLIENT.embeddings.create(model=MODEL, input="x")
    )


@case
def a_wrong_key_a_wrong_model_a_wrong_type() -> None:
    raises(
        openai.AuthenticationError, "key", lambda: CLIENT.with_options(api_key="x").models.list()
    )
    raises(openai.NotFoundError, MODEL, lambda: ask(model="gpt-nothing"))
    raises(openai.BadRequestError, "temperature", lambda: ask(temperature="warm"))


if __name__ == "__main__":
    main("openai (Python)")
