"""The keys of one model of the configuration, as rows of a table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cluster.enum_comments import NoMeaning
from models.config_values import WRITTEN
from runtime.edge.schema_html import kind

HEADS = ("key", "meaning", "values", "default", "unit")
NONE = "none"

# The first that is found in a key's name is its unit.
_UNITS = (
    (r"usd_per_hour", "USD per hour"),
    (r"score_per_usd", "score per USD"),
    (r"usd", "USD"),
    (r"requests_per_min", "requests per minute"),
    (r"tokens_per_min", "tokens per minute"),
    (r"_ms(_|$)", "ms"),
    (r"tok_s(_|$)", "tokens per second"),
    (r"_s(_|$)", "s"),
    (r"_days(_|$)", "days"),
    (r"tokens", "tokens"),
    (r"bytes", "bytes"),
    (r"blocks", "KV blocks"),
    (r"requests|in_flight|running|seqs", "requests"),
    (r"replicas", "replicas"),
    (r"schedulers", "Schedulers"),
    (r"load|occupancy|headroom|quality|overall", "share of 1"),
    (r"failures", "failures"),
    (r"attempts", "attempts"),
    (r"data_parallel", "ranks"),
    (r"pipeline_parallel", "stages"),
    (r"parallel|cards", "cards"),
)
_NUMBERS = ("integer", "number")
_CODE = re.compile(r"<code>(.*?)</code>")


def rows(
    model: type[BaseModel],
    *,
    without: frozenset[str] = frozenset(),
    places: Mapping[type[Any], str] | None = None,
) -> list[tuple[str, ...]]:
    """``places`` links models that have a table of their own."""
    schema = model.model_json_schema()
    models = {each.__name__: link for each, link in (places or {}).items()}
    found: list[tuple[str, ...]] = []
    for name, field in model.model_fields.items():
        if name in without:
            continue
        shape = _resolved(schema["properties"][name], schema.get("$defs", {}), models)
        found.append(
            (
                f"`{name}`",
                meaning(model, name),
                _values(shape),
                _shown(field),
                unit(name, shape),
            )
        )
    return found


def meaning(model: type[BaseModel], name: str) -> str:
    """What stands below the field, in one line."""
    text = " ".join((model.model_fields[name].description or "").split())
    if not text:
        raise NoMeaning(f"{model.__name__}.{name} has no meaning: write one below the field")
    return text.replace("|", "\\|")


def unit(name: str, schema: Mapping[str, Any]) -> str:
    """The unit of what is counted or measured; empty for all else."""
    kinds = [each.get("type") for each in schema.get("anyOf", [schema])]
    if not any(each in _NUMBERS for each in kinds):
        return ""
    return next((unit for pattern, unit in _UNITS if re.search(pattern, name)), "")


def _resolved(schema: Any, definitions: Mapping[str, Any], links: Mapping[str, str]) -> Any:
    """The schema without references: an enum in its place, a section as the link to it."""
    if isinstance(schema, list):
        return [_resolved(each, definitions, links) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name in links:
            return {"type": links[name]}
        return _resolved(definitions[name], definitions, links)
    return {key: _resolved(value, definitions, links) for key, value in schema.items()}


def _values(schema: Any) -> str:
    """In words, as Markdown."""
    text = _CODE.sub(r"`\1`", kind(_as_written(schema))).replace("object", "mapping")
    if names := schema.get("propertyNames", {}).get(WRITTEN):
        text += f"; keys: {names}"
    return unescape(text).replace("|", "\\|")


def _as_written(schema: Any) -> Any:
    """What has words of its own has them for a type."""
    if isinstance(schema, list):
        return [_as_written(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if WRITTEN in schema:
        shape = {**schema, "type": schema[WRITTEN]}
        shape.pop("pattern", None)  # says the same in signs
        return shape
    return {key: _as_written(value) for key, value in schema.items() if key != "default"}


def _default(field: FieldInfo) -> object:
    return field.get_default(call_default_factory=True, validated_data={})


def _shown(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = _default(field)
    return "as below" if isinstance(default, BaseModel) else _value(default)


def _value(value: object) -> str:
    match value:
        case None:
            return NONE
        case bool():
            return "`true`" if value else "`false`"
        case frozenset() | list() | dict() if value:
            return ", ".join(_listed(value))
        case frozenset() | list() | dict():
            return "empty"
    return f"`{value}`"


def _listed(values: Any) -> Iterator[str]:
    return (f"`{each}`" for each in sorted(values))
