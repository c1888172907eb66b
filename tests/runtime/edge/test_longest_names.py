"""Names as long as the configuration and the headers allow are served, and recorded whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.config import load_config
from runtime.config_types import TENANT_BYTES_MAX
from runtime.edge.app import create_app
from runtime.edge.auth import KeyRing, hash_key
from runtime.edge.edge_context import Edge
from runtime.edge.private_server import PrivateServer
from runtime.errors import ConfigError
from runtime.ledger.rows import TEXT_BYTES_MAX
from runtime.request_limits import LIMITS
from tests.runtime.parts import HOST, chat, stack

SIGNED = {"base_url": "https://h/v1", "key_env": "K"}


def _config(tenant: str = "a", provider: str = "p", model: str = "m", offer: str = "o") -> Any:
    return load_config(
        {
            "tenants": {tenant: {"key_sha256": [hash_key("k")]}},
            "providers": {provider: {**SIGNED, "offers": {model: offer}}},
        }
    )


async def test_a_request_with_the_longest_of_all_that_a_caller_chooses(tmp_path: Path) -> None:
    tenant, label = "团" * (TENANT_BYTES_MAX // 3), "x" * 64
    config = _config(tenant)
    headers = {
        "authorization": "Bearer k",
        "x-baseload-feature": label,
        "x-baseload-task": label,
        "x-request-id": "x" * LIMITS.client_id_chars_max,
    }
    async with stack(tmp_path) as s:
        edge = Edge()
        edge.open(s.gateway, KeyRing({tenant: config.tenants[tenant].key_sha256}))
        server = PrivateServer(create_app(edge), HOST)
        await server.start()
        url = f"http://{HOST}:{server.port}/v1/chat/completions"
        async with s.http.post(url, json=chat(), headers=headers) as answer:
            assert answer.status == 200, await answer.text()
        await server.stop()
        (row,) = s.rows()
    assert row.tenant == tenant


def test_the_longest_target_and_model_fit_a_row() -> None:
    provider, offer, model = "p" * 64, "o" * 256, "m" * LIMITS.model_chars_max
    config = _config(provider=provider, offer=offer, model=model)
    assert model in config.providers[provider].offers
    assert len(f"offer:{provider}/{offer}") <= TEXT_BYTES_MAX
    assert len(model) <= TEXT_BYTES_MAX


@pytest.mark.parametrize(
    "name",
    [
        {"tenant": "t" * (TENANT_BYTES_MAX + 1)},
        {"tenant": "团" * (TENANT_BYTES_MAX // 3 + 1)},
        {"tenant": "a\nb"},
        {"tenant": ""},
        {"provider": "p" * 65},
        {"provider": "p\n"},
        {"offer": "o" * 257},
        {"offer": "é"},
        {"model": "m" * (LIMITS.model_chars_max + 1)},
        {"model": "a b"},
        {"model": "m\n"},
        {"model": "é"},
        {"model": ""},
    ],
)
def test_a_longer_or_a_stranger_one_is_refused_where_it_is_written(name: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        _config(**name)
