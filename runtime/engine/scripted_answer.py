"""What a scripted engine says: deterministic OpenAI answers in the shape that vLLM gives them."""

from __future__ import annotations

import json
from typing import Any

WORDS = ("the", " river", " turned", " its", " old", " wheel", " and", " she", " listened", ".")
TOKENS_DEFAULT = 16  # where the request names no bound, and the answer ends by itself
CHARS_PER_TOKEN = 4
WORD_ID = 1_000  # of the first word of an answer; each further one has the next id
CREATED_S = 1_790_000_000
DONE = b"data: [DONE]\n\n"


class ScriptedAnswer:
    """The whole answer to one request body, and its frames."""

    def __init__(self, body: dict[str, Any], *, is_chat: bool) -> None:
        self.model = body.get("model", "")
        self._is_chat = is_chat
        options = body.get("stream_options") or {}
        self._tells_usage = bool(options.get("include_usage"))
        self._tells_often = self._tells_usage and bool(options.get("continuous_usage_stats"))
        self._told = 0  # tokens of each choice so far
        self._tells_ids = bool(body.get("return_token_ids"))
        self._said = _words_said(body.get("prompt"))  # of an answer that the prompt ends with
        self.texts = prompt_texts(body)
        self.prompt_tokens = sum(1 + len(text) // CHARS_PER_TOKEN for text in self.texts)
        if self._said:
            self.prompt_tokens = len(body["prompt"])
        self.tokens: int = body.get("max_tokens", TOKENS_DEFAULT)
        self._finish = "length" if "max_tokens" in body else "stop"
        self.choices: int = body.get("n", 1) * (1 if is_chat else len(self.texts))

    def first(self) -> bytes:
        if not self._is_chat:
            return b""
        prompt_ids = {"prompt_token_ids": self._prompt_ids()} if self._tells_ids else {}
        return self._frame({"role": "assistant", "content": ""}, None, common=prompt_ids)

    def token(self, number: int) -> bytes:
        self._told = number + 1
        number += self._said
        ids: dict[str, Any] = {}
        if self._tells_ids:
            ids["token_ids"] = [WORD_ID + number]
            if not self._is_chat:
                ids["prompt_token_ids"] = self._prompt_ids() if self._told == 1 else None
        return self._frame({"content": WORDS[number % len(WORDS)]}, None, ids=ids)

    def _prompt_ids(self) -> list[int]:
        return list(range(1, self.prompt_tokens + 1))

    def last(self) -> bytes:
        """Finish reason, usage if it was asked for, and the end, in one step as vLLM sends them."""
        ids: dict[str, Any] = {"token_ids": []} if self._tells_ids else {}
        frames = self._frame({}, self._finish, ids=ids)
        if self._tells_usage:
            written = self.tokens * self.choices
            frames += event(
                {**self._common(".chunk"), "choices": [], "usage": self._usage(written)}
            )
        return frames + DONE

    def whole(self) -> bytes:
        text = "".join(WORDS[number % len(WORDS)] for number in range(self.tokens))
        message = {"role": "assistant", "content": text}
        told: dict[str, Any] = {"message": message} if self._is_chat else {"text": text}
        choices = [self._choice(index, told, self._finish) for index in range(self.choices)]
        usage = self._usage(self.tokens * self.choices)
        return json.dumps({**self._common(""), "choices": choices, "usage": usage}).encode()

    def _frame(
        self,
        delta: dict[str, str],
        finish: str | None,
        *,
        ids: dict[str, Any] | None = None,
        common: dict[str, Any] | None = None,
    ) -> bytes:
        told: dict[str, Any] = (
            {"delta": delta} if self._is_chat else {"text": delta.get("content", "")}
        )
        common = {**self._common(".chunk"), **(common or {})}
        if self._tells_often:
            common["usage"] = self._usage(self._told)
        return b"".join(
            event({**common, "choices": [{**self._choice(index, told, finish), **(ids or {})}]})
            for index in range(self.choices)
        )

    def _choice(self, index: int, told: dict[str, Any], finish: str | None) -> dict[str, Any]:
        return {"index": index, **told, "logprobs": None, "finish_reason": finish}

    def _common(self, suffix: str) -> dict[str, Any]:
        kind = "chat.completion" + suffix if self._is_chat else "text_completion"
        return {"id": "cmpl-scripted", "object": kind, "created": CREATED_S, "model": self.model}

    def _usage(self, written: int) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "total_tokens": self.prompt_tokens + written,
            "completion_tokens": written,
        }


def _words_said(prompt: Any) -> int:
    """Of token ids those at the end that are words of an answer."""
    ids = prompt if isinstance(prompt, list) and isinstance(prompt[0], int) else []
    return sum(each >= WORD_ID for each in ids)


def event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


def prompt_texts(body: dict[str, Any]) -> list[str]:
    """Every prompt as text; token ids are written as a list."""
    if "messages" in body:
        contents = [message.get("content") for message in body["messages"]]
    else:
        prompt = body.get("prompt", "")
        many = isinstance(prompt, list) and not isinstance(prompt[0], int)
        contents = prompt if many else [prompt]
    return [each if isinstance(each, str) else json.dumps(each) for each in contents]
