"""A load far beyond what the engines can do: who keeps the budget, who loses what, at what price.

A request is in time if its answer is whole and its first token came within the budget. Who does
not buy spends the least and misses the most, so an attainment per dollar needs a price of a miss:
here it is what the provider would have taken for the request, as in the simulator's spend.
"""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from benchmarks.load.schedule import Ask
from benchmarks.peers.plain_engines import ENGINES
from benchmarks.rig.common import MODEL, BenchmarkError, Target, percentile
from benchmarks.rig.gateway_alone import PROVIDER
from benchmarks.rig.open_loop import Answer, OpenLoop, run_apart
from models.cards import find_card
from models.money import NANO_PER_USD, NanoUsd
from models.price_book import Price, load_price_book

BUDGET_MS = 3_000
TIMES = 3.0
CARD = "cpu"
PROMPT_TOKENS = (150, 450)  # least and most
OUTPUT_TOKENS = (50, 250)
PROBE_REQUESTS = 120
PROBE = Ask(0, 0.0, 300, 150, budget_ms=120_000)  # the mean of the requests
REFUSALS = (408, 429, 503)  # the gateway said that it has no room
HOUR_S = 3600
BILL_S_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Bill:
    """What a scripted provider has served."""

    requests: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0

    def __sub__(self, earlier: Bill) -> Bill:
        return Bill(
            self.requests - earlier.requests,
            self.prompt_tokens - earlier.prompt_tokens,
            self.output_tokens - earlier.output_tokens,
        )


@dataclass(frozen=True, slots=True)
class Prices:
    offer: Price
    card_nano_per_hour: NanoUsd

    def cards_nano(self, seconds: float) -> NanoUsd:
        return round(ENGINES * self.card_nano_per_hour * seconds / HOUR_S)

    def ask_nano(self, ask: Ask) -> NanoUsd:
        return self.offer.cost_nano(ask.prompt_tokens, 0, ask.output_tokens)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the requests of one run. A refusal names itself; the rest that has no whole
    answer is lost."""

    way: str
    capacity_per_s: float  # of the engines behind it, asked directly
    asks: int
    in_time: int
    late: int
    refused: int
    lost: int
    statuses: dict[int, int]  # 0 is no answer at all
    ttft_ms_p50: float | None  # of whole answers
    ttft_ms_p99: float | None
    bought: Bill
    bought_nano_usd: NanoUsd
    cards_nano_usd: NanoUsd
    misses_nano_usd: NanoUsd  # what buying all that was not in time would have cost

    @property
    def attainment(self) -> float:
        return self.in_time / self.asks

    @property
    def spent_nano_usd(self) -> NanoUsd:
        return self.bought_nano_usd + self.cards_nano_usd

    @property
    def in_time_per_usd_spent(self) -> float:
        return self.in_time * NANO_PER_USD / self.spent_nano_usd

    @property
    def in_time_per_usd(self) -> float:
        return self.in_time * NANO_PER_USD / (self.spent_nano_usd + self.misses_nano_usd)


def prices() -> Prices:
    """The prices of today. Raises BenchmarkError where one is not known: it is not nothing."""
    offer = load_price_book().price_at(PROVIDER, MODEL, datetime.now(UTC).date())
    card = find_card(CARD).nano_usd_per_hour
    if offer is None or card is None:
        raise BenchmarkError(f"no price of {MODEL} at {PROVIDER}, or of an hour of a {CARD} card")
    return Prices(offer, card)


def arrivals(rate_per_s: float, seconds: float, seed: int = 7) -> tuple[Ask, ...]:
    """The arrivals are a Poisson process, the same for every way."""
    random = Random(seed)
    asks, at_s = list[Ask](), 0.0
    while (at_s := at_s + random.expovariate(rate_per_s)) < seconds:
        prompt_tokens, output_tokens = (
            random.randint(*PROMPT_TOKENS),
            random.randint(*OUTPUT_TOKENS),
        )
        asks.append(Ask(len(asks), at_s, prompt_tokens, output_tokens, budget_ms=BUDGET_MS))
    return tuple(asks)


def capacity_per_s(engines: tuple[Target, ...]) -> float:
    """Requests per second that the engines answer when there are more than enough of them."""
    answers = run_apart(OpenLoop(engines, (), (PROBE,) * PROBE_REQUESTS)).answers
    whole = [each for each in answers if each.is_whole]
    if len(whole) < len(answers):
        raise BenchmarkError(f"engines answered {len(whole)} of {len(answers)} requests")
    return len(whole) / max(each.e2e_ms / 1000 for each in whole)


def bill_of(provider: Target) -> Bill:
    url = provider.base_url.removesuffix("/v1") + "/bill"
    try:
        with urllib.request.urlopen(url, timeout=BILL_S_MAX) as told:  # noqa: S310 -- loopback
            return Bill(**json.load(told))
    except (OSError, ValueError, TypeError) as error:
        raise BenchmarkError(f"the provider does not tell its bill: {error}") from None


def outcome_of(
    way: str,
    capacity: float,
    answers: Sequence[Answer],
    bought: Bill,
    rates: Prices,
    seconds: float,
) -> Outcome:
    whole = [each for each in answers if each.status == 200 and each.is_whole]
    in_time = [each for each in whole if each.ttft_ms <= BUDGET_MS]
    refused = sum(each.status in REFUSALS for each in answers)
    ttfts_ms = [each.ttft_ms for each in whole]
    return Outcome(
        way=way,
        capacity_per_s=capacity,
        asks=len(answers),
        in_time=len(in_time),
        late=len(whole) - len(in_time),
        refused=refused,
        lost=len(answers) - len(whole) - refused,
        statuses=dict(Counter(each.status for each in answers)),
        ttft_ms_p50=percentile(ttfts_ms, 0.50) if ttfts_ms else None,
        ttft_ms_p99=percentile(ttfts_ms, 0.99) if ttfts_ms else None,
        bought=bought,
        bought_nano_usd=rates.offer.cost_nano(bought.prompt_tokens, 0, bought.output_tokens),
        cards_nano_usd=rates.cards_nano(seconds),
        misses_nano_usd=_value_nano(answers, rates) - _value_nano(in_time, rates),
    )


def _value_nano(answers: Sequence[Answer], rates: Prices) -> NanoUsd:
    return sum(rates.ask_nano(each.ask) for each in answers)
