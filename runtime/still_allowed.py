"""Whether a request may still go where it was planned to: a configuration may have changed since.

What was planned under is not asked again; what closes a place now, a law, its rule or a setting,
is. A change never opens a place to a request that came before it.
"""

from __future__ import annotations

from runtime.errors import NoCompliantTarget
from runtime.gateway import Gateway
from runtime.request.job import Job
from runtime.targets.membership import LocalTarget
from runtime.targets.provider_accounts import Account
from scheduler.compliance.compliance_matrix import Allowance
from scheduler.decision import Buy, Dispatch

SAYS = "The configuration has changed since this request came: nothing may serve it any more."


def require_place(gateway: Gateway, job: Job) -> None:
    """NoCompliantTarget where nothing is left of what it was planned for."""
    allowance = _allowance(gateway, job)
    offers = _buyable(gateway, job, allowance)
    for each in (job, *job.others):
        arrival = each.arrival
        if arrival.is_local_allowed and allowance.is_local and each.model in gateway.pools:
            return
        if offers if arrival.offers is None else offers & arrival.offers:
            return
    raise NoCompliantTarget(SAYS)


def target_of(gateway: Gateway, decision: Dispatch | Buy, job: Job) -> LocalTarget | Account | None:
    """What was decided on; None if it has gone since, has no price any more, or the configuration
    forbids it since."""
    gateway.renew_prices()
    allowance = _allowance(gateway, job)
    if isinstance(decision, Dispatch):
        return gateway.locals.get(decision.replica_id) if allowance.is_local else None
    if decision.offer_id not in _buyable(gateway, job, allowance):
        return None
    account = gateway.accounts.get(decision.offer_id)
    sells = account is not None and account.sells(job.dialect, job.request)
    return account if sells else None


def _allowance(gateway: Gateway, job: Job) -> Allowance:
    """By the laws in force, and its rule as it is now."""
    allowance, rule = gateway.allowance(job.tenant, job.tags), job.rule
    return gateway.routing.narrowed(rule, allowance, job.tags.sensitivity) if rule else allowance


def _buyable(gateway: Gateway, job: Job, allowance: Allowance) -> frozenset[str]:
    return gateway.offers_for(job.tenant, job.tags) & allowance.offers
