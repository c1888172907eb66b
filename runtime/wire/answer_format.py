"""The form that an answer is to have, and what a target compiles to hold it to that."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import Field

from runtime.grammar.constraint import Constraint, Path
from runtime.grammar.fit_schema import Unfit, fit
from runtime.grammar.trivial_schemas import plain_nodes
from runtime.request_limits import LIMITS
from runtime.wire.field_types import Description, Strict, Title, broken
from runtime.wire.json_schema import SchemaCheck

Choice = Annotated[str, Field(min_length=1, max_length=LIMITS.choice_chars_max)]
Regex = Annotated[str, Field(max_length=LIMITS.pattern_chars_max, pattern=r"^[^\x00]*$")]

_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")  # what vendors refuse in a schema's name
_VENDOR_CHARS_MAX = 64


class AnswerSchema(Strict):
    name: Title
    description: Description | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(Strict):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: AnswerSchema | None = None


class StructuredOutputs(Strict):
    """vLLM's own way to hold an answer to a form: exactly one of them."""

    json_: dict[str, Any] | None = Field(None, alias="json")
    regex: Regex | None = None
    choice: (
        Annotated[
            list[Choice], Field(fail_fast=True, min_length=1, max_length=LIMITS.choices_listed_max)
        ]
        | None
    ) = None
    json_object: Literal[True] | None = None


def is_held(form: ResponseFormat | None, outputs: StructuredOutputs | None) -> bool:
    """Whether a grammar holds the answer to a form."""
    return outputs is not None or (form is not None and form.type != "text")


class Compiled:
    """Collects, while a request is parsed, what a target would compile of it.

    ``fitted`` are schemas as an engine gets them, by their place in the request, where they
    differ from what was sent; ``left_out`` names what they lack. ``constraints`` have to be
    checked before an engine sees them: all but the plain ones, as long as there are few.
    """

    def __init__(self) -> None:
        self._bounds = SchemaCheck()
        self._plain_nodes = 0
        self.fitted: list[tuple[Path, dict[str, Any]]] = []
        self.left_out: dict[str, None] = {}
        self.constraints: list[Constraint] = []

    def bound(self, schema: dict[str, Any], at: Path) -> None:
        fault = self._bounds.fault(schema)
        if fault is not None:
            raise broken(at, fault)

    def add(self, schema: dict[str, Any], at: Path) -> None:
        """A schema that has been bounded."""
        try:
            fitted = fit(schema)
        except Unfit as unfit:
            raise broken((*at, *unfit.at), unfit.says) from None
        if fitted.schema is not schema:
            self.fitted.append((at, fitted.schema))
        if fitted.left_out:
            name = ".".join(step for step in at if isinstance(step, str))
            self.left_out |= {f"{name}.{keyword}": None for keyword in fitted.left_out}
        left = LIMITS.plain_schema_nodes_max - self._plain_nodes
        if (nodes := plain_nodes(fitted.schema, left)) is not None:
            self._plain_nodes += nodes
        else:
            text = json.dumps(fitted.schema)
            self.constraints.append(Constraint("json", text, at, fitted.patterns))

    def add_format(self, form: ResponseFormat) -> None:
        at = ("response_format", "json_schema")
        if (form.type == "json_schema") != (form.json_schema is not None):
            raise broken(at, "must be sent when type is 'json_schema', and only then")
        if form.json_schema is not None:
            self.bound(form.json_schema.schema_, (*at, "schema"))
            self.add(form.json_schema.schema_, (*at, "schema"))

    def add_outputs(self, outputs: StructuredOutputs) -> None:
        at = ("structured_outputs",)
        told = (outputs.json_, outputs.regex, outputs.choice, outputs.json_object)
        if sum(each is not None for each in told) != 1:
            raise broken(at, "must have one of json, regex, choice and json_object")
        if outputs.json_ is not None:
            self.bound(outputs.json_, (*at, "json"))
            self.add(outputs.json_, (*at, "json"))
        if outputs.choice is not None:
            self.bound({"enum": outputs.choice}, (*at, "choice"))
        if outputs.regex is not None:
            self.constraints.append(Constraint("regex", outputs.regex, (*at, "regex")))


def for_vendor(form: dict[str, Any]) -> None:
    """A schema's name is a label, and vendors take fewer signs in it than engines."""
    schema = form.get("json_schema")
    if schema is not None:
        schema["name"] = _FOREIGN.sub("_", schema["name"])[:_VENDOR_CHARS_MAX]
