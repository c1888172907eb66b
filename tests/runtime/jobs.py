"""Requests as the edge hands them on, without an edge."""

from __future__ import annotations

from runtime.request.estimate import Estimator
from runtime.request.job import Arrived, Job, ModelTerms, new_job
from runtime.request.request_record import RequestRecord
from runtime.wire.dialect import Dialect
from runtime.wire.openai_dialect import CHAT
from runtime.wire.parse_request import ChatRequest, CompletionRequest
from runtime.wire.tags import Tags

CONTEXT = 4096
OFFERS = frozenset({"acme/m"})


def made_job(
    request: ChatRequest | CompletionRequest,
    tags: Tags | None = None,
    estimator: Estimator | None = None,
    tenant: str = "acme",
    dialect: Dialect = CHAT,
) -> Job:
    tags = tags or Tags()
    return new_job(
        record=RequestRecord("r"),
        tenant=tenant,
        tags=tags,
        dialect=dialect,
        request=request,
        terms=ModelTerms(request.model, CONTEXT, OFFERS),
        estimator=estimator or Estimator(),
        ttft_budget_ms=2_000,
        arrived=Arrived.now(request, tenant, tags, request.model_dump_json().encode()),
    )
