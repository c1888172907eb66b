"""A study as one JSON document: the first API's answer at the top, and every API's under ``apis``.

What is not reached or not known is null. Amounts are USD, volumes M output tokens per month.
"""

from __future__ import annotations

from benchmarks.economics.breakeven import BreakEvenVerdict
from benchmarks.economics.cost import (
    usd_per_mtok_blended,
    usd_per_mtok_output,
    usd_per_mtok_split,
)
from benchmarks.economics.hybrid import MonthlyBill
from benchmarks.economics.sensitivity import Bar, band, mtok_ends, utilization_ends
from benchmarks.economics.study import Answer, Question, Study, hybrid_in_words, in_words
from models.money import NANO_PER_USD, PicoUsd, usd_per_mtok
from models.price_book import Price


def document(study: Study) -> dict[str, object]:
    answers = [_answer(study.question, answer) for answer in study.answers]
    return answers[0] | {"inputs": _inputs(study.question), "apis": answers}


def _answer(question: Question, answer: Answer) -> dict[str, object]:
    found = answer.break_even
    reached = found.verdict is BreakEvenVerdict.BREAKS_EVEN
    return {
        "api": answer.price.price_id,
        "verdict": found.verdict.value,
        "says": in_words(question, answer),
        "break_even_utilization": float(found.utilization),
        "break_even_mtok_per_month": float(found.bills_meet_mtok) if reached else None,
        "bills_meet_at_mtok_per_month": float(found.bills_meet_mtok),
        "capacity_mtok_per_month": float(found.capacity_mtok),
        "value_usd_per_mtok_output": float(found.value_usd_per_mtok),
        "needed": {
            "card_usd_per_hour_at_most": float(found.card_usd_at_most),
            "theta_at_least": float(found.theta_at_least),
            "value_usd_per_mtok_output_at_least": float(found.value_usd_at_least),
        },
        "bands": {
            "break_even_utilization": band(answer.bars, utilization_ends),
            "bills_meet_at_mtok_per_month": band(answer.bars, mtok_ends),
        },
        "sensitivity": [_bar(bar) for bar in answer.bars],
        "monthly_bills": {
            "all_api": _bill(answer.bought),
            "all_local": _bill(answer.local),
            "hybrid": _bill(answer.hybrid),
        },
        "hybrid_says": hybrid_in_words(answer),
        "price": _price(answer.price),
    }


def _inputs(question: Question) -> dict[str, object]:
    cluster, mix, demand = question.cluster, question.mix, question.demand
    full = usd_per_mtok_output(cluster.card.usd, cluster.theta)
    split = usd_per_mtok_split(full, mix.input_per_output)
    return {
        "card_usd_per_hour": float(cluster.card.usd),
        "card_usd_per_hour_parts": cluster.card.as_json(),
        "cards": cluster.cards,
        "cards_per_replica": cluster.cards_per_replica,
        "theta_out_tok_s_per_card": float(cluster.theta),
        "theta_source": question.theta_source,
        "fixed_usd_per_month": cluster.fixed_nano_per_month / NANO_PER_USD,
        "input_per_output": float(mix.input_per_output),
        "cache_hit": float(mix.cache_hit),
        "demand": demand.name,
        "demand_mtok_per_month": float(demand.mtok_per_month),
        "mean_to_peak": float(demand.mean_to_peak),
        "demand_damage": demand.damage,
        "at_full_use": {
            "usd_per_mtok_output": float(full),
            "usd_per_mtok_blended": float(usd_per_mtok_blended(full, mix.input_per_output)),
            "usd_per_mtok_input_of_split": float(split[0]),
            "usd_per_mtok_output_of_split": float(split[1]),
        },
    }


def _bill(bill: MonthlyBill) -> dict[str, object]:
    return {
        "usd": bill.nano / NANO_PER_USD,
        "local_usd": bill.local_nano / NANO_PER_USD,
        "bought_usd": bill.bought_nano / NANO_PER_USD,
        "bought_mtok": float(bill.bought_mtok),
        "cards": bill.cards,
        "utilization": bill.utilization,
    }


def _bar(bar: Bar) -> dict[str, object]:
    return {
        "input": bar.name,
        "low": float(bar.low),
        "high": float(bar.high),
        "break_even_utilization_at_low": float(bar.utilization_at_low),
        "break_even_utilization_at_high": float(bar.utilization_at_high),
        "why": bar.why,
    }


def _price(price: Price) -> dict[str, object]:
    return {
        "price_id": price.price_id,
        "input_usd_per_mtok": _usd(price.input_pico),
        "cached_input_usd_per_mtok": _usd(price.cached_input_pico),
        "output_usd_per_mtok": _usd(price.output_pico),
        "effective_from": price.effective_from.isoformat(),
        "effective_to": price.effective_to.isoformat() if price.effective_to else None,
        "source": price.source,
    }


def _usd(pico: PicoUsd | None) -> float | None:
    return None if pico is None else float(usd_per_mtok(pico))
