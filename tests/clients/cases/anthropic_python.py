"""Anthropic's client: its route is not served yet, and its caller reads what is."""

from __future__ import annotations

import anthropic
from harness import API_KEY, BASE_URL, HELLO, MODEL, case, main, raises

CLIENT = anthropic.Anthropic(base_url=BASE_URL.removesuffix("/v1"), api_key=API_KEY, max_retries=0)


@case
def messages_name_what_to_use() -> None:
    raises(
        anthropic.NotFoundError,
        "/v1/chat/completions",
        lambda: CLIENT.messages.create(model=MODEL, messages=HELLO, max_tokens=4),
    )


@case
def a_stream_of_messages_names_it_too() -> None:
    def streamed() -> None:
        with CLIENT.messages.stream(model=MODEL, messages=HELLO, max_tokens=4) as stream:
            stream.get_final_message()

    raises(anthropic.NotFoundError, "/v1/chat/completions", streamed)


if __name__ == "__main__":
    main("anthropic (Python)")
