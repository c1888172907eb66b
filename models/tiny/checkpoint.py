"""Builds the checkpoint of ``tiny-moe`` on first use: no download, no GPU, about a second.

The folder is a function of seed and shape, byte for byte. It appears complete or not at all: it is
built beside its place and renamed, under a lock that any number of processes may wait for. A
damaged or outdated checkpoint is replaced; a folder that holds anything else is refused, because
replacing means deleting.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import TensorSpec, serialize

from models.tiny.files import FILES, MANIFEST, refuse_foreign
from models.tiny.tokenizer import (
    END_OF_TEXT,
    TURN_END,
    VOCAB_SIZE,
    read_corpus,
    silent_token_ids,
    tokenizer_config,
    train_tokenizer,
)
from models.tiny.weights import (
    CONTEXT_TOKENS_MAX,
    TINY,
    TinyShape,
    Weights,
    bfloat16_bits,
    make_weights,
    model_config,
)

# All that decides what is written. Their digest is the builder's version, so that no change can
# forget to raise it.
RECIPE = (
    "tiny/checkpoint.py",
    "tiny/files.py",
    "tiny/tokenizer.py",
    "tiny/weights.py",
    "data/tiny_corpus.yaml",
)


def ensure_tiny_moe(folder: Path, seed: int = 0, shape: TinyShape = TINY) -> Path:
    """The checkpoint folder, built or rebuilt if need be. Safe to call from many processes."""
    folder = folder.absolute()
    if _is_intact(folder, seed, shape):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder):
        if not _is_intact(folder, seed, shape):
            refuse_foreign(folder)
            _build(folder, seed, shape)
    return folder


def _is_intact(folder: Path, seed: int, shape: TinyShape) -> bool:
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        return bool(manifest == _manifest(folder, seed, shape))
    except (OSError, ValueError):
        return False


def _manifest(folder: Path, seed: int, shape: TinyShape) -> dict[str, Any]:
    return {
        "builder_version": _digest(*(Path(__file__).parent.parent / name for name in RECIPE)),
        "seed": seed,
        "shape": asdict(shape),
        "sha256": {name: _digest(folder / name) for name in FILES},
    }


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Held by the kernel, so it ends with its process, however that dies."""
    with (folder.parent / f".{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(folder: Path, seed: int, shape: TinyShape) -> None:
    prefix = f".{folder.name}.building-"
    for leftover in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(leftover)  # of a builder that died: the lock is ours
    workspace = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    built = workspace / "new"
    built.mkdir()
    _write_checkpoint(built, seed, shape)
    if folder.exists():
        folder.rename(workspace / "old")
    built.rename(folder)
    shutil.rmtree(workspace)


def _write_checkpoint(folder: Path, seed: int, shape: TinyShape) -> None:
    tokenizer = train_tokenizer(read_corpus())
    vocabulary = tokenizer.get_vocab()
    end_id, pad_id = vocabulary[TURN_END], vocabulary[END_OF_TEXT]
    _write_json(folder / "config.json", model_config(VOCAB_SIZE, end_id, pad_id, shape))
    _write_json(
        folder / "generation_config.json",
        {"eos_token_id": [end_id, pad_id], "pad_token_id": pad_id},
    )
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=True), "utf-8")
    _write_json(folder / "tokenizer_config.json", tokenizer_config(CONTEXT_TOKENS_MAX))
    weights = make_weights(seed, VOCAB_SIZE, silent_token_ids(tokenizer), end_id, shape)
    _write_tensors(folder / "model.safetensors", weights)
    _write_json(folder / MANIFEST, _manifest(folder, seed, shape))


def _write_tensors(path: Path, weights: dict[str, Weights]) -> None:
    # The specs hold bare addresses: ``tensors`` must outlive the call.
    tensors = {name: bfloat16_bits(values) for name, values in weights.items()}
    specs = {
        name: TensorSpec(
            dtype="bfloat16",
            shape=list(bits.shape),
            data_ptr=bits.ctypes.data,
            data_len=bits.nbytes,
        )
        for name, bits in tensors.items()
    }
    path.write_bytes(serialize(specs, metadata={"format": "pt"}))


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
