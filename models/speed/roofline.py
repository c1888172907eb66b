"""Time of a step and of a prompt: a roofline with launches and links, times measured factors.

A part of a step is bound by memory or by arithmetic, whichever takes longer, and by both where they
are alike: the root of the sum of squares. Only ``+ - * / **`` are used, so that the fit
(benchmarks/fits/planner_fit.py) sends whole columns of rows through the very formulas that a plan
uses.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.speed.work import Work

ROUNDS = 5  # requests that wait for their first token do not run: found by iteration


@dataclass(frozen=True, slots=True)
class Factors:
    """What the hardware's figures do not say; models/data/calibration.yaml has their values.

    ``read_…`` and ``compute_…`` are shares of the data sheet's bandwidth and dense peak.
    """

    read_shared: float  # weights outside the routed experts, and keys and values
    read_routed: float
    compute_shared: float
    compute_routed: float
    compute_attention: float
    link: float  # share of a link's one-way bandwidth
    passes: float  # times that activations go through memory, per layer or visited expert
    layer_s: float  # of launches, in every layer of every step
    moe_layer_s: float  # added by routed experts
    latent_layer_s: float  # added by latent attention
    sparse_layer_s: float  # added by an indexer
    hop_s: float  # before a message between cards starts to flow
    step_s: float
    request_s: float  # of the CPU, for each running request in every step
    prompt_launches: float  # launches of a step with a prompt, in those of a decode step
    prompt_launches_felt: float  # share of them that other requests wait for
    queue: float  # share of the other clients' prompts that a prompt waits for


@dataclass(frozen=True, slots=True)
class Engine:
    """How an engine differs from vLLM."""

    layer: float = 1.0  # times the launches of a layer, and the CPU's work of a step
    first_token_s: float = 0.0  # more before the first token


@dataclass(frozen=True, slots=True)
class Times:
    """The times in seconds. ``ttft_s`` is without a queue, ``ttft_closed_loop_s`` with the other
    clients'; ``prompts_s`` is the part of ``tpot_s`` that their prompts take."""

    ttft_s: float
    ttft_closed_loop_s: float
    tpot_s: float
    prompts_s: float


def times(work: Work, factors: Factors, engine: Engine) -> Times:
    launches_s = _launches_s(work, factors, engine)
    prompt_s = _prompt_s(work, factors)
    first_s = factors.prompt_launches * launches_s + engine.first_token_s + prompt_s
    others = work.concurrency / (work.ranks * work.stages) - 1
    queued_s = factors.queue * _positive(others) * prompt_s
    running = work.concurrency
    step_s = tpot_s = prompts_s = launches_s
    for _ in range(ROUNDS):
        step_s = _step_s(work, factors, running) + launches_s
        prompts_s = _stretch_s(work, factors, running, launches_s)
        tpot_s = step_s + prompts_s
        decoding_s = work.output_tokens * tpot_s
        running = work.concurrency * decoding_s / (decoding_s + first_s + queued_s)
    return Times(first_s + step_s, first_s + queued_s + step_s, tpot_s, prompts_s)


def _launches_s(work: Work, factors: Factors, engine: Engine) -> float:
    return (
        (factors.step_s + work.layers * factors.layer_s) * engine.layer
        + work.moe_layers * factors.moe_layer_s
        + work.latent_layers * factors.latent_layer_s
        + work.sparse_layers * factors.sparse_layer_s
        + 2 * work.linked_layers * factors.hop_s
    )


def _prompt_s(work: Work, factors: Factors) -> float:
    """A prompt by itself, in chunks."""
    chunk_s = _matrices_s(work, factors, work.chunk_tokens, work.chunk_tokens)
    attention_s = work.prompt_attention_s / factors.compute_attention
    return work.chunks * chunk_s + attention_s


def _step_s(work: Work, factors: Factors, running: float) -> float:
    """A step in which every running request gets a token."""
    tokens = running / work.stages
    rank_tokens = tokens / work.ranks
    kv_s = _hypot(
        work.kv_read_request_s / factors.read_shared,
        work.kv_token_request_s / factors.compute_attention,
    )
    return (
        _matrices_s(work, factors, rank_tokens, tokens)
        + work.head_read_s / factors.read_shared
        + rank_tokens * (kv_s + factors.request_s)
    )


def _stretch_s(work: Work, factors: Factors, running: float, launches_s: float) -> float:
    """What prompts of other requests add to the mean step; pipeline stages share it out."""
    tokens = running / work.stages
    rank_tokens = tokens / work.ranks
    with_prompts_s = _matrices_s(
        work, factors, rank_tokens + work.rank_prompt_tokens, tokens + work.prompt_tokens
    )
    added_s = with_prompts_s - _matrices_s(work, factors, rank_tokens, tokens)
    felt_s = factors.prompt_launches * factors.prompt_launches_felt * launches_s
    prompts = work.rank_prompt_tokens / (work.chunk_tokens * work.chunks)
    attention_s = prompts * work.prompt_attention_s / factors.compute_attention
    return work.prompt_steps * (added_s + felt_s + attention_s) / work.stages


def _matrices_s(work: Work, factors: Factors, rank_tokens: float, tokens: float) -> float:
    """All layers once: ``rank_tokens`` of the card's rank, ``tokens`` of all ranks at experts.

    Experts that no token visits are not read; a token visits each with the same chance.
    """
    visited = 1 - (1 - work.expert_share) ** tokens
    routed_s = _hypot(
        work.routed_read_s * visited / factors.read_routed,
        work.routed_token_s * tokens / factors.compute_routed,
    )
    shared_s = _hypot(
        work.shared_read_s / factors.read_shared,
        work.shared_token_s * rank_tokens / factors.compute_shared,
    )
    passes_s = work.shared_pass_s * rank_tokens + work.routed_pass_s * tokens
    messages_s = work.reduce_token_s * rank_tokens + work.exchange_token_s * tokens
    return routed_s + shared_s + passes_s * factors.passes + messages_s / factors.link


def _hypot(a: float, b: float) -> float:
    root: float = (a * a + b * b) ** 0.5
    return root


def _positive(value: float) -> float:
    """The value, or 0 below it."""
    return (value + abs(value)) / 2
