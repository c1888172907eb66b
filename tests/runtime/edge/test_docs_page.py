"""What is documented of errors is what the code has."""

from __future__ import annotations

from pathlib import Path

from runtime.edge.docs_page import answered_errors

DOCS = Path(__file__).resolve().parents[3] / "docs" / "api.md"


def test_the_guide_has_every_error_and_no_other() -> None:
    _, _, section = DOCS.read_text().partition("\n## Errors\n")
    rows = [line for line in section.partition("\n## ")[0].splitlines() if "| `" in line]
    assert rows == [
        f"| {error.status} | `{error.code}` | {error.says} | "
        f"{'can help' if error.retryable else 'cannot help'} |"
        for error in answered_errors()
    ]
    assert len(rows) > 20
