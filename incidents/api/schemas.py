"""Shapes of what programs are told of incidents, gates and deploys. Times are UTC."""

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Field, Schema


class GateAnswer(Schema):
    """Whether deploys of a stack may go on; the rest is null where the gate is open."""

    open: bool
    reason: str | None = None
    incident: int | None = None
    since: datetime | None = None


class IncidentAnswer(Schema):
    """One incident."""

    number: int
    state: str
    severity: str
    verdict: str
    subject: str
    headline: str
    deploy: str | None
    stack: str | None
    cohort: dict[str, Any]
    numbers: dict[str, Any]
    began_at: datetime
    opened_at: datetime
    named_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    mitigated_at: datetime | None
    resolved_at: datetime | None


class SuspectAnswer(Schema):
    """A deploy under suspicion, with what speaks for it and against it."""

    deploy: str
    score: float
    rate_ratio: float | None
    interval: list[float | None]
    speaks_for: list[Any]
    speaks_against: list[Any]
    updated_at: datetime


class IncidentDetail(IncidentAnswer):
    """One incident with its hosts and suspects."""

    hosts: list[str]
    suspects: list[SuspectAnswer]


class IncidentPage(Schema):
    """Incidents, the newest first; `next` is the cursor of the next page, null on the last."""

    items: list[IncidentAnswer]
    next: str | None


class EntryAnswer(Schema):
    """One fact of a timeline; `digest` covers it and the one before."""

    sequence: int
    occurred_at: datetime
    recorded_at: datetime
    kind: str
    actor_kind: str
    actor: str
    text: str
    data: dict[str, Any]
    previous_digest: str
    digest: str


class TimelinePage(Schema):
    """Entries in the order they were recorded; `next` is the cursor of the next page, null on the last."""

    items: list[EntryAnswer]
    next: str | None


class HostDeployAnswer(Schema):
    """What a deploy did on one host."""

    host: str
    at: datetime
    outcome: str
    tools_version: str
    detail: str


class VerdictAnswer(Schema):
    """What is held of a deploy: `cause` of an ongoing incident, `suspect` in one or by itself, or `none`.

    `standing` says more, of harmless ones too; `would_have_seen` is the smallest rise in crashes that would have been
    blamed by now, `late` what came late and changed the numbers.
    """

    verdict: Literal["cause", "suspect", "none"]
    incident: int | None = None
    score: float | None = None
    rate_ratio: float | None = None
    interval: list[float | None] = []
    speaks_for: list[Any] = []
    speaks_against: list[Any] = []
    updated_at: datetime | None = None
    standing: Literal["cause", "suspect", "harmless", "early", "alone"] | None = None
    sentence: str = ""
    host_minutes: float | None = None
    hosts: int | None = None
    controls: int | None = None
    would_have_seen: float | None = None
    late: str = ""


class DeployAnswer(Schema):
    """A deploy, what it did on hosts, and what is held of it."""

    deploy: str
    target: str
    kind: str
    stack: str | None
    image: str | None
    from_image: str | None
    started_at: datetime
    finished_at: datetime | None
    aborted: bool
    by: str
    source: str
    host_deploys: list[HostDeployAnswer]
    verdict: VerdictAnswer


class ReportIn(Schema):
    """What a person saw."""

    text: Annotated[str, Field(min_length=1, max_length=10_000)]
    app: Annotated[str, Field(max_length=150)] | None = None
    host: Annotated[str, Field(max_length=253)] | None = None


class ReportAnswer(Schema):
    """A report as it was kept; `incident` is the one it was shown with, if any."""

    report: int
    incident: int | None
    reported_at: datetime
