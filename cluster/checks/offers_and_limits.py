"""How requests would be routed: what can be bought today, and limits that contradict each other.

Nothing here keeps an endpoint from starting, so all but a loop are warnings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from cluster.application_args import STAND_IN_KEY_ENV, AppArgs
from cluster.checks.routing_rules import rule_findings
from cluster.config_finding import ROUTING, ConfigFinding, error, warning
from cluster.profile import Profile
from models.money import format_usd
from models.price_book import Price, PriceBook
from models.unknown_names import did_you_mean
from runtime.config import GatewayConfig, StreamConfig
from runtime.config_problems import Path, given
from runtime.config_provider import ProviderConfig
from runtime.config_types import LOOPBACK
from runtime.targets.provider_accounts import why_off

PROVIDERS: Path = (*ROUTING, "providers")
REQUEST_TOKENS = 1_000  # prompt, and as much answer: a small request, to see what a cap buys


@dataclass(frozen=True, slots=True)
class OfferFact:
    """``unpriced`` is why there is no price today, ``off`` why the provider cannot be used; with
    both None it can be bought."""

    provider: str
    model: str
    name: str
    price: Price | None
    unpriced: str | None
    off: str | None


def offers(
    config: GatewayConfig, prices: PriceBook, environment: Mapping[str, str] | None, today: date
) -> list[OfferFact]:
    """``environment`` is None where it is another machine's: then keys are taken to be there."""
    found, prices = [], config.price_book(prices)
    for provider, settings in config.providers.items():
        off = None if environment is None else why_off(settings, environment)
        for model, offer in settings.offers.items():
            price = prices.price_at(provider, offer.name, today)
            unpriced = None if price else prices.why_unknown(provider, offer.name, today)
            found.append(OfferFact(provider, model, offer.name, price, unpriced, off))
    return found


def routing_findings(
    config: GatewayConfig,
    args: AppArgs | None,
    facts: Sequence[OfferFact],
    environment: Mapping[str, str] | None,
) -> list[ConfigFinding]:
    """``facts`` are the offers; ``args`` is None where it cannot be used itself."""
    return [
        *offer_findings(config, args, facts, environment),
        *([] if args is None else _autoscaling(config, args)),
        *([] if args is None else rule_findings(config, args)),
        *_caps(config, facts),
        *_tenant_rates(config),
        *_open_ends(config, facts),
        *_times(config, facts),
        *_classes(config),
    ]


def offer_findings(
    config: GatewayConfig,
    args: AppArgs | None,
    facts: Sequence[OfferFact],
    environment: Mapping[str, str] | None,
) -> list[ConfigFinding]:
    """What is wrong with each offer by itself, whatever else the configuration says."""
    return [
        *_keys(config, environment),
        *_prices(facts),
        *([] if args is None else _pools(config, facts, args)),
        *([] if args is None else _stand_in(config, args)),
    ]


def _keys(config: GatewayConfig, environment: Mapping[str, str] | None) -> Iterator[ConfigFinding]:
    for provider, settings in config.providers.items():
        off = None if environment is None else why_off(settings, environment)
        if off is not None:
            path = (*PROVIDERS, provider, "key_env")
            yield warning(path, f"{off}: nothing is bought from {provider}")


def _prices(facts: Sequence[OfferFact]) -> Iterator[ConfigFinding]:
    for fact in facts:
        if fact.unpriced is not None:
            wrong, _, instead = fact.unpriced.partition("; ")
            path = (*PROVIDERS, fact.provider, "offers", fact.model)
            yield warning(path, f"is never bought: {wrong}", instead, given(fact.name))


def _pools(
    config: GatewayConfig, facts: Sequence[OfferFact], args: AppArgs
) -> Iterator[ConfigFinding]:
    """But for candidates of a rule: whoever names them there means to buy them."""
    served = {pool.model for pool in args.pools}
    meant = {model for rule in config.rules.values() for model in rule.models}
    for fact in facts:
        if fact.model not in served | meant:
            path = (*PROVIDERS, fact.provider, "offers", fact.model)
            wrong = f"no pool serves {fact.model}: every request for it is bought"
            yield warning(path, wrong, did_you_mean(fact.model, served))


