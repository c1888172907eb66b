"""What keeps a document from being written."""

from __future__ import annotations


class NoMeaning(ValueError):
    """A key, a series, a header or a value without a word in the code on what it is."""
