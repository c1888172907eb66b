"""What ``/v1/models`` says of the models that are served here."""

from __future__ import annotations

from typing import Any

from runtime.gateway import Gateway
from runtime.served_models import context_tokens_max


def entry(gateway: Gateway, model: str, created_s: int) -> dict[str, Any]:
    return {
        "id": model,
        "object": "model",
        "created": created_s,
        "owned_by": "baseload",
        "max_model_len": context_tokens_max(gateway, model),
    }
