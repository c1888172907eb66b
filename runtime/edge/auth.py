"""API keys: made, hashed, looked up. A key is stored nowhere but in its owner's hands.

The one exception is the key file of a local start, which only its owner may read. Plain SHA-256
is enough because a key is 256 random bits, not a password that could be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from runtime.errors import ConfigError, InvalidApiKey
from runtime.key_hash import KEY_HASH
from runtime.request_limits import LIMITS, refusals

KEY_PREFIX = "bl-"
KEY_BYTES = 32


def new_key() -> str:
    return KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)


def hash_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class KeyRing:
    """Which tenant a key belongs to. Holds hashes only, and shows none of them."""

    def __init__(self, hashes_by_tenant: Mapping[str, Sequence[str]]) -> None:
        owners: dict[str, tuple[str, str]] = {}
        for tenant, hashes in hashes_by_tenant.items():
            for digest in hashes:
                if not KEY_HASH.fullmatch(digest):
                    raise ConfigError(
                        f"Tenant {tenant!r} has a key hash that is not 64 lower-case hex digits: "
                        "store the SHA-256 of the key, never the key."
                    )
                _, owner = owners.setdefault(digest, (digest, tenant))
                if owner != tenant:
                    raise ConfigError(
                        f"Tenants {owner!r} and {tenant!r} share a key: give each its own."
                    )
        if not owners:
            raise ConfigError("There is no API key: add the SHA-256 of one to a tenant.")
        self._owners = owners

    def tenant_of(self, key: str | None) -> str:
        """The lookup is by the full hash: its timing tells nothing about a key."""
        key = key or ""
        if len(key) > LIMITS.api_key_chars_max:
            refusals["api_key_chars_max"] += 1
            raise InvalidApiKey()
        if not key or not key.isascii():
            raise InvalidApiKey()
        digest = hash_key(key)
        stored, tenant = self._owners.get(digest, ("", ""))
        if not hmac.compare_digest(stored, digest):
            raise InvalidApiKey()
        return tenant

    def __repr__(self) -> str:
        tenants = {tenant for _, tenant in self._owners.values()}
        return f"KeyRing({len(self._owners)} keys, {len(tenants)} tenants)"


def ensure_local_key(path: Path) -> str:
    """The key in ``path``, made if there is none. Starts that race agree on one key."""
    try:
        if not path.exists():
            _create(path, new_key())
        return _read(path)
    except OSError as error:
        raise ConfigError(
            f"The API key file {path} cannot be used: {error.strerror}. "
            "Choose a directory that this user can write."
        ) from error


def _create(path: Path, key: str) -> None:
    """Written in full under another name, then linked: no reader ever sees half a key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".api-key-")  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return  # another start was first: its key counts
    finally:
        os.unlink(draft)


def _read(path: Path) -> str:
    # A link could point at a file that someone else writes.
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"The API key file {path} is not a regular file: remove it.")
        if status.st_mode & 0o077:
            raise ConfigError(f"Others can read the API key file {path}: run chmod 600 {path}")
        raw = file.read(LIMITS.api_key_chars_max + 2)
    key = raw.decode("ascii", "replace").strip()
    if not key:
        raise ConfigError(f"The API key file {path} is empty: remove it and start again.")
    if len(key) > LIMITS.api_key_chars_max or not key.isascii() or len(key.split()) != 1:
        raise ConfigError(f"The API key file {path} does not hold one key: remove it.")
    return key
