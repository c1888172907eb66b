"""``/docs``: the OpenAPI document and the errors as one page that can be read anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from runtime.edge.schema_html import Schema, anchor, kind
from runtime.errors import BaseloadError, CapacityError, ConfigError, RequestError
from runtime.feedback_errors import FeedbackRefused

METHODS = ("get", "post")
JSON = "application/json"

# The one stops a start; of the others only the kinds of them are raised.
_NEVER_ANSWERED = (ConfigError, RequestError, CapacityError)
_ANSWERED = (BaseloadError.__module__, FeedbackRefused.__module__)  # files with errors for callers

Row = tuple[str, ...]


def docs_body(document: dict[str, Any], example: str) -> str:
    """``example`` is a call that works, but for its key."""
    info = document["info"]
    operations = list(_operations(document))
    return "\n".join(
        [
            f"<h1>{escape(info['title'])}</h1>",
            f'<p>{escape(info["description"])} <span class="quiet">Version '
            f"{escape(info['version'])}.</span></p>",
            f"<pre><code>{escape(example)}</code></pre>",
            "<ul>",
            *(
                f'<li><a href="#{_place(method, path)}"><code>{_title(method, path)}</code></a>: '
                f"{escape(operation['summary'])}</li>"
                for method, path, operation in operations
            ),
            '<li><a href="#errors">Errors</a></li>',
            '<li><a href="/openapi.json">The same as an OpenAPI document</a></li>',
            "</ul>",
            *(_operation(*each) for each in operations),
            *_schemas(document["components"]["schemas"]),
            _errors(),
        ]
    )


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield method, path, methods[method]


def _title(method: str, path: str) -> str:
    return escape(f"{method.upper()} {path}")


def _place(method: str, path: str) -> str:
    return escape(f"{method}{path}".replace("/", "-"))


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [
        f'<h2 id="{_place(method, path)}"><code>{_title(method, path)}</code></h2>',
        f"<p>{escape(operation['summary'])}."
        f"{' <b>Needs an API key.</b>' if operation.get('security') else ''}</p>",
    ]
    body = operation.get("requestBody")
    if body:
        parts += ["<h3>Body, JSON</h3>", _fields(body["content"][JSON]["schema"])]
    if parameters := operation.get("parameters"):
        rows = [(_code(each["name"]), escape(each.get("description", ""))) for each in parameters]
        parts += ["<h3>Headers and path</h3>", _table(("Name", "What it may be"), rows)]
    told = operation["responses"]["200"].get("headers", {})
    if told:
        rows = [(_code(name), escape(each["description"])) for name, each in told.items()]
        parts += ["<h3>Headers of the answer</h3>", _table(("Name", "Meaning"), rows)]
    return "\n".join(parts)


def _fields(schema: Schema) -> str:
    required = schema.get("required", ())
    rows = [
        (
            _code(name) + ("" if name not in required else " <b>required</b>"),
            kind(field),
            escape(field.get("description", "")),
        )
        for name, field in schema.get("properties", {}).items()
    ]
    rows.sort(key=lambda row: "<b>required</b>" not in row[0])
    return _table(("Field", "What it may be", ""), rows)


def _schemas(schemas: dict[str, Schema]) -> Iterator[str]:
    for name, schema in schemas.items():
        yield f'<h2 id="{anchor(name)}">{escape(name)}</h2>'
        yield _fields(schema) if "properties" in schema else f"<p>{kind(schema)}</p>"


def _errors() -> str:
    rows = [
        (
            str(error.status),
            _code(error.code),
            escape(error.says),
            "can help" if error.retryable else "cannot help",
        )
        for error in answered_errors()
    ]
    return '<h2 id="errors">Errors</h2>\n' + _table(
        ("Status", "Code", "Meaning", "Trying again"), rows
    )


def answered_errors() -> list[type[BaseloadError]]:
    """Every kind of error that a client may be told, by status and code."""
    return sorted(set(_leaves(BaseloadError)), key=lambda error: (error.status, error.code))


def _leaves(kind: type[BaseloadError]) -> Iterator[type[BaseloadError]]:
    for each in kind.__subclasses__():
        if each.__module__ not in _ANSWERED:  # of a start that failed
            continue
        if "code" in vars(each) and each not in _NEVER_ANSWERED:
            yield each
        yield from _leaves(each)


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = ['<div class="wide"><table>', "<thead>" + _row(head, "th") + "</thead>", "<tbody>"]
    return "\n".join([*lines, *(_row(row, "td") for row in rows), "</tbody></table></div>"])


def _row(cells: Row, tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"
