"""The server under load: where it is, and what one request to it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

Api: TypeAlias = Literal["chat", "completions"]

OWN_FIELDS = ("model", "messages", "prompt", "max_tokens", "stream", "stream_options")
HIDDEN = "…"
TIMEOUT_S_MAX = 86_400
TEMPERATURE_MAX = 100


class BadLoad(ValueError):
    """A load that cannot be sent, in one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``base_url`` is what precedes /chat/completions. ``extra_body`` joins every request."""

    base_url: str
    model: str
    key: str | None = field(default=None, repr=False)
    api: Api = "chat"
    temperature: float = 0.0
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 600.0  # of one answer
    asks_cost: bool = True  # of a Baseload, what the answer was billed
    kept_headers: tuple[str, ...] = ()  # of the answers, in lower case

    def __post_init__(self) -> None:
        if taken := [name for name in self.extra_body if name in OWN_FIELDS]:
            raise BadLoad(f"--extra-body sets {', '.join(taken)}: these have their own options")
        if not 0 < self.timeout_s <= TIMEOUT_S_MAX:
            raise BadLoad(f"--timeout {self.timeout_s:g}: give seconds, above 0 to {TIMEOUT_S_MAX}")
        if not 0 <= self.temperature <= TEMPERATURE_MAX:
            raise BadLoad(f"--temperature {self.temperature:g}: give 0 to {TEMPERATURE_MAX}")

    @property
    def url(self) -> str:
        return self.base_url + ("/chat/completions" if self.api == "chat" else "/completions")

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine, so that this machine's meters are its meters."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    @property
    def headers(self) -> dict[str, str]:
        told = {"content-type": "application/json"}
        if self.asks_cost:  # who is no Baseload skips the header
            told["x-baseload-tell"] = "cost"
        return told if self.key is None else told | {"authorization": f"Bearer {self.key}"}

    def body(self, prompt: str, output_tokens: int) -> bytes:
        asked: dict[str, Any] = (
            {"messages": [{"role": "user", "content": prompt}]}
            if self.api == "chat"
            else {"prompt": prompt}
        )
        return json.dumps(
            {
                "model": self.model,
                **asked,
                "max_tokens": output_tokens,
                "temperature": self.temperature,
                "stream": True,
                "stream_options": {"include_usage": True},
                **self.extra_body,
            }
        ).encode()

    def without_key(self, text: str) -> str:
        """Servers repeat a wrong key in what they answer."""
        return text if not self.key else text.replace(self.key, HIDDEN)


def base_url(text: str) -> str:
    """The address with /v1 where it names a host only. Raises BadLoad."""
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port  # raises where it is no number
    except ValueError:
        is_usable = False
    if not is_usable:
        raise BadLoad(f"{text}: give an address as in http://127.0.0.1:8000/v1")
    if parts.username is not None or parts.query or parts.fragment:
        # It would be kept in the result, or be dropped without a word.
        raise BadLoad("the address holds more than host and path: a key belongs in --key-env")
    path = parts.path.rstrip("/")
    for ending in ("/chat/completions", "/completions"):
        path = path.removesuffix(ending)
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"
