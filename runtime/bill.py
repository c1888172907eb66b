"""What an attempt's ending says of its tokens, and who says it."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.http.usage import Usage


@dataclass(frozen=True, slots=True)
class Bill:
    """Counts are None where nobody reported them."""

    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    source: str  # "target", "frames" or "none"
    note: str = ""  # for a reader: what was not taken as it was told

    @classmethod
    def of(cls, usage: Usage | None, frames: int = 0) -> Bill:
        """What the target reported; else the frames that it sent, if any."""
        if usage is None:
            return cls(None, None, frames, "frames") if frames else cls(None, None, None, "none")
        output = usage.output_tokens
        note = ""
        if output != usage.completion_tokens:
            note = f"{usage.completion_tokens} completion tokens told beside reasoning or a total"
        return cls(usage.prompt_tokens, usage.cached_tokens, output, "target", note)
