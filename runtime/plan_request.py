"""A request made ready for its decision: which targets may have it, what it takes at each model.

The one way in: whatever a request names, a model or a rule, it leaves here as a job whose arrival
lists all that may be asked for it, or with a refusal that says why nothing may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from models.money import NanoUsd
from runtime.detect.language import language_of, language_of_locale
from runtime.errors import BadRequest, ContextTooLong
from runtime.gateway import Gateway
from runtime.refuse_without_target import refuse_without_target, refused_field
from runtime.replica_time_share import share_cost_nano
from runtime.request.evidence import ALLOWED, ChosenBy, TargetVerdict
from runtime.request.job import (
    Arrived,
    Job,
    ModelTerms,
    exactly_counted,
    needs_exact_count,
    new_job,
)
from runtime.request.request_record import RequestRecord
from runtime.routing.apply_rules import Asked
from runtime.served_models import context_tokens_max, is_served, model_not_found
from runtime.wire.dialect import Dialect
from runtime.wire.model_request import ModelRequest
from runtime.wire.tags import Tags
from scheduler.compliance.compliance_matrix import LOCAL, Allowance
from scheduler.routing.routing_plan import Place, PlaceVerdict, RoutingPlan, Step
from scheduler.routing.rule import Choose, Needs, Rule, Substitute, named
from scheduler.routing.sessions import Kept

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that was read and whose caller is known; ``allowance`` is the law's answer."""

    record: RequestRecord
    tenant: str
    tags: Tags
    dialect: Dialect
    request: ModelRequest
    body: bytes
    allowance: Allowance


async def plan_request(gateway: Gateway, accepted: Accepted) -> Job:
    """Makes a request its job. ModelNotFound, NoCompliantTarget, NoSuitableModel, ContextTooLong or
    BadRequest where nothing may be asked for it."""
    asked, rule = _asked(gateway, accepted)
    told = accepted.request.with_defaults(temperature=rule.temperature, max_tokens=rule.max_tokens)
    if told is not accepted.request:
        accepted = replace(accepted, request=told)
    places = _Places(gateway, accepted, rule)
    plan = gateway.routing.plan(asked, places.of, accepted.allowance, places.kept)
    _keep_verdicts(accepted.record, plan, ChosenBy(*gateway.routing.chosen_by(asked)))
    steps = plan.steps
    if not steps:
        refuse_without_target(gateway, accepted.dialect, accepted.request, plan)
        steps = (Step(accepted.request.model, is_local=True, offers=frozenset()),)
    jobs = [places.job(step) for step in steps]
    return _together(await _fitting(gateway, jobs), rule)


def _asked(gateway: Gateway, accepted: Accepted) -> tuple[Asked, Rule]:
    request, tags = accepted.request, accepted.tags
    needs = Needs(tools=request.asks_tools, structured_output=request.asks_structure)
    language = None if tags.locale is None else language_of_locale(tags.locale)
    asked = Asked(request.model, tags.task, language, needs, tags.sensitivity)
    if gateway.routing.knows(request.model):
        if request.prompt_token_counts is not None:
            says = "Token ids are of one model's tokenizer: name that model, not a rule."
            raise BadRequest(says, param=request.prompt_field)
        if language is None:
            asked = replace(asked, language=language_of(request.texts()))
        return asked, gateway.routing.rule(asked)
    if not is_served(gateway, request.model):
        raise model_not_found(gateway)
    return asked, named(request.model)


