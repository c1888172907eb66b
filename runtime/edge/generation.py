"""The generation routes: a request is parsed, sized and made a job, and its answer streamed."""

from __future__ import annotations

import asyncio
import logging

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from runtime.detect.personal_data import Finding
from runtime.edge.body_writer import SERVER_SEND, body_writer
from runtime.edge.disconnect import ClientLeft, while_present
from runtime.edge.edge_context import RECORD, SEND, Edge
from runtime.edge.model_list import context_tokens_max, model_not_found
from runtime.edge.request_body import read_body
from runtime.errors import BadRequest, BaseloadError, NoCompliantTarget
from runtime.gateway import Gateway
from runtime.gather_evidence import evidence_of, verdicts_of_refusal
from runtime.lifecycle import answer
from runtime.refusal_row import record_refusal
from runtime.request.effective_sensitivity import protected
from runtime.request.job import Job, exactly_counted, needs_exact_count, new_job
from runtime.request.record import RequestRecord
from runtime.wire.dialect import Dialect
from runtime.wire.model_request import ModelRequest
from runtime.wire.tag_terms import without_effect
from runtime.wire.tags import Tags, as_personal
from scheduler.compliance.matrix import LOCAL, Allowance

VERDICTS_CHARS_MAX = 4_096  # of an error's message

log = logging.getLogger("baseload.http")


class Generation:
    """The route of one dialect: request in, a streamed answer out."""

    def __init__(self, edge: Edge, dialect: Dialect) -> None:
        self.dialect = dialect
        self._edge = edge

    async def respond(self, request: Request) -> Response:
        try:
            return await self._accepted(request)
        except BaseloadError as error:
            self._edge.turned_away(request.scope[RECORD], error)
            raise

    async def _accepted(self, request: Request) -> Response:
        record: RequestRecord = request.scope[RECORD]
        tenant = record.tenant = self._edge.tenant(request, self.dialect.api_key)
        body = await read_body(request)
        parsed = self.dialect.parse(body)
        record.model, record.streamed = parsed.model, parsed.streaming
        gateway = self._edge.gateway
        if parsed.constraints and parsed.model in gateway.pools:
            parsed.ignore(await self._edge.grammars.loosened(parsed.constraints, tenant))
        try:
            job = await _job(gateway, request, tenant, self.dialect, parsed, body)
        except NoCompliantTarget as error:
            await record_refusal(gateway, record, error)
            raise
        return Answer(gateway, job)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The same, as an ASGI app of its own."""
        response = await self.respond(Request(scope, receive))
        await response(scope, receive, send)


class Answer(Response):
    """Streams a job; ends it within the same moment if the client leaves."""

    def __init__(self, gateway: Gateway, job: Job) -> None:
        self.background = None
        self._gateway = gateway
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writer = body_writer(scope.get(SERVER_SEND, scope[SEND].inner))
        try:
            async with while_present(receive):
                await answer(self._gateway, self._job, scope[SEND], writer)
        except ClientLeft:
            self._job.record.left = True
            log.info("%s: the client left", self._job.request_id)


async def _job(
    gateway: Gateway,
    request: Request,
    tenant: str,
    dialect: Dialect,
    parsed: ModelRequest,
    body: bytes,
) -> Job:
    terms = gateway.config.tag_terms(tenant)
    said = terms.said(request.headers.items(), tenant)
    tags = terms.raised(said)
    if idle := without_effect(said, tags):
        parsed.ignore(idle)
    record: RequestRecord = request.scope[RECORD]
    record.feature, record.task = tags.feature, tags.task
    finding: Finding | None = None
    if gateway.config.compliance.packs or _may_leave(gateway, tenant, tags):
        found = await protected(tags, parsed)
        tags, finding = found.tags, found.finding
        record.personal_data = None if finding is None else sorted(finding.kinds)
    record.evidence = evidence_of(gateway, tenant, said, tags, finding, parsed.model)
    if parsed.model not in gateway.models():
        raise model_not_found(gateway)
    pool = gateway.pools.get(parsed.model)
    tokens_max = context_tokens_max(gateway, parsed.model)
    allowance = gateway.allowance(tenant, tags)
    offers = _offers(gateway, dialect, parsed, gateway.offers_for(tenant, tags))
    _refuse_forbidden(gateway, parsed.model, allowance, offers, record)
    job = new_job(
        record=record,
        tenant=tenant,
        tags=tags,
        dialect=dialect,
        request=parsed,
        estimator=gateway.estimator,
        context_tokens_max=tokens_max,
        ttft_budget_ms=gateway.config.ttft_budget_ms,
        offers=offers,
        is_local_allowed=allowance.is_local,
        body=body,
        clock=gateway.clock,
    )
    if needs_exact_count(job, tokens_max):
        tokenizer = pool.tokenizer if pool else None
        return await asyncio.to_thread(exactly_counted, job, tokens_max, tokenizer)
    return job


def _may_leave(gateway: Gateway, tenant: str, tags: Tags) -> bool:
    """Whether it makes a difference what its text holds."""
    offers_for = gateway.offers_for
    return bool(offers_for(tenant, tags) or offers_for(tenant, as_personal(tags)))


def _refuse_forbidden(
    gateway: Gateway,
    model: str,
    allowance: Allowance,
    offers: frozenset[str],
    record: RequestRecord,
) -> None:
    """NoCompliantTarget, with every verdict, where the rules leave the model no target."""
    targets = {name for name, each in gateway.accounts.items() if each.offer.model == model}
    if model in gateway.pools:
        if allowance.is_local:
            return
        targets.add(LOCAL)
    forbidden = targets & allowance.forbidden.keys()
    if not forbidden or targets & offers:
        return
    if record.evidence is not None:
        verdicts = verdicts_of_refusal(model, targets, allowance.forbidden)
        record.evidence = record.evidence.with_verdicts("", verdicts)
    says = "; ".join(f"{name}: {allowance.forbidden[name]}" for name in sorted(forbidden))
    raise NoCompliantTarget(f"{NoCompliantTarget.says} {says[:VERDICTS_CHARS_MAX]}.")


def _offers(
    gateway: Gateway, dialect: Dialect, request: ModelRequest, offers: frozenset[str]
) -> frozenset[str]:
    """Those that may have the request: none that would answer it in another sense."""
    if request.model in gateway.pools and not request.taken_everywhere:
        return frozenset()
    accounts = gateway.accounts
    of_model = [each for each in offers if accounts[each].offer.model == request.model]
    refused = {each: dialect.refused_field(request, accounts[each].speaks) for each in of_model}
    taken = frozenset(each for each, field in refused.items() if field is None)
    field = refused[min(refused)] if refused else request.local_only
    if taken or field is None or request.model in gateway.pools:
        return taken
    if field == request.local_only:
        says = f"`{field}` is served by local replicas, and `{request.model}` has none here."
    else:
        says = f"No provider of `{request.model}` takes `{field}` as it is sent."
    raise BadRequest(says, param=field)
