"""pydantic-ai, over chat completions: the Responses API is not served yet."""

from __future__ import annotations

from typing import Literal

from harness import API_KEY, BASE_URL, MODEL, case, main
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

CHAT = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=BASE_URL, api_key=API_KEY))
SHORT = {"max_tokens": 1024}


class Answer(BaseModel):
    city: Literal["Berlin", "Shanghai"]
    warm: bool


@case
def text() -> None:
    assert Agent(CHAT, model_settings=SHORT).run_sync("Hello").output


@case
def a_conversation() -> None:
    agent = Agent(CHAT, model_settings=SHORT, instructions="Be brief")
    first = agent.run_sync("Hello")
    assert agent.run_sync("And?", message_history=first.all_messages()).output


@case
async def streamed() -> None:
    async with Agent(CHAT, model_settings=SHORT).run_stream("Hello") as run:
        assert [part async for part in run.stream_text()]


@case
def structured_by_a_call() -> None:
    agent = Agent(CHAT, output_type=ToolOutput(Answer, strict=True), model_settings=SHORT)
    assert isinstance(agent.run_sync("Weather?").output, Answer)


@case
def structured_by_schema() -> None:
    agent = Agent(CHAT, output_type=NativeOutput(Answer), model_settings=SHORT)
    assert isinstance(agent.run_sync("Weather?").output, Answer)


if __name__ == "__main__":
    main("pydantic-ai")