class _Places:
    """Where each model may be asked, with what the request would cost there if that matters, and
    the request as each would have it."""

    def __init__(self, gateway: Gateway, accepted: Accepted, rule: Rule) -> None:
        self._gateway = gateway
        self._accepted = accepted
        self._rule = rule
        self.kept = self._turn_before() if rule.name else None
        self._is_costed = rule.choose is not Choose.IN_ORDER or rule.cost_nano_max is not None
        if self.kept is not None and self.kept.model != rule.candidates[0].model:
            self._is_costed = True  # it stays where it is while no model before costs less
        self._has_pool = any(each.model in gateway.pools for each in rule.candidates)
        self._may_buy = gateway.config.may_buy(accepted.tenant)

    def of(self, model: str) -> list[Place]:
        gateway = self._gateway
        names = [name for name, each in gateway.accounts.items() if each.offer.model == model]
        has_pool = model in gateway.pools
        job: Job | None = None  # to work out costs with, where they decide anything
        if self._is_costed and (has_pool or names):
            step = Step(model, is_local=True, offers=frozenset())
            job = self.job(step)
        places = [self._local(job)] if has_pool else []
        return places + [self._offer(name, job) for name in names]

    def job(self, step: Step) -> Job:
        """The request as one model would have it. Where the model has no pool, it is the law alone
        that says whether it might stay here."""
        gateway, accepted, model = self._gateway, self._accepted, step.model
        is_here = step.is_local if model in gateway.pools else accepted.allowance.is_local
        kept = self.kept if self.kept is not None and self.kept.model == model else None
        return new_job(
            record=accepted.record,
            tenant=accepted.tenant,
            tags=accepted.tags,
            dialect=accepted.dialect,
            request=accepted.request,
            terms=ModelTerms(
                model,
                context_tokens_max(gateway, model),
                step.offers,
                is_local_allowed=is_here,
                is_substitute=step.substitute is Substitute.OVERLOAD,
                first_token_ms_max=step.first_token_ms_max,
                deadline_ms=self._rule.deadline_ms,
                caching_offer=kept.target if kept and kept.target != LOCAL else None,
                cached_tokens=kept.prompt_tokens if kept else 0,
            ),
            estimator=gateway.estimator,
            ttft_budget_ms=gateway.config.ttft_budget_ms,
            arrived=self._arrived,
        )

    @cached_property
    def _arrived(self) -> Arrived:
        """Worked out once for all models, and not for a request that no target may have."""
        of = self._accepted
        return Arrived.now(of.request, of.tenant, of.tags, of.body, self._gateway.clock)

    def _turn_before(self) -> Kept | None:
        """Where the conversation's last turn was served, as far as this scheduler served it."""
        sessions = self._gateway.sessions
        if not len(sessions):
            return None
        return sessions.find(self._arrived.blocks, self._gateway.clock.monotonic_s())

    def _local(self, job: Job | None) -> Place:
        if job is None:
            return Place(LOCAL, None, None)
        return Place(LOCAL, self._gateway.charge_nano(job.arrival), self._worst_nano(job))

    def _worst_nano(self, job: Job) -> NanoUsd | None:
        """The engine time of the longest answer, at the price of its cards."""
        pool = self._gateway.pools[job.model]
        longest = replace(job.arrival, output_tokens=job.arrival.max_output_tokens)
        work_s = self._gateway.work_s(longest)
        if work_s is None:
            return None
        ns = round(work_s * NS_PER_S)
        return share_cost_nano(ns, pool.card_hour_nano_usd, pool.cards_per_replica)

    def _offer(self, name: str, job: Job | None) -> Place:
        offer, withheld = self._gateway.accounts[name].offer, self._withheld(name)
        if withheld or job is None or offer.price is None:
            return Place(name, None, None, withheld=withheld)
        arrival = job.arrival
        prompt_tokens, kept = arrival.prompt_tokens, self.kept
        cached = kept.cached_tokens(offer.model, name, prompt_tokens) if kept else 0
        expected = offer.price.cost_nano(prompt_tokens, cached, arrival.output_tokens)
        return Place(name, expected, offer.most_nano(arrival))

    def _withheld(self, name: str) -> str:
        """What keeps the request from an offer besides the law."""
        request, sensitivity = self._accepted.request, self._accepted.tags.sensitivity
        if not self._may_buy:
            return "the tenant may buy nothing"
        if not self._gateway.accounts[name].may_have(sensitivity):
            return f"its provider may not have {sensitivity.value}"
        if self._has_pool and not request.taken_everywhere:
            return "not every vendor takes what it asks"
        field = refused_field(self._gateway, self._accepted.dialect, request, name)
        return f"it does not take {field} as it is sent" if field else ""


def _keep_verdicts(record: RequestRecord, plan: RoutingPlan, chosen_by: ChosenBy) -> None:
    if record.evidence is not None:
        verdicts = tuple(map(_target_verdict, plan.verdicts))
        record.evidence = record.evidence.with_verdicts(plan.rule.name, verdicts, chosen_by)


def _target_verdict(found: PlaceVerdict) -> TargetVerdict:
    code = ALLOWED if found.code is None else found.code.value
    return TargetVerdict(found.model, found.target, code, found.detail)


async def _fitting(gateway: Gateway, jobs: Sequence[Job]) -> list[Job]:
    """Those whose context has room; ContextTooLong where none has."""
    fitting: list[Job] = []
    too_long: ContextTooLong | None = None
    for job in jobs:
        tokens_max, pool = context_tokens_max(gateway, job.model), gateway.pools.get(job.model)
        if not needs_exact_count(job, tokens_max):
            fitting.append(job)
            continue
        tokenizer = pool.tokenizer if pool else None
        try:
            fitting.append(await asyncio.to_thread(exactly_counted, job, tokens_max, tokenizer))
        except ContextTooLong as error:
            too_long = error
    if not fitting and too_long is not None:
        raise too_long
    return fitting


def _together(jobs: list[Job], rule: Rule) -> Job:
    first, *others = jobs
    if not others:
        return first
    return first.with_others(others, buys_cheapest=rule.choose is Choose.CHEAPEST)
