"""The generation routes: a request is parsed, sized and made a job, and its answer streamed."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from runtime.detect.personal_data import Finding
from runtime.edge.body_writer import SERVER_SEND, body_writer
from runtime.edge.client_disconnect import ClientLeft, while_present
from runtime.edge.edge_context import RECORD, SEND, Edge
from runtime.edge.enforce_tenant_limits import let_in
from runtime.edge.request_body import read_body
from runtime.errors import BaseloadError, NoCompliantTarget
from runtime.gateway import Gateway
from runtime.gather_evidence import evidence_of
from runtime.plan_request import Accepted, plan_request
from runtime.record_compliance_refusal import record_refusal
from runtime.request.effective_sensitivity import protected
from runtime.request.job import Job
from runtime.request.request_record import RequestRecord
from runtime.request_attempts import answer
from runtime.served_models import may_stay
from runtime.wire.dialect import Dialect
from runtime.wire.model_request import ModelRequest
from runtime.wire.tag_terms import without_effect
from runtime.wire.tags import Tags, as_personal

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
        share = let_in(self._edge, tenant, request)
        body = await read_body(request)
        parsed = self.dialect.parse(body)
        record.model, record.streamed = parsed.model, parsed.streaming
        gateway = self._edge.gateway
        if parsed.constraints and may_stay(gateway, parsed.model):
            parsed.ignore(await self._edge.grammars.loosened(parsed.constraints, tenant))
        try:
            job = await _job(gateway, request, tenant, self.dialect, parsed, body)
        except NoCompliantTarget as error:
            await record_refusal(gateway, record, error)
            raise
        if share is not None:
            share.charge(job)
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
    by_rule = gateway.routing.knows(parsed.model)  # which may keep what is found to itself
    if by_rule or gateway.config.compliance.packs or _may_leave(gateway, tenant, tags):
        found = await protected(tags, parsed)
        tags, finding = found.tags, found.finding
        record.personal_data = None if finding is None else sorted(finding.kinds)
    record.evidence = evidence_of(gateway, tenant, said, tags, finding, parsed.model)
    allowance = gateway.allowance(tenant, tags)
    accepted = Accepted(record, tenant, tags, dialect, parsed, body, allowance)
    return await plan_request(gateway, accepted)


def _may_leave(gateway: Gateway, tenant: str, tags: Tags) -> bool:
    """Whether it makes a difference what its text holds."""
    offers_for = gateway.offers_for
    return bool(offers_for(tenant, tags) or offers_for(tenant, as_personal(tags)))
