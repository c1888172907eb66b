"""What is said at ``/``: what this is, and how to call it. To a person as a page."""

from __future__ import annotations

import json
import re
from html import escape

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runtime.edge.html import page
from runtime.edge.route_not_found import CHAT
from runtime.version import VERSION

WHAT = "Self-hosted inference for open-weight models, with an OpenAI-compatible API."
HOST_CHARS_MAX = 128
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]+")
_KEY = "$BASELOAD_API_KEY"
_LINKS = {
    "/docs": "every route, field and error",
    "/v1/models": "the models that are served (needs the key)",
    "/ready": "whether a request would be served now",
    "/openapi.json": "the API as an OpenAPI document",
}


def welcome(request: Request, model: str) -> Response:
    """``model`` is one that is served, for the example."""
    base_url = _base_url(request)
    if "text/html" not in request.headers.get("accept", ""):
        links = {path.rpartition("/")[2].partition(".")[0]: path for path in _LINKS}
        said = {"name": "Baseload", "version": VERSION, "what": WHAT, "base_url": base_url, **links}
        return JSONResponse(said)
    items = "\n".join(
        f'<li><a href="{path}">{path}</a>: {meaning}</li>' for path, meaning in _LINKS.items()
    )
    return page(
        "Baseload",
        f"""<h1>Baseload</h1>
<p>{WHAT} <span class="quiet">Version {escape(VERSION)}.</span></p>
<p>Base URL for clients: <code>{escape(base_url)}</code></p>
<pre><code>{escape(_curl(base_url, model))}</code></pre>
<p class="quiet"><code>{_KEY}</code> stands for your API key.</p>
<ul>
{items}
</ul>""",
    )


def example(request: Request, model: str) -> str:
    """A call that works, but for its key."""
    return _curl(_base_url(request), model)


def _curl(base_url: str, model: str) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 64}
    url = base_url + CHAT.removeprefix("/v1")
    return (
        f"curl {url} \\\n  -H 'authorization: Bearer {_KEY}' \\\n"
        f"  -H 'content-type: application/json' \\\n  -d '{json.dumps(body)}'"
    ).replace(f"'authorization: Bearer {_KEY}'", f'"authorization: Bearer {_KEY}"')


def _base_url(request: Request) -> str:
    """As this visitor reaches it, unless what they say of it could not be an address."""
    host = request.headers.get("host", "")
    if len(host) > HOST_CHARS_MAX or not _HOST.fullmatch(host):
        return "/v1"
    forwarded = request.headers.get("x-forwarded-proto", "")
    scheme = forwarded if forwarded in ("http", "https") else request.url.scheme
    return f"{scheme}://{host}/v1"
