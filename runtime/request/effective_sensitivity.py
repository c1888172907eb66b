"""How much protection a request needs: what its caller said, raised by what its text holds.

Nothing lowers it. Where the search cannot say, because it reached a bound, failed, or the prompt is
token ids, the request counts as one with personal data.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runtime.detect.personal_data import INCOMPLETE, Finding, find_personal_data
from runtime.request_limits import refusals
from runtime.wire.model_request import ModelRequest
from runtime.wire.tags import Tags, as_personal, is_personal

INLINE_CHARS_MAX = 8_192  # a longer text would hold the loop for a millisecond or more

log = logging.getLogger("baseload.protection")


@dataclass(frozen=True, slots=True)
class Protected:
    """``tags`` hold the sensitivity that counts; ``finding`` is None where nobody looked."""

    tags: Tags
    finding: Finding | None


async def protected(tags: Tags, request: ModelRequest) -> Protected:
    """Looks at all text of the request."""
    is_text = request.prompt_token_counts is None
    return await protected_by(tags, all_texts(request) if is_text else None)


async def protected_by(tags: Tags, texts: Iterable[str] | None) -> Protected:
    """``texts`` are all of a request, None of token ids. A long search is off the loop."""
    if is_personal(tags.sensitivity):
        return Protected(tags, None)  # nothing that is found could raise it
    # A vendor can read what is not text here.
    finding = INCOMPLETE if texts is None else await _looked_for(list(texts))
    if finding.is_personal:
        tags = as_personal(tags)
    return Protected(tags, finding)


async def _looked_for(texts: list[str]) -> Finding:
    if sum(map(len, texts)) > INLINE_CHARS_MAX:
        return await asyncio.to_thread(_find, texts)
    return _find(texts)


def all_texts(request: ModelRequest) -> Iterator[str]:
    """The conversation in its order, so that what is split over two parts meets; then the rest."""
    yield from request.texts()
    yield from request.other_texts()


def _find(texts: list[str]) -> Finding:
    try:
        return find_personal_data(texts)
    except Exception:  # a defect of ours must not let anything out
        refusals["detector_failed"] += 1
        log.exception("the search for personal data failed: its request counts as personal data")
        return INCOMPLETE
