"""What the ``args`` of an application come to: for each pool its model, card, engine and price.

`build` uses the same, so that a start refuses what a check calls an error, and nothing else. Only
files of this project are looked at, and a checkpoint's config.json where it can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from cluster.application_args import AppArgs, PoolArgs, StandInArgs
from cluster.checks.checkpoint import context_of, read_config
from cluster.config_finding import ConfigFinding, error, errors_at, warning
from cluster.placement_group import CPU_CARD
from models.cards import Card, UnknownCard, load_cards
from models.catalogue import Catalogue, Model, UnknownModel, load_catalogue
from models.data_file import BadDataFile
from models.money import NanoUsd, format_usd
from models.price_book import PriceBook, load_price_book
from models.shape import Gqa, Mla
from models.sizing.vllm_layout_rules import refusal
from runtime.config_problems import UNKNOWN, Path, given, problems
from runtime.engine.engine_settings import EngineSettings
from runtime.errors import ConfigError
from runtime.targets.local_pools import LocalPool

TINY_MODEL = "tiny-moe"
PRICE_FACTOR_MAX = 10  # between a price that is given and the usual one
CPU_BLOCK_TOKENS = 128  # vLLM's KV block on CPUs, where `block-size` gives none
# Flags that may lengthen a context, or say that a longer one is meant.
CONTEXT_FLAGS = ("hf-overrides", "rope-scaling", "rope-parameters")


@dataclass(frozen=True, slots=True)
class Known:
    """The data files that a configuration refers to."""

    models: Catalogue
    cards: Mapping[str, Card]
    prices: PriceBook

    @classmethod
    def load(cls) -> Known:
        """Raises ConfigError for a file that was edited and cannot be trusted."""
        try:
            return cls(load_catalogue(), load_cards(), load_price_book())
        except BadDataFile as found:
            raise ConfigError(f"models/data/{found}") from None


@dataclass(frozen=True, slots=True)
class ResolvedPool:
    """``path`` is the pool's place in the file; money is nano-USD per card and hour."""

    path: Path
    args: PoolArgs
    model: Model
    card: Card
    settings: EngineSettings
    card_hour_nano_usd: NanoUsd

    @property
    def is_tiny(self) -> bool:
        return self.args.checkpoint is None


@dataclass(frozen=True, slots=True)
class Resolved:
    """``pools`` are those that can run; the findings say why others cannot."""

    pools: tuple[ResolvedPool, ...]
    stand_in: EngineSettings | None
    findings: tuple[ConfigFinding, ...]

    @property
    def needs_tiny(self) -> bool:
        """Whether the model that is made here is among those that run."""
        return self.stand_in is not None or any(pool.is_tiny for pool in self.pools)


def resolve(args: AppArgs, known: Known, state: FilePath) -> Resolved:
    """``state`` is the folder that the tiny model is made in."""
    return resolve_parts(dict(enumerate(args.pools)), args.stand_in, known, state, ())


def resolve_parts(
    pools: Mapping[int, PoolArgs],
    stand_in: StandInArgs | None,
    known: Known,
    state: FilePath,
    at: Path,
) -> Resolved:
    """The same of pools by their number; ``at`` is the place of ``args`` in the file."""
    resolver = _Resolver(known, state)
    found = [resolver.pool(pool, (*at, "pools", n)) for n, pool in pools.items()]
    engine = None if stand_in is None else resolver.stand_in(stand_in, at)
    return Resolved(
        tuple(pool for pool in found if pool is not None), engine, tuple(resolver.findings)
    )


def pool_of(found: ResolvedPool) -> LocalPool:
    """What a gateway needs to know of it."""
    tokenizer = found.settings.checkpoint / "tokenizer.json"
    return LocalPool(
        model=found.args.model,
        replicas=found.args.targets,
        card=found.args.card,
        cards_per_replica=found.settings.cards_per_rank,
        card_hour_nano_usd=found.card_hour_nano_usd,
        context_tokens_max=found.settings.context_tokens_max,
        tokenizer=tokenizer if tokenizer.is_file() else None,
    )


