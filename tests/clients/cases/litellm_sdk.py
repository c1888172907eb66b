"""LiteLLM's SDK, as an OpenAI-compatible and as a hosted vLLM endpoint."""

from __future__ import annotations

from typing import Any

import litellm
from harness import API_KEY, BASE_URL, FORCED, HELLO, MODEL, WEATHER, case, main

PLAIN: dict[str, Any] = {"api_base": BASE_URL, "api_key": API_KEY, "max_tokens": 512}
litellm.suppress_debug_info = True


def ask(provider: str = "openai", **more: Any) -> Any:
    asked = {"model": f"{provider}/{MODEL}", "messages": HELLO, "num_retries": 0}
    return litellm.completion(**(PLAIN | asked | more))


@case
def whole() -> None:
    assert ask().choices[0].message.content


@case
def as_hosted_vllm() -> None:
    assert ask("hosted_vllm").choices[0].message.content


@case
def streamed() -> None:
    assert list(ask(stream=True, stream_options={"include_usage": True}))[-1].usage


@case
async def asynchronous() -> None:
    done = await litellm.acompletion(model=f"openai/{MODEL}", messages=HELLO, **PLAIN)
    assert done.choices[0].message.content


@case
def an_answer_is_sent_back_as_it_is_kept() -> None:
    """LiteLLM adds `provider_specific_fields` to messages."""
    message = ask().choices[0].message
    assert ask(messages=[*HELLO, message.model_dump(), *HELLO])


@case
def a_call_and_its_result() -> None:
    message = ask(tools=[WEATHER], tool_choice=FORCED).choices[0].message
    (call,) = message.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": "warm"}
    assert ask(messages=[*HELLO, message.model_dump(), result], tools=[WEATHER])


@case
def metadata_and_hints() -> None:
    assert ask(metadata={"n": "1"}, user="u", extra_body={"top_k": 3})


@case
def text_completion() -> None:
    done = litellm.text_completion(model=f"text-completion-openai/{MODEL}", prompt="x", **PLAIN)
    assert done.choices[0].text


if __name__ == "__main__":
    main("LiteLLM")
