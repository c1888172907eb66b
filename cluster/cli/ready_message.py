"""What a start prints once it is ready: where to call, with what, and where to look."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cluster.profile import Profile
from runtime.edge.auth import ensure_local_key


def welcome(profile: Profile, state: Path, told: Mapping[str, Any]) -> Iterator[str]:
    """``told`` is the body of /ready. It knows where the metrics are: their port moves up where
    another has the one of the file."""
    url = f"http://{profile.host}:{profile.port}/v1"
    yield f"address   {url}"
    if profile.args.local_key:
        secret = ensure_local_key(state / "api-key")
        yield f"API key   {secret}   (in {state / 'api-key'})"
    yield f"docs      http://{profile.host}:{profile.port}/docs"
    if isinstance(metrics := told.get("metrics"), str):
        yield f"metrics   {metrics}"
    if profile.args.local_key:
        body = json.dumps(
            {
                "model": profile.args.pools[0].model,
                "messages": [{"role": "user", "content": "Hello"}],
                "max_tokens": 32,
            }
        )
        yield (
            f"try       curl -s {url}/chat/completions -H 'Authorization: Bearer {secret}' "
            f"-H 'Content-Type: application/json' -d '{body}'"
        )