def _stand_in(config: GatewayConfig, args: AppArgs) -> Iterator[ConfigFinding]:
    for provider, settings in config.providers.items():
        if settings.key_env != STAND_IN_KEY_ENV:
            continue
        path = (*PROVIDERS, provider, "base_url")
        if args.stand_in is None:
            yield warning((*path[:-1], "key_env"), "is made for a stand_in, and args has none")
        elif _port(settings) != args.stand_in.port:
            wrong = "is not where the stand-in listens"
            yield error(path, wrong, f"http://{args.stand_in.host}:{args.stand_in.port}/v1")


def _autoscaling(config: GatewayConfig, args: AppArgs) -> Iterator[ConfigFinding]:
    """A pool grows by what Prometheus saw of the Scheduler."""
    scrapers = [
        urlsplit(pool.autoscaling.prometheus).hostname
        for pool in args.pools
        if pool.autoscaling is not None
    ]
    path, told = (*ROUTING, "telemetry"), config.telemetry
    if scrapers and told.metrics_port is None:
        wrong = "is not set: Prometheus sees nothing, and no pool ever grows"
        yield warning((*path, "metrics_port"), wrong, "metrics_port: 8002")
    elif told.metrics_host in LOOPBACK and any(host not in LOOPBACK for host in scrapers):
        wrong = "is this machine only: a Prometheus elsewhere sees nothing, and no pool ever grows"
        instead = "an address that Prometheus reaches"
        yield warning((*path, "metrics_host"), wrong, instead, given(told.metrics_host))


def loop_findings(profile: Profile) -> Iterator[ConfigFinding]:
    """A provider that is this endpoint: what it sells would come back to it, to be bought again."""
    for provider, settings in profile.routing.providers.items():
        host, port = urlsplit(settings.url).hostname, _port(settings)
        if host in (*LOOPBACK, profile.host) and port == profile.port:
            path = (*PROVIDERS, provider, "base_url")
            yield error(path, f"is this endpoint itself: it listens on port {port}")


def _port(settings: ProviderConfig) -> int:
    url = urlsplit(settings.url)
    return url.port or (443 if url.scheme == "https" else 80)


def _caps(config: GatewayConfig, facts: Sequence[OfferFact]) -> Iterator[ConfigFinding]:
    common, path = config.spill.usd_per_hour_max, (*ROUTING, "spill", "usd_per_hour_max")
    prices = [fact.price for fact in facts if fact.price is not None]
    least = min((each.cost_nano(REQUEST_TOKENS, 0, REQUEST_TOKENS) for each in prices), default=0)
    for cap, where in ((common, path), *_tenant_caps(config)):
        if cap is not None and 0 < cap < least:
            wrong = (
                f"buys nothing: {REQUEST_TOKENS} prompt and answer tokens cost "
                f"{format_usd(least)} USD"
            )
            yield warning(where, wrong, 'write "0" if that is meant', format_usd(cap))
    for cap, where in _tenant_caps(config):
        if cap is not None and common is not None and cap > common:
            wrong = f"is never reached: all tenants together have {format_usd(common)}"
            yield warning(where, wrong, value=format_usd(cap))


def _open_ends(config: GatewayConfig, facts: Sequence[OfferFact]) -> Iterator[ConfigFinding]:
    """A cap counts the most that a purchase can cost: of an answer without a limit, very much."""
    cap = config.spill.usd_per_hour_max
    for fact in facts:
        if fact.price is None or not cap:
            continue
        terms = config.providers[fact.provider].offer(fact.model)
        tokens = terms.output_tokens_max or terms.context_tokens_max
        if cap < (most := fact.price.most_nano(REQUEST_TOKENS, tokens)):
            wrong = (
                f"is never bought for who sets no max_tokens: {tokens} tokens of answer could cost "
                f"{format_usd(most)} USD, and spill.usd_per_hour_max is {format_usd(cap)}"
            )
            path = (*PROVIDERS, fact.provider, "offers", fact.model)
            yield warning(path, wrong, "an output_tokens_max here: then so much is asked for")


