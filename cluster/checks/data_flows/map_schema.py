"""What a data-flow map holds, as its JSON has it. A fact that nobody stated is None."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Agreement(_Part):
    """A contract or a transfer mechanism; ``days_left`` are negative once it has ended."""

    kind: str
    reference: str
    valid_until: date | None
    days_left: int | None
    sources: list[str]
    destinations: list[str]


class Registered(_Part):
    """A model as an authority knows it."""

    jurisdiction: str
    number: str
    model_name: str


class Recipient(_Part):
    """A recipient is a target: "local", which is all replicas here, or an offer's id."""

    target: str
    models: list[str]
    operator: str | None
    operator_jurisdiction: str | None
    storage_regions: list[str] | None
    inference_jurisdictions: list[str] | None
    retention_days: int | None
    trains_on_data: bool | None
    open_weights: bool | None
    allowed_sensitivity: list[str]
    agreements: list[Agreement]
    registrations: list[Registered]
    documents: list[str]


class Verdict(_Part):
    """The verdict on one target for one kind of request. ``code`` is "allowed", "compliance"
    (``rule``, its ``source`` and the ``fact`` say which), "sensitivity" (the provider is not to
    have it) or "not_bought" (the tenant may buy nothing). ``fact_is_known``: stated, and not
    enough."""

    target: str
    code: str
    rule: str | None = None
    source: str | None = None
    fact: str | None = None
    fact_is_known: bool | None = None
    agreements: list[str] = []  # that let it go there, by kind and reference
    leaves_to: list[str] | None = None  # None: nobody stated where the user or the data is
    registered: list[Registered] = []  # to be shown to the user, of each model of the target


class Flow(_Part):
    """A kind of request, and the verdict on each target. ``users_in`` are countries; None among
    them stands for a user of whom nobody says where, and "elsewhere" for all countries that
    neither a rule nor a fact names."""

    tenants: list[str]
    users_in: list[str | None]
    sensitivities: list[str]
    data_classes: list[str]
    verdicts: list[Verdict]
    refused_models: list[str]  # served here, and no target of theirs may have it: 403


class Ending(_Part):
    """An agreement that has ended or is about to. ``lost`` are flows that hang on it, in words."""

    target: str
    agreement: Agreement
    lost: list[str]


class Record(_Part):
    """A record of the processing of personal data, for one tenant (GDPR Art. 30, PIPL Art. 55)."""

    tenant: str
    feature: str | None
    task: str | None
    users_in: list[str | None]
    data_classes: list[str]
    recipients: list[str]  # operators, or the targets where nobody says who runs them
    countries: list[str] | None
    leaves_to: list[str] | None
    agreements: list[str]
    retention_days: int | None  # the longest of a recipient; None: one is not known
    evidence_days: int  # of the ledger's rows


class DataFlowMap(_Part):
    config: str
    as_of: date
    packs: list[str]
    version: str  # of laws and facts, as in the ledger
    endings: list[Ending]
    recipients: list[Recipient]
    flows: list[Flow]
    records: list[Record]
