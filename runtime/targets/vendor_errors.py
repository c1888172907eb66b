"""What a vendor's own name for an error means, where its documentation says so.

A status says little where vendors differ: a 429 can be a limit that passes or an account without
money, a 403 a key without rights or a prompt that was found offensive, and some tell an error
under a status of 200. The name is what they document.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.vendors import Meaning, VendorTerms


def meaning_of(terms: VendorTerms | None, told: dict[str, Any]) -> Meaning | None:
    """The meaning of a refusal, or of an answer that is one; None where it tells no name that is
    known. The closest name decides."""
    if terms is None or not terms.errors:
        return None
    return next((terms.errors[name] for name in _names(told) if name in terms.errors), None)


def _names(told: dict[str, Any]) -> Iterator[str]:
    """From the closest on: what stands in an error's details, its code, its type. A key of its
    metadata is a name as well, for what is told by its presence."""
    for place in (told.get("error"), told.get("base_resp"), told):
        if not isinstance(place, dict):
            continue
        details, metadata = place.get("details"), place.get("metadata")
        if isinstance(details, dict):
            yield _name(details.get("error_code"))
        if isinstance(metadata, dict):
            yield from (f"metadata.{key}" for key in metadata)
        yield from (_name(place.get(key)) for key in ("code", "status_code", "type"))


def _name(value: Any) -> str:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number or isinstance(value, str) else ""
