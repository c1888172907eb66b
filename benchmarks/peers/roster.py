"""Who takes part."""

from __future__ import annotations

from benchmarks.peers.litellm import LITELLM
from benchmarks.peers.peer import Peer
from benchmarks.peers.ray_serve_llm import RAY_SERVE_LLM
from benchmarks.peers.smg import SMG
from benchmarks.peers.vllm_router import VLLM_ROUTER

PEERS = (VLLM_ROUTER, SMG, LITELLM, RAY_SERVE_LLM)


def chosen(names: list[str]) -> tuple[Peer, ...]:
    """All, or those of that name; ValueError names one that is not here."""
    known = {peer.name: peer for peer in PEERS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no peer {', '.join(unknown)}: there are {', '.join(known)}")
    return tuple(known[name] for name in known if name in names) if names else PEERS