class _Resolver:
    def __init__(self, known: Known, state: FilePath) -> None:
        self.findings: list[ConfigFinding] = []
        self._known = known
        self._state = state

    def pool(self, args: PoolArgs, path: Path) -> ResolvedPool | None:
        model, priced = self._model(args.model, path), self._card(args, path)
        if model is None:
            return None
        if args.checkpoint is None and model.model_id != TINY_MODEL:
            wrong = f"is missing: {model.model_id} needs its weights"
            self._refuse((*path, "checkpoint"), wrong, f"checkpoint: /path/to/{model.repo_id}")
        checkpoint = args.checkpoint or self._state / TINY_MODEL
        settings = self._settings(model, checkpoint, args.engine, path, args.card == CPU_CARD)
        if settings is None or priced is None:
            return None
        card, hour = priced
        if card.card_id == CPU_CARD and settings.device == "cuda":
            wrong = f"is cuda, and card: {CPU_CARD} reserves no card for it"
            self._refuse((*path, "engine", "device"), wrong, "name the card", "cuda")
        return ResolvedPool(path, args, model, card, settings, hour)

    def stand_in(self, args: StandInArgs, at: Path) -> EngineSettings | None:
        model, checkpoint = self._known.models.get(TINY_MODEL), self._state / TINY_MODEL
        return self._settings(model, checkpoint, args.engine, (*at, "stand_in"), True)

    def _refuse(self, path: Path, wrong: str, instead: str = "", value: object = None) -> None:
        shown = None if value is None else given(value)
        self.findings.append(error(path, wrong, instead, shown))

    def _model(self, name: str, path: Path) -> Model | None:
        try:
            return self._known.models.get(name)
        except UnknownModel as unknown:
            ids = ", ".join(model.model_id for model in self._known.models.models)
            self._refuse((*path, "model"), unknown.wrong, unknown.hint or f"known are {ids}", name)
            return None

    def _card(self, args: PoolArgs, path: Path) -> tuple[Card, NanoUsd] | None:
        """The card, and what an hour of it costs."""
        path, cards = (*path, "card"), self._known.cards
        card = cards.get(args.card)
        if card is None:
            unknown = UnknownCard(args.card, cards)
            instead = unknown.hint or f"known are {', '.join(cards)}"
            self._refuse(path, unknown.wrong, instead, args.card)
            return None
        hour = args.card_usd_per_hour
        if hour is None:
            hour = card.nano_usd_per_hour
        if hour is None:
            wrong = f"{card.card_id} has no dated price, so that its tokens could not be billed"
            self._refuse(path, wrong, 'add what it costs you: card_usd_per_hour: "2.30"', args.card)
            return None
        if card.nano_usd_per_hour is not None:
            self._price(hour, card.nano_usd_per_hour, path[:-1])
        return card, hour

    def _price(self, hour: NanoUsd, usual: NanoUsd, path: Path) -> None:
        """Cents for dollars, or a month for an hour, would misprice every token."""
        if not usual <= hour * PRICE_FACTOR_MAX <= usual * PRICE_FACTOR_MAX**2:
            wrong = f"is far from the {format_usd(usual)} USD that an hour of such a card costs"
            value = format_usd(hour)
            self.findings.append(warning((*path, "card_usd_per_hour"), wrong, "", value))

    def _settings(
        self,
        model: Model,
        checkpoint: FilePath,
        engine: Mapping[str, Any],
        path: Path,
        on_cpu: bool,
    ) -> EngineSettings | None:
        path = (*path, "engine")
        for name in engine.keys() & {"model", "checkpoint"}:
            self._refuse((*path, name), UNKNOWN, f"write {name} beside engine")
        fields = {
            "model": model.model_id,
            "checkpoint": checkpoint,
            "tool_parser": model.tool_parser,
            "reasoning_parser": model.reasoning_parser,
        }
        try:
            settings = EngineSettings.model_validate({**fields, **engine})
        except ValidationError as refused:
            self.findings += errors_at(path, problems(refused, EngineSettings))
            return None
        self._layout(model, settings, path)
        self._context(model, settings, path)
        if on_cpu:
            self._blocks(model, settings, path)
        return settings

    def _layout(self, model: Model, settings: EngineSettings, path: Path) -> None:
        why = refusal(model.shape(), settings.layout)
        if why is not None:
            self._refuse(path, f"{model.model_id} cannot run as {settings.layout}: {why}")

    def _context(self, model: Model, settings: EngineSettings, path: Path) -> None:
        longest = _context_max(model, settings)
        if longest is not None and settings.context_tokens_max > longest:
            wrong = f"is more than the {longest} tokens that {model.model_id} was made for"
            instead = f"at most {longest}; or say how it is lengthened, in vllm_flags: hf-overrides"
            value = settings.context_tokens_max
            self._refuse((*path, "context_tokens_max"), wrong, instead, value)

    def _blocks(self, model: Model, settings: EngineSettings, path: Path) -> None:
        """As vLLM refuses it after the weights are loaded. It keeps one block for itself."""
        context, blocks = settings.context_tokens_max, settings.kv_blocks
        if blocks is None or not _sees_every_token(model):
            return
        size = settings.vllm_flags.get("block-size", CPU_BLOCK_TOKENS)
        if isinstance(size, int) and (blocks - 1) * size < context:
            wrong = f"hold {(blocks - 1) * size} tokens, and one request may have {context}"
            self._refuse((*path, "kv_blocks"), wrong, f"at least {-(-context // size) + 1}", blocks)


def _context_max(model: Model, settings: EngineSettings) -> int | None:
    """None: the file says itself how the context is lengthened, and only vLLM can tell."""
    flags = {name.replace("_", "-").partition(".")[0] for name in settings.vllm_flags}
    if not flags.isdisjoint(CONTEXT_FLAGS):
        return None
    own = read_config(settings.checkpoint)
    told = None if own is None else context_of(own)
    return model.context_tokens_max if told is None else max(told, model.context_tokens_max)


def _sees_every_token(model: Model) -> bool:
    """Whether a token's place in the KV cache is kept as long as its request lives."""
    return all(
        isinstance(part, Mla)
        or (isinstance(part, Gqa) and part.window_tokens is None and part.chunk_tokens is None)
        for part in model.shape().attention
    )
