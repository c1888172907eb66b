"""LangChain's ChatOpenAI."""

from __future__ import annotations

from typing import Literal

from harness import API_KEY, BASE_URL, MODEL, case, main
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

CHAT = ChatOpenAI(base_url=BASE_URL, api_key=API_KEY, model=MODEL, max_tokens=512, max_retries=0)


@tool
def weather(city: Literal["Berlin", "Shanghai"]) -> str:
    """The weather of a city."""
    return f"warm in {city}"


class Answer(BaseModel):
    city: Literal["Berlin", "Shanghai"]
    warm: bool


@case
def invoked() -> None:
    said = CHAT.invoke([SystemMessage("Be brief"), HumanMessage("Hello")])
    assert said.content
    assert said.usage_metadata["output_tokens"] > 0


@case
def streamed() -> None:
    assert "".join(str(part.content) for part in CHAT.stream("Hello"))


@case
async def in_a_batch() -> None:
    assert len(await CHAT.abatch(["Hello", "again"])) == 2


@case
def an_answer_is_sent_back() -> None:
    said = CHAT.invoke("Hello")
    assert CHAT.invoke([HumanMessage("Hello"), said, HumanMessage("And?")]).content


@case
def structured_by_schema() -> None:
    assert isinstance(CHAT.with_structured_output(Answer, method="json_schema").invoke("x"), Answer)


@case
def structured_by_a_call() -> None:
    """Strict: else an engine may fill a call with any JSON, and random weights do."""
    forced = CHAT.with_structured_output(Answer, method="function_calling", strict=True)
    made = forced.invoke("x")
    assert isinstance(made, Answer)


@case
def a_call_and_its_result() -> None:
    said = CHAT.bind_tools([weather], tool_choice="weather", strict=True).invoke("Weather?")
    assert isinstance(said, AIMessage)
    (call,) = said.tool_calls
    result = ToolMessage("warm", tool_call_id=call["id"])
    assert CHAT.bind_tools([weather]).invoke([HumanMessage("Weather?"), said, result])


@case
def extra_fields() -> None:
    assert CHAT.bind(extra_body={"top_k": 3}, stop=["x"]).invoke("Hello")


if __name__ == "__main__":
    main("LangChain")
