"""What the caller of a route that does not exist most likely meant, and what to send instead.

Two mistakes make almost all of them: a base URL with too little or too much in front of a route
that exists, and an API of another server.
"""

from __future__ import annotations

from runtime.errors import RouteNotFound
from runtime.message_text import shown

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
ANTHROPIC_HEADER = b"anthropic-version"

_ROUTES = ("chat/completions", "completions", "models")
_USE_CHAT = f"Use POST {CHAT}, OpenAI's chat completions."
_TEXT_ONLY = "The models here read and write text: use POST " + CHAT + "."
_NO_STORE = (
    "Nothing is kept between requests here: send what belongs to a request with it, to POST "
    + CHAT
    + "."
)

# By the path's first part, without /v1 and /api.
_ELSEWHERE = {
    "responses": f"OpenAI's Responses API is not served yet. {_USE_CHAT}",
    "messages": f"Anthropic's Messages API is not served yet. {_USE_CHAT}",
    "complete": f"Anthropic's Text Completions API is not served. {_USE_CHAT}",
    "embeddings": "No embedding model is served here, only models that write text.",
    "rerank": "No embedding or reranking model is served here, only models that write text.",
    "score": "No scoring model is served here, only models that write text.",
    "pooling": "No pooling model is served here, only models that write text.",
    "classify": "No classifier is served here, only models that write text.",
    "moderations": f"No moderation model is served here. A model can be asked by POST {CHAT}.",
    "files": _NO_STORE,
    "uploads": _NO_STORE,
    "vector_stores": _NO_STORE,
    "conversations": _NO_STORE,
    "containers": _NO_STORE,
    "evals": _NO_STORE,
    "batches": (
        f"There is no batch API. Send each request to POST {CHAT} with the header "
        "x-baseload-deadline: it is served when there is room, until then."
    ),
    "images": _TEXT_ONLY,
    "videos": _TEXT_ONLY,
    "audio": _TEXT_ONLY,
    "realtime": f"The Realtime API is not served. {_USE_CHAT}",
    "assistants": f"The Assistants API is not served. {_USE_CHAT}",
    "threads": f"The Assistants API is not served. {_USE_CHAT}",
    "fine_tuning": "Models are served here, not trained.",
    "tokenize": "Use POST /tokenize, beside /v1 as in vLLM's server.",
    "detokenize": "Use POST /detokenize, beside /v1 as in vLLM's server.",
    "edits": f"The Edits API is not served. {_USE_CHAT}",
    "generate": f"Use POST {COMPLETIONS}, or POST {CHAT}.",
    "generate_stream": f'Use POST {COMPLETIONS} with "stream": true.',
    "chat": _USE_CHAT,
    "tags": "Use GET /v1/models.",
    "metrics": "Metrics are on a port of their own: telemetry.metrics_port in the configuration.",
    "version": "GET / tells the version.",
    "ping": "Use GET /live, or GET /ready.",
    "healthz": "Use GET /live, or GET /ready.",
}
_ANTHROPICS = frozenset({"messages", "complete"})


def route_not_found(path: str) -> RouteNotFound:
    parts = _without_prefix(path)
    rest = "/".join(parts)
    if not parts and path != "/":
        message = f"This is a base URL, for clients. See GET /v1/models, POST {CHAT} and /docs."
    elif parts[:1] == ["models"] or any(rest == r or rest.endswith(f"/{r}") for r in _ROUTES):
        route = next((r for r in _ROUTES if rest == r or rest.endswith(f"/{r}")), "models")
        message = (
            f"There is no route {shown(path)}. The client's base URL must end in one /v1, as in "
            f"https://this-server/v1, which makes this one /v1/{route}."
        )
    elif parts and parts[0] in _ELSEWHERE:
        message = f"There is no route {shown(path)}. {_ELSEWHERE[parts[0]]}"
    else:
        message = f"There is no route {shown(path)}. See /docs."
    return RouteNotFound(message)


def is_anthropics(path: str, headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the caller speaks Anthropic's API, and so would not find an error in OpenAI's."""
    return bool(_ANTHROPICS.intersection(_without_prefix(path)[:1])) or any(
        name == ANTHROPIC_HEADER for name, _ in headers
    )


def _without_prefix(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part]
    while parts and parts[0] in ("v1", "v2", "api", "openai", "inference"):
        del parts[0]
    return parts
