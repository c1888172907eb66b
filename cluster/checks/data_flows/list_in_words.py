"""Lists of names in sentences: short ones whole, of long ones the first."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.checks.data_flows.tenant_kinds import ELSEWHERE
from scheduler.compliance.jurisdictions import GROUPS

NAMES_SHOWN, COUNTRIES_SHOWN = 8, 12


def some(names: Sequence[str], shown: int = NAMES_SHOWN) -> str:
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


def of_users(users_in: Sequence[str | None]) -> str:
    """The users, by the countries in which they are; those of a whole group go by its name."""
    named = {each for each in users_in if each is not None and each != ELSEWHERE}
    groups = []
    for group in ("eea", "eu"):
        if GROUPS[group] <= named:
            groups.append(f"the {group.upper()}")
            named -= GROUPS[group]
    places = some([*groups, *sorted(named)], COUNTRIES_SHOWN)
    said = (
        f"users in {places}" if places else "",
        "users elsewhere" if ELSEWHERE in users_in else "",
        "users of whom nobody says where" if None in users_in else "",
    )
    return " and ".join(each for each in said if each)


def counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
