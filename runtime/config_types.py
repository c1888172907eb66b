"""What the single values of a configuration may be, and refusals that say what to write instead.

Validators of what could be a secret never repeat it.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from models.config_values import written
from runtime.cors_origin import origin
from runtime.key_hash import KEY_HASH
from runtime.request_limits import LIMITS

TENANT_BYTES_MAX = 128

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*")  # as in a request
_FORWARDED = re.compile(r"[!-~]+")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError(
            "expected the name of an environment variable, in capitals such as "
            "DEEPINFRA_API_KEY; the key itself never stands in this file"
        )
    return name


def _key_hash(digest: str) -> str:
    if KEY_HASH.fullmatch(digest):
        return digest
    if KEY_HASH.fullmatch(digest.lower()):
        raise ValueError("expected lower-case hex digits, got capitals")
    if re.fullmatch(r"[0-9A-Fa-f]+", digest):
        raise ValueError(f"expected the 64 hex digits of a SHA-256, got {len(digest)}")
    raise ValueError(
        "expected the SHA-256 of a key in 64 hex digits, which `baseload key` prints beside the "
        "key; if a key stands here, make a new one: this one has been written down"
    )


def _listed(digests: Any) -> Any:
    """One alone is the most likely slip, and it may be the key itself."""
    if not isinstance(digests, str):
        return digests
    try:
        _key_hash(digests)
    except ValueError as error:
        raise ValueError(f"expected a list, key_sha256: [<hash>]; {error}") from None
    raise ValueError("expected a list: write key_sha256: [<hash>]")


def _base_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("expected http(s)://host[:port]/path with a valid host and port") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("expected http(s)://host[:port]/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a base_url may not hold a user or a password: see key_env")
    if "?" in url or "#" in url:
        raise ValueError("a base_url may not hold a query or a fragment: no ? and no #")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("a base_url may hold printable ASCII only, and no space")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("a base_url must be https, unless the host is this machine")
    return url


def _host(name: str) -> str:
    if _is_ipv6(name):
        raise ValueError("expected an IPv4 address or a host name: IPv6 is not served here")
    return _any_host(name)


def _any_host(name: str) -> str:
    if not (_HOST.fullmatch(name) or _is_ipv6(name)) or len(name) > 253:
        raise ValueError("expected an address or a host name, without scheme, port or path")
    return name


def _is_ipv6(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).version == 6
    except ValueError:
        return False


def _tenant(name: str) -> str:
    if not name.isprintable() or name != name.strip() or not name:
        raise ValueError("expected a printable name with no space at its ends")
    if len(name.encode()) > TENANT_BYTES_MAX:
        raise ValueError(f"expected a name of at most {TENANT_BYTES_MAX} bytes")
    return name


def _forwarded(name: str) -> str:
    """It stands in headers of answers."""
    if not _FORWARDED.fullmatch(name):
        raise ValueError("expected printable ASCII without a space")
    return name


def _provider(name: str) -> str:
    if "/" in name:
        raise ValueError("expected a name without a slash, as in models/data/prices.yaml")
    return _forwarded(name)


def _prices_file(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError("expected the whole path of a file, from / on")
    return path


def _model(name: str) -> str:
    """Of what no request could name, no offer is of use."""
    if not _MODEL.fullmatch(name) or len(name) > LIMITS.model_chars_max:
        raise ValueError(
            f"expected the name of a model, at most {LIMITS.model_chars_max} of A-Z a-z 0-9 . _ : "
            "/ @ + -, a letter or digit first"
        )
    return name


Port = Annotated[int, Field(ge=1, le=65_535)]
Host = Annotated[str, AfterValidator(_host), written("IPv4 address or host name")]
AnyHost = Annotated[str, AfterValidator(_any_host), written("IP address or host name")]
BaseUrl = Annotated[
    str,
    Field(max_length=2048),
    AfterValidator(_base_url),
    written("https://host[:port]/path; http on this machine only"),
]
Origin = Annotated[str, AfterValidator(origin), written("https://host[:port], or *")]  # of pages
VariableName = Annotated[
    str, AfterValidator(_variable), written("name of a variable, in A-Z 0-9 _")
]
KeyHash = Annotated[str, AfterValidator(_key_hash), written("64 hex digits in lower case")]
KeyHashes = Annotated[list[KeyHash], Field(min_length=1, max_length=64), BeforeValidator(_listed)]
TenantName = Annotated[
    str, AfterValidator(_tenant), written(f"printable name of at most {TENANT_BYTES_MAX} bytes")
]
ProviderName = Annotated[
    str, Field(max_length=64), AfterValidator(_provider), written("printable ASCII, no space, no /")
]
VendorName = Annotated[str, Field(max_length=40), written("name of a known vendor")]
ModelName = Annotated[
    str, AfterValidator(_model), written("name of a model, in A-Z a-z 0-9 . _ : / @ + -")
]
OfferName = Annotated[
    str, Field(max_length=256), AfterValidator(_forwarded), written("printable ASCII, no space")
]
PricesFile = Annotated[
    str,
    Field(max_length=1_024),
    AfterValidator(_prices_file),
    written("whole path of a file like models/data/prices.yaml"),
]