def _classes(config: GatewayConfig) -> Iterator[ConfigFinding]:
    """A class of data that no law asks about protects nothing, however it is meant."""
    rules = config.compliance.rules
    known = {each for rule in rules for each in rule.when.data_classes or ()}
    for name, tenant in config.tenants.items():
        for each in sorted(tenant.data_classes - known) if rules else ():
            path = (*ROUTING, "tenants", name, "data_classes")
            wrong = f"{each} is in no rule of the packs in force, so that it decides nothing"
            yield warning(path, wrong, did_you_mean(each, known), given(each))


def _tenant_caps(config: GatewayConfig) -> Iterator[tuple[int | None, Path]]:
    for name, tenant in config.tenants.items():
        path = (*ROUTING, "tenants", name, "spill_usd_per_hour_max")
        yield tenant.spill_usd_per_hour_max, path


def _tenant_rates(config: GatewayConfig) -> Iterator[ConfigFinding]:
    for name, tenant in config.tenants.items():
        path, most = (*ROUTING, "tenants", name), tenant.tokens_per_min_max
        if most is not None and most < 2 * REQUEST_TOKENS:
            wrong = f"serves no request of {REQUEST_TOKENS} prompt and answer tokens"
            yield warning((*path, "tokens_per_min_max"), wrong, "", given(most))
        if tenant.is_edge and not config.compliance.packs:
            wrong = "changes nothing: no policy pack is in force that asks where a user is"
            yield warning((*path, "is_edge"), wrong, "compliance.packs")


def _times(config: GatewayConfig, facts: Sequence[OfferFact]) -> Iterator[ConfigFinding]:
    budget, stream, breaker = config.ttft_budget_ms, config.stream, config.circuit_breaker
    margin, ttft = config.queue.deadline_margin_ms, config.spill.offer_ttft_ms_assumed
    path, shown = (*ROUTING, "ttft_budget_ms"), given(budget)
    if budget <= margin:
        wrong = f"is no more than the {margin} ms kept before every deadline"
        yield warning(path, f"{wrong}: nothing is ever in time", "", shown)
    elif facts and budget < ttft:
        wrong = f"is less than an offer takes to its first token ({ttft} ms until measured)"
        yield warning(path, f"{wrong}: what is bought comes late", "", shown)
    for section, name, least, what in (
        ("stream", "first_token_ms_max", budget, "ttft_budget_ms"),
        ("stream", "answer_ms_max", stream.first_token_ms_max, "first_token_ms_max"),
        ("stream", "answer_ms_max", stream.inter_token_ms_max, "inter_token_ms_max"),
        ("circuit_breaker", "open_ms_max", breaker.open_ms, "open_ms"),
        ("circuit_breaker", "open_ms_max", breaker.pause_ms, "pause_ms"),
    ):
        value = getattr(getattr(config, section), name)
        if value < least:
            where = (*ROUTING, section, name)
            yield warning(where, f"is less than {what}, {least}", "", given(value))
    yield from _attempt_times(stream)


def _attempt_times(stream: StreamConfig) -> Iterator[ConfigFinding]:
    """Limits of which one keeps the other from ever holding."""
    path = (*ROUTING, "stream")
    first, whole = (stream.first_token_ms or [stream.first_token_ms_max])[0], stream.request_ms_max
    hedge, says = stream.hedge_after_ms, "the first words may take"
    if whole is not None and stream.first_token_ms and whole <= first:
        wrong = f"is no more than {says} at the first attempt, {first}: no other is made in time"
        yield warning((*path, "request_ms_max"), wrong, "", given(whole))
    if hedge is not None and hedge >= first:
        wrong = f"is no less than {says}, {first}: nobody has a rival"
        yield warning((*path, "hedge_after_ms"), wrong, "", given(hedge))
    elif hedge is not None and stream.attempts_max < 2:
        wrong = "changes nothing: a rival is an attempt, and there may be one"
        yield warning((*path, "hedge_after_ms"), wrong, "attempts_max", given(hedge))
