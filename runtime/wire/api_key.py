"""Where the callers of an API put their key."""

from __future__ import annotations

from collections.abc import Mapping


def bearer_key(headers: Mapping[str, str]) -> str | None:
    """The key of ``Authorization: Bearer``; names of ``headers`` are found in lower case."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None
