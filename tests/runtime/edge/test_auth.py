from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from runtime.edge.auth import KeyRing, ensure_local_key, hash_key, new_key
from runtime.errors import ConfigError, InvalidApiKey
from runtime.wire.api_key import bearer_key

KEY, OTHER = new_key(), new_key()
RING = KeyRing({"acme": [hash_key(KEY)], "beta": [hash_key(OTHER)], "idle": []})


def test_keys_are_long_and_never_the_same() -> None:
    assert KEY.startswith("bl-")
    assert len(KEY) >= 3 + 22  # 22 characters of base64 hold 128 bits
    assert len({new_key() for _ in range(100)}) == 100


def tenant_of(header: str | None) -> str:
    """As a route does it, of a header as it was sent."""
    return RING.tenant_of(bearer_key({} if header is None else {"authorization": header}))


def test_a_key_opens_its_own_tenant() -> None:
    assert tenant_of(f"Bearer {KEY}") == "acme"
    assert tenant_of(f"bearer  {OTHER} ") == "beta"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("Bearer", id="scheme"),
        pytest.param("Bearer ", id="scheme and space"),
        pytest.param(KEY, id="no scheme"),
        pytest.param(f"Basic {KEY}", id="other scheme"),
        pytest.param(f"Bearer {KEY[:-1]}", id="cut"),
        pytest.param(f"Bearer {KEY}x", id="longer"),
        pytest.param(f"Bearer {KEY.upper()}", id="upper case"),
        pytest.param(f"Bearer {hash_key(KEY)}", id="hash"),
        pytest.param(f"Bearer {KEY} {KEY}", id="twice"),
        pytest.param("Bearer ключ", id="other script"),
        pytest.param("Bearer \ud800", id="surrogate"),
        pytest.param("Bearer " + "x" * 100_000, id="long"),
    ],
)
def test_anything_else_opens_nothing(header: str | None) -> None:
    with pytest.raises(InvalidApiKey) as caught:
        tenant_of(header)
    assert KEY[3:] not in str(caught.value)


def test_a_ring_shows_no_hash() -> None:
    assert repr(RING) == "KeyRing(2 keys, 2 tenants)"


@pytest.mark.parametrize(
    ("tenants", "says"),
    [
        ({}, "no API key"),
        ({"a": []}, "no API key"),
        ({"a": [KEY]}, "SHA-256"),
        ({"a": [hash_key(KEY).upper()]}, "SHA-256"),
        ({"a": [hash_key(KEY)], "b": [hash_key(KEY)]}, "share a key"),
    ],
)
def test_a_bad_ring_is_refused_at_start(tenants: dict[str, list[str]], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        KeyRing(tenants)
    assert KEY not in str(caught.value)
    assert hash_key(KEY) not in str(caught.value)


def test_the_local_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "state" / "api-key"
    key = ensure_local_key(path)
    assert key.startswith("bl-")
    assert ensure_local_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["api-key"]


def test_starts_that_race_agree(tmp_path: Path) -> None:
    path, keys = tmp_path / "api-key", []
    threads = [
        threading.Thread(target=lambda: keys.append(ensure_local_key(path))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert set(keys) == {path.read_text().strip()}


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        ("bl-x\n", 0o640, "chmod 600"),
        ("bl-x\n", 0o604, "chmod 600"),
        ("", 0o600, "empty"),
        (" \n", 0o600, "empty"),
        ("bl-x\nbl-y\n", 0o600, "one key"),
        ("x" * 300, 0o600, "one key"),
        ("ключ", 0o600, "one key"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(
    tmp_path: Path, content: str, mode: int, says: str
) -> None:
    path = tmp_path / "api-key"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=says) as caught:
        ensure_local_key(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_links_and_directories_are_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    ensure_local_key(target)
    (tmp_path / "link").symlink_to(target)
    for path in (tmp_path / "link", tmp_path, target / "below"):
        with pytest.raises(ConfigError, match="API key file"):
            ensure_local_key(path)
