"""The types that every field of a request is made of, each with its bound.

Strict everywhere: "1" is not 1, and what is not declared is no field.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from runtime.request_limits import LIMITS

_PLAIN = r"^[^\x00-\x1f\x7f]*$"  # no control characters

Text = Annotated[str, Field(max_length=LIMITS.content_chars_max)]
Name = Annotated[str, Field(max_length=LIMITS.name_chars_max, pattern=_PLAIN)]
Title = Annotated[str, Field(min_length=1, max_length=LIMITS.name_chars_max, pattern=_PLAIN)]
FunctionName = Annotated[
    str, Field(min_length=1, max_length=LIMITS.tool_name_chars_max, pattern=_PLAIN)
]
Description = Annotated[str, Field(max_length=LIMITS.description_chars_max)]
Id = Annotated[str, Field(min_length=1, max_length=LIMITS.id_chars_max)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
TokenId = Annotated[int, Field(ge=0, le=LIMITS.token_id_max)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def broken(at: tuple[str | int, ...], says: str) -> PydanticCustomError:
    """A rule over several fields that does not hold at ``at``; ``says`` ends its sentence."""
    return PydanticCustomError("request", says, {"at": at})
