"""``/tokenize`` and ``/detokenize``, as vLLM's server has them: a replica of the pool answers.

Only an engine has the chat template and the tokenizer as they are used, so only it can tell the
truth. Nothing is generated, so nothing is decided or billed, but the text reaches a replica: the
laws are kept as for an answer. What it costs an engine is bounded by how many of them may be under
way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from fastapi import FastAPI, Request, Response

from runtime.config import StreamConfig
from runtime.edge.edge_context import RECORD, Edge
from runtime.edge.openapi import KEYED
from runtime.edge.request_body import read_body
from runtime.errors import (
    ModelNotFound,
    NoCompliantTarget,
    NoTarget,
    QueueFull,
    UpstreamFailed,
)
from runtime.gateway import Gateway
from runtime.gather_evidence import evidence_of
from runtime.record_compliance_refusal import record_refusal
from runtime.request.effective_sensitivity import protected_by
from runtime.request.evidence import TargetVerdict
from runtime.request.request_record import RequestRecord
from runtime.request_limits import LIMITS, refusals
from runtime.served_models import model_not_found
from runtime.targets.membership import LocalTarget
from runtime.targets.upstream import read_answer
from runtime.wire.token_requests import TokenRequest, parse_detokenize, parse_tokenize
from scheduler.compliance.compliance_matrix import LOCAL
from scheduler.routing.routing_plan import Code

ANSWER_S_MAX = 30.0

Parse = Callable[[bytes], TokenRequest]


class TokenRoute:
    """One of the two; ``path`` is the engine's, below its base URL."""

    def __init__(self, edge: Edge, path: str, parse: Parse) -> None:
        self._edge = edge
        self._path = path
        self._parse = parse
        self._in_flight = 0
        self._turn = 0

    async def respond(self, request: Request) -> Response:
        record: RequestRecord = request.scope[RECORD]
        record.tenant = self._edge.tenant(request)
        asked = self._parse(await read_body(request))
        record.model = asked.model
        gateway = self._edge.gateway
        targets = _targets(gateway, asked.model)
        try:
            await _refuse_forbidden(gateway, record, request.headers.items(), asked)
        except NoCompliantTarget as error:
            await record_refusal(gateway, record, error)
            raise
        if self._in_flight >= LIMITS.tokenize_in_flight_max:
            refusals["tokenize_in_flight_max"] += 1
            raise QueueFull("Too many requests for tokens are under way. Try again later.")
        self._in_flight += 1
        self._turn += 1
        target = targets[self._turn % len(targets)]
        try:
            return await self._ask(target, asked, gateway.config.stream)
        finally:
            self._in_flight -= 1

    async def _ask(
        self, target: LocalTarget, asked: TokenRequest, limits: StreamConfig
    ) -> Response:
        answer = None
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                answer = await target.upstream.post(self._path, asked.to_engine(), limits)
                return Response(await read_answer(answer), media_type="application/json")
        except TimeoutError:
            raise UpstreamFailed("The model server took too long.") from None
        finally:
            if answer is not None:
                answer.close()  # one that was read to its end is kept all the same


def add_tokens(app: FastAPI, edge: Edge) -> None:
    routes = {
        "/tokenize": ("The tokens of a prompt, or of a chat", parse_tokenize),
        "/detokenize": ("The text of tokens", parse_detokenize),
    }
    for path, (summary, parse) in routes.items():
        app.add_api_route(
            path,
            TokenRoute(edge, path, parse).respond,
            methods=["POST"],
            response_class=Response,
            summary=summary,
            openapi_extra=KEYED,
        )


async def _refuse_forbidden(
    gateway: Gateway,
    record: RequestRecord,
    headers: Iterable[tuple[str, str]],
    asked: TokenRequest,
) -> None:
    """NoCompliantTarget where the replicas here may not have the text, as for an answer."""
    if not gateway.config.compliance.packs:
        return
    tenant = record.tenant or ""
    terms = gateway.config.tag_terms(tenant)
    said = replace(terms, required=frozenset()).said(headers, tenant)
    found = await protected_by(terms.raised(said), asked.texts)
    record.evidence = evidence_of(gateway, tenant, said, found.tags, found.finding, asked.model)
    forbidden = gateway.allowance(tenant, found.tags).forbidden.get(LOCAL)
    if forbidden is not None:
        verdict = TargetVerdict(asked.model, LOCAL, Code.COMPLIANCE.value, str(forbidden))
        record.evidence = record.evidence.with_verdicts("", (verdict,))
        raise NoCompliantTarget(f"{NoCompliantTarget.says} {LOCAL}: {forbidden}.")


def _targets(gateway: Gateway, model: str) -> list[LocalTarget]:
    if model not in gateway.models():
        raise model_not_found(gateway)
    if model not in gateway.pools:
        raise ModelNotFound(
            f"{model} is bought from vendors, whose tokenizers are not here. The `usage` of every "
            "answer has its counts.",
            param="model",
        )
    ready = [target for target in gateway.locals.values() if target.pool.model == model]
    if not ready:
        raise NoTarget()
    return ready
