"""What a tenant's configuration says about the tags of its requests, and the tags that follow.

Whoever sends a request may raise its protection and never lower it. The country of its user follows
from the key, and only a key that is marked as an edge, a server that knows its users, may say it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from runtime.errors import BadRequest
from runtime.wire.tags import NO_TAGS, Sensitivity, Tags, header_of, parse_tags, stricter

REGION_HEADER = header_of("region")
SENSITIVITY_HEADER = header_of("sensitivity")


@dataclass(frozen=True, slots=True)
class TagTerms:
    """``required`` holds field names of Tags, ``home`` is the country of the tenant's users. No
    default is below the ``floor``."""

    defaults: Tags = NO_TAGS
    required: frozenset[str] = frozenset()
    floor: Sensitivity = Sensitivity.PUBLIC
    home: str | None = None
    is_edge: bool = False

    def said(self, headers: Iterable[tuple[str, str]], tenant: str) -> Tags:
        """The tags that a request of this tenant says, or its defaults."""
        tags = parse_tags(headers, tenant=tenant, defaults=self.defaults, required=self.required)
        if tags.region is not None and not (self.is_edge or tags.region == self.home):
            raise BadRequest(
                f"The header `{REGION_HEADER}` may only be sent with a key that is marked as an "
                "edge: the country of this key's users stands in the configuration.",
                param=REGION_HEADER,
            )
        return tags

    def raised(self, said: Tags) -> Tags:
        """The tags with at least the protection that the tenant asks for."""
        sensitivity = stricter(said.sensitivity, self.floor)
        return said if sensitivity is said.sensitivity else replace(said, sensitivity=sensitivity)


NO_TERMS = TagTerms()


def without_effect(said: Tags, raised: Tags) -> tuple[str, ...]:
    """Headers that change nothing: a sensitivity below the floor."""
    return () if said.sensitivity is raised.sensitivity else (SENSITIVITY_HEADER,)
