"""What the map says in words, for its lines and its page alike."""

from __future__ import annotations

from cluster.checks.data_flows.agreement_endings import SOON_DAYS
from cluster.checks.data_flows.flows import ALLOWED, COMPLIANCE
from cluster.checks.data_flows.list_in_words import counted, of_users, some
from cluster.checks.data_flows.map_schema import (
    DataFlowMap,
    Ending,
    Flow,
    Recipient,
    Record,
    Verdict,
)

UNKNOWN = "not stated"
_WHY = {
    "sensitivity": "the provider's allowed_sensitivity does not have it",
    "not_bought": "these tenants may buy nothing",
}


def title_of(found: DataFlowMap) -> str:
    laws = ", ".join(found.packs) if found.packs else "none: no policy pack is in force"
    return f"{found.as_of}; laws: {laws}; version {found.version}"


def summary(found: DataFlowMap) -> str:
    """The state of things in one sentence, the worst first."""
    refused = sum(bool(flow.refused_models) for flow in found.flows)
    over = sum((each.agreement.days_left or 0) < 0 for each in found.endings)
    ending = len(found.endings) - over
    said = []
    if over:
        said.append(counted(over, "agreement has ended", "agreements have ended"))
    if ending:
        said.append(f"{counted(ending, 'ends', 'end')} within {SOON_DAYS} days")
    if refused:
        flows = counted(len(found.flows), "flow", "flows")
        said.append(f"in {refused} of {flows} nothing may answer for a model")
    return "; ".join(said) or "Every flow has a target, and nothing ends."


def of_ending(ending: Ending) -> str:
    agreement, days = ending.agreement, ending.agreement.days_left or 0
    ago = f"ended {counted(-days, 'day', 'days')} ago"
    ahead = f"ends in {counted(days, 'day', 'days')}" if days else "ends today"
    when = ago if days < 0 else ahead
    return (
        f"{agreement.kind} {agreement.reference} with {ending.target} {when}, "
        f"its last day {'was' if days < 0 else 'is'} {agreement.valid_until}."
    )


def of_loss(ending: Ending, lost: str) -> str:
    is_over = (ending.agreement.days_left or 0) < 0
    return f"{'By it went there' if is_over else 'After that no longer goes there'}: {lost}."


def of_flow(flow: Flow) -> str:
    classes = f", with {', '.join(flow.data_classes)}" if flow.data_classes else ""
    said = f"{', '.join(flow.sensitivities)} of {of_users(flow.users_in)}{classes}"
    return f"{said} (tenants: {some(flow.tenants)})"


def of_verdict(verdict: Verdict) -> str:
    if verdict.code == COMPLIANCE:
        fact = "is not enough" if verdict.fact_is_known else "is not stated"
        source = f" ({verdict.source})" if verdict.source else ""
        return f"{verdict.rule}: {verdict.fact} {fact}{source}"
    if verdict.code != ALLOWED:
        return _WHY[verdict.code]
    said = [_leaves(verdict)]
    if verdict.agreements:
        said.append(f"by {', '.join(verdict.agreements)}")
    said += [f"users are shown {each.model_name}, {each.number}" for each in verdict.registered]
    return "; ".join(each for each in said if each)


def _leaves(verdict: Verdict) -> str:
    if verdict.leaves_to is None:
        return "whether it crosses a border is not stated"
    return (
        f"crosses a border to {some(verdict.leaves_to)}" if verdict.leaves_to else "stays at home"
    )


def of_recipient(recipient: Recipient) -> dict[str, str]:
    """What is stated of a recipient, by the name of each fact."""
    facts = {
        "models": some(recipient.models),
        "operator": _or_unknown(recipient.operator),
        "under the law of": _or_unknown(recipient.operator_jurisdiction),
        "stores in": _places(recipient.storage_regions),
        "runs in": _places(recipient.inference_jurisdictions),
        "keeps": _days(recipient.retention_days),
        "trains on it": _yes(recipient.trains_on_data),
        "open weights": _yes(recipient.open_weights),
        "may have": ", ".join(recipient.allowed_sensitivity) or "nothing",
        "agreements": "; ".join(
            f"{each.kind} {each.reference} until {each.valid_until}"
            for each in recipient.agreements
        ),
        "registered": "; ".join(
            f"{each.model_name}, {each.number} ({each.jurisdiction})"
            for each in recipient.registrations
        ),
        "papers": ", ".join(recipient.documents),
    }
    return {name: text for name, text in facts.items() if text}


def of_record(record: Record) -> dict[str, str]:
    purpose = " / ".join(each for each in (record.feature, record.task) if each)
    return {
        "tenant": record.tenant,
        "feature / task": purpose or "as requests say",
        "of": of_users(record.users_in),
        "classes": ", ".join(record.data_classes) or "personal data",
        "recipients": some(record.recipients) or "none",
        "countries": _places(record.countries),
        "crosses a border to": _places(record.leaves_to),
        "by": ", ".join(record.agreements) or "no agreement",
        "kept there": _days(record.retention_days),
        "evidence": f"{record.evidence_days} days",
    }


def _or_unknown(text: str | None) -> str:
    return UNKNOWN if text is None else text


def _places(places: list[str] | None) -> str:
    if places is None:
        return UNKNOWN
    return some(places, 30) or "nowhere"


def _days(days: int | None) -> str:
    return UNKNOWN if days is None else f"{days} days"


def _yes(value: bool | None) -> str:
    return UNKNOWN if value is None else "yes" if value else "no"
