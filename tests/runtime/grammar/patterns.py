"""What schema libraries write: Zod 4.6's ``z.toJSONSchema`` of each of its formats, and patterns
that pydantic passes on from ``Field(pattern=...)``."""

from __future__ import annotations

from typing import Any

# Of Zod's formats, those that engines hold by themselves.
FORMATS = frozenset({"email", "date", "date-time", "duration", "hostname", "ipv4", "ipv6", "uuid"})
PYDANTIC = (
    r"^\d{3}-\d{2}-\d{4}$",
    r"^[A-Z]{2,3}\d+$",
    r"^\+?[0-9\s\-()]{7,20}$",
    r"^#(?:[0-9a-fA-F]{3}){1,2}$",
    r"^(?P<major>\d+)\.(?P<minor>\d+)$",
    r"^[^\s@]+@[^\s@]+\.[^\s@]+$",
    r"foo|bar",
    r"[\u4e00-\u9fff]+",
)


def _text(pattern: str, **fields: Any) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern, **fields}


ZOD: dict[str, dict[str, Any]] = {
    "email": _text(
        r"^(?:[A-Za-z0-9_'+\-]+\.)*[A-Za-z0-9_'+\-]*[A-Za-z0-9_+-]@(?:[A-Za-z0-9][A-Za-z0-"
        r"9\-]*\.)+[A-Za-z]{2,}$",
        format="email",
    ),
    "uuid": _text(
        r"^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a"
        r"-fA-F]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffff"
        r"ffff)$",
        format="uuid",
    ),
    "guid": _text(
        r"^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})$",
        format="uuid",
    ),
    "datetime": _text(
        r"^(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-0"
        r"2-29|\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]"
        r"|[12]\d|30)|(?:02)-(?:0[1-9]|1\d|2[0-8])))T(?:(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d("
        r"?:\.\d+)?(?:Z))$",
        format="date-time",
    ),
    "datetime_offset": _text(
        r"^(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-0"
        r"2-29|\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]"
        r"|[12]\d|30)|(?:02)-(?:0[1-9]|1\d|2[0-8])))T(?:(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d("
        r"?:\.\d+)?(?:Z|([+-](?:[01]\d|2[0-3]):[0-5]\d)))$",
        format="date-time",
    ),
    "date": _text(
        r"^(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-0"
        r"2-29|\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]"
        r"|[12]\d|30)|(?:02)-(?:0[1-9]|1\d|2[0-8])))$",
        format="date",
    ),
    "time": _text(r"^(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?$"),
    "duration": _text(
        r"^P(?:(\d+W)|(?!.*W)(?=\d|T\d)(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+([.,"
        r"]\d+)?S)?)?)$",
        format="duration",
    ),
    "ipv4": _text(
        r"^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])\.){3}(?:25[0-5]|2[0-4]["
        r"0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])$",
        format="ipv4",
    ),
    "ipv6": _text(
        r"^(([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:|([0-9a-fA-F]{"
        r"1,4}:){1,6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}|(["
        r"0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}|([0-9a-fA-F]{1,4}:){1,3}(:[0-9a-f"
        r"A-F]{1,4}){1,4}|([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}|[0-9a-fA-F]{1,4"
        r"}:((:[0-9a-fA-F]{1,4}){1,6})|:((:[0-9a-fA-F]{1,4}){1,7}|:))$",
        format="ipv6",
    ),
    "cidrv4": _text(
        r"^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1"
        r"[0-9][0-9]|[1-9][0-9]|[0-9])\/([0-9]|[1-2][0-9]|3[0-2])$",
        format="cidrv4",
    ),
    "cuid": _text(r"^[cC][0-9a-z]{6,}$", format="cuid"),
    "cuid2": _text(r"^[0-9a-z]+$", format="cuid2"),
    "ulid": _text(r"^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$", format="ulid"),
    "nanoid": _text(r"^[a-zA-Z0-9_-]{21}$", format="nanoid"),
    "base64": _text(
        r"^$|^(?:[0-9a-zA-Z+/]{4})*(?:(?:[0-9a-zA-Z+/]{2}==)|(?:[0-9a-zA-Z+/]{3}=))?$",
        format="base64",
        contentEncoding="base64",
    ),
    "base64url": _text(
        r"^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?$",
        format="base64url",
        contentEncoding="base64url",
    ),
    "e164": _text(r"^\+[1-9]\d{6,14}$", format="e164"),
    "hostname": _text(
        r"^(?=.{1,253}\.?$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?"
        r":[-0-9a-zA-Z]{0,61}[0-9a-zA-Z])?)*\.?$",
        format="hostname",
    ),
    "regex": _text(r"^[A-Z]{2}\d+$"),
    "regex_len": _text(r"^[A-Z]+$", minLength=2, maxLength=5),
    "starts": _text(r"^ab\.c.*", format="starts_with"),
    "incl": _text(r"x", format="includes"),
    "ends": _text(r".*y$", format="ends_with"),
    "lower": _text(r"^[^A-Z]*$", format="lowercase"),
    "upper": _text(r"^[^a-z]*$", format="uppercase"),
    "tmpl": _text(r"^a-?\d+(?:\.\d+)?b$"),
    "rec": {
        "type": "object",
        "propertyNames": {"type": "string", "pattern": "^k"},
        "additionalProperties": {"type": "number"},
    },
    "mac": _text(
        r"^(?:[0-9A-F]{2}:){5}[0-9A-F]{2}$|^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$", format="mac"
    ),
    "iban": _text(r"^[A-Z]{2}(?!00|01|99)\d{2}[A-Z0-9]{11,30}$", format="iban"),
}
