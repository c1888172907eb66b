"""Reads the config.json of a model that is not in the catalogue: a local path, or a hub id.

transformers fills in what a config leaves to its class; the sizes that memory and speed follow
from are never filled in, since the default of a class is the size of another model. No code of a
repository is ever run: where transformers does not know a model, its config is taken as it stands.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from runtime.errors import ConfigError

CONFIG_BYTES_MAX = 4 << 20
QUANTIZATION_FILE = "hf_quant_config.json"
CONNECT_S_MAX = 5.0

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_SIZES = frozenset(
    {
        "hidden_size",
        "vocab_size",
        "max_position_embeddings",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "intermediate_size",
        "moe_intermediate_size",
        "num_experts",
        "num_local_experts",
        "n_routed_experts",
        "num_experts_per_tok",
        "n_shared_experts",
        "kv_lora_rank",
        "q_lora_rank",
    }
)


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """``config`` is the content of a config.json; ``notes`` say how it had to be read."""

    source: str
    config: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def read_model_config(name: str) -> ModelConfig:
    """``name`` is a folder, a file, or a hub id such as ``owner/model``. Raises ConfigError."""
    path = os.path.expanduser(name)
    if os.path.exists(path) or not _HUB_ID.fullmatch(name):
        source, own = _local(path)
    else:
        source, own = f"hub:{name}", _fetched(name)
    defaults, note = _class_defaults(own)
    return ModelConfig(source, _filled(own, defaults), () if note is None else (note,))


def _local(path: str) -> tuple[str, dict[str, Any]]:
    # Unlike Path's, these functions answer False to a name that cannot be one.
    file = os.path.join(path, "config.json") if os.path.isdir(path) else path
    if not os.path.isfile(file):
        is_folder = os.path.isdir(path)
        what = f"{path} has no config.json" if is_folder else f"there is no file {path[:200]}"
        raise ConfigError(
            f"{what}: give a folder that has one, a hub id (owner/model), or a model of the "
            "catalogue"
        )
    beside = os.path.join(path, QUANTIZATION_FILE) if os.path.isdir(path) else ""
    return file, _with_quantization(_object(file), beside if os.path.isfile(beside) else None)


def _with_quantization(config: dict[str, Any], file: str | None) -> dict[str, Any]:
    """A checkpoint may keep its quantization in a file of its own, which the engine reads where
    config.json says nothing."""
    if file is None or config.get("quantization_config") is not None:
        return config
    return config | {"quantization_config": _object(file)}


def _object(file: str) -> dict[str, Any]:
    try:
        with open(file, "rb") as content:
            text = content.read(CONFIG_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
    if len(text) > CONFIG_BYTES_MAX:
        raise ConfigError(f"{file} is larger than {CONFIG_BYTES_MAX} bytes: it is no config.json")
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"{file} is not JSON") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{file} does not hold a JSON object: it is no config.json")
    return config


def _fetched(hub_id: str) -> dict[str, Any]:
    try:
        from huggingface_hub import constants
        from transformers import PreTrainedConfig  # seconds to import, and seldom needed
        from transformers.utils import cached_file, logging
    except ImportError:
        raise ConfigError(
            f"{hub_id} cannot be fetched without transformers: download its config.json and give "
            "the folder"
        ) from None
    logging.set_verbosity_error()
    offline = constants.HF_HUB_OFFLINE or not _is_reachable(constants.ENDPOINT)
    try:
        config, _ = PreTrainedConfig.get_config_dict(hub_id, local_files_only=offline)
        beside = cached_file(
            hub_id,
            QUANTIZATION_FILE,
            local_files_only=offline,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
    except OSError as error:
        raise ConfigError(_not_fetched(hub_id, error, constants.ENDPOINT, offline)) from None
    return _with_quantization(dict(config), beside)


def _is_reachable(endpoint: str) -> bool:
    """Asked first: on a machine without a network the hub's client retries for half a minute."""
    if any(os.environ.get(name) for name in ("https_proxy", "HTTPS_PROXY", "all_proxy")):
        return True  # the proxy can tell, a socket cannot
    address = urlsplit(endpoint)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), CONNECT_S_MAX).close()
    except OSError:
        return False
    return True


def _not_fetched(hub_id: str, error: OSError, endpoint: str, offline: bool) -> str:
    rest = "download its config.json and give the folder"
    if offline:
        return f"{hub_id} is not in the local cache, and {endpoint} cannot be reached: {rest}"
    if "gated" in str(error):
        return f"{hub_id} is gated: accept its terms and set HF_TOKEN, or {rest}"
    if "not a valid model identifier" in str(error):
        return f"{hub_id} is not at {endpoint}, or is private: check the name, or {rest}"
    first = next(iter(str(error).splitlines()), type(error).__name__)
    return f"{hub_id} could not be fetched ({first[:200]}): {rest}"


def _class_defaults(own: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """What transformers makes of the config, or why it makes nothing of it."""
    kind = own.get("model_type")
    try:
        from huggingface_hub.errors import StrictDataclassError
        from transformers import AutoConfig
    except ImportError:
        return {}, "transformers is not installed: config.json was taken as it stands"
    if not isinstance(kind, str):
        return {}, "config.json has no model_type: it was taken as it stands"
    try:
        # Builds the class that ships with transformers; there is no repository to run code from.
        known: dict[str, Any] = AutoConfig.for_model(**own).to_dict()
    except (StrictDataclassError, ValueError, TypeError, KeyError, AttributeError) as error:
        unknown = "Unrecognized model identifier" in str(error)
        why = "does not know" if unknown else "refuses the values of"
        return (
            {},
            f"transformers {why} model_type {kind[:64]!r}: config.json was taken as it stands",
        )
    return known, None


def _filled(own: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    filled = {key: value for key, value in defaults.items() if key not in _SIZES} | dict(own)
    for key, inner in own.items():
        if isinstance(inner, Mapping) and isinstance(defaults.get(key), Mapping):
            filled[key] = _filled(inner, defaults[key])
    return filled
