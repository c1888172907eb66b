"""What a configuration is made of, whichever room reads it: sections, and values with a unit."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from models.money import NanoUsd, format_usd, nano_usd_per_hour

WEEK_MS = 7 * 86_400_000
WRITTEN = "written"  # a keyword of ours in JSON Schemas


class ConfigSection(BaseModel):
    """Base of the sections of a configuration: immutable, no unknown keys.

    What stands below a field is its meaning in docs/config.md.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def written(how: str) -> Any:
    """How to write a value whose type alone does not tell, for docs/config.md."""
    return Field(json_schema_extra={WRITTEN: how})


Ms = Annotated[int, Field(ge=1, le=WEEK_MS)]
Share = Annotated[float, Field(gt=0, le=1)]
# Written as a decimal string, and shown as one.
UsdPerHour = Annotated[
    NanoUsd,
    BeforeValidator(nano_usd_per_hour),
    written('quoted decimal, such as "5.00"'),
    PlainSerializer(format_usd, return_type=str, when_used="json"),
]
