"""A prompt's leading blocks as chained hashes, without a tokenizer.

Equal block, equal prompt up to its end: so two prompts share as many leading blocks as an engine
could serve from its prefix cache, to within a block. The same on every scheduler, hence no
process-wide salt. The tenant is part of every hash: prefixes are never matched across tenants,
so that nobody learns from a faster answer what another tenant has asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from struct import Struct

BLOCK_BYTES = 512  # about 128 tokens of English: a short system prompt fills one
BLOCKS_MAX = 64  # of one prompt; what follows them is not looked at
_SEPARATOR = "\0"
_first_64_bits = Struct(">Q").unpack_from


def prefix_blocks(tenant: str, parts: Iterable[str]) -> tuple[int, ...]:
    """Hashes of 63 bits, one for each full block of ``parts`` in order.

    ``parts`` are what any engine reads, in its order: the tools, then each message's role and
    text; or the raw prompt. They are drawn one by one, and no further
    than the last block needs. What is left after the last full block has no hash.
    """
    prompt = _leading_bytes(parts)
    # SHA-256 because processors have instructions for it; the tenant's length keeps the tenant
    # apart from the prompt.
    owner = tenant.encode()
    chain = sha256(len(owner).to_bytes(4, "big") + owner)
    update, digest = chain.update, chain.digest
    blocks = []
    for end in range(BLOCK_BYTES, len(prompt) + 1, BLOCK_BYTES):
        update(prompt[end - BLOCK_BYTES : end])
        blocks.append(_first_64_bits(digest())[0] >> 1)
    return tuple(blocks)


def _leading_bytes(parts: Iterable[str]) -> bytes:
    """Separators stand behind a part, never a length before it: a prompt that goes on where
    another ended still begins alike."""
    left = BLOCKS_MAX * BLOCK_BYTES
    texts: list[str] = []
    for part in parts:
        text = part[:left]  # no character is shorter than a byte
        texts.append(text)
        left -= len(text) + len(_SEPARATOR)
        if left <= 0:
            break
    return _SEPARATOR.join(texts).encode()[: BLOCKS_MAX * BLOCK_BYTES]
