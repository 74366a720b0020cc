"""What people do with an incident: take it, note, report, close it, open it again."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Coalesce

from fleet.actor import Actor
from fleet.live import announce
from fleet.models import App, Host
from incidents.errors import Refused
from incidents.lifecycle import IncidentState, RunState
from incidents.models import Delivery, Incident, Report, TimelineEntry
from incidents.notifying.queueing import tell_people
from incidents.runbooks.runs import end_run_of
from incidents.timeline.chain import settled_text
from incidents.timeline.read import last_of_kind
from incidents.timeline.record import MOST_TEXT, record

STATE = "state"
MOST_REPORT = 10_000
LONGEST_BEFORE = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class _Change:
    """A new state, what else changes with it, and the words for it; `sources`: only from these states."""

    to: IncidentState
    text: str
    fields: Mapping[str, Any]
    sources: Collection[str] | None = None


@transaction.atomic
def acknowledge_incident(*, incident: Incident, actor: Actor, now: datetime) -> Incident:
    """Takes an open incident. Raises Refused where somebody was first, saying who."""
    fields = {"acknowledged_at": now, "acknowledged_by": actor.name}
    change = _Change(IncidentState.ACKNOWLEDGED, "Acknowledged.", fields, {IncidentState.OPEN})
    return _bring(incident, change, actor, now)


@transaction.atomic
def mitigate_incident(*, incident: Incident, actor: Actor, now: datetime, note: str = "") -> Incident:
    """Says that the harm has stopped, though the cause may still be there."""
    change = _Change(IncidentState.MITIGATED, _with("Mitigated", note), {"mitigated_at": now})
    return _bring(incident, change, actor, now)


@transaction.atomic
def resolve_incident(*, incident: Incident, actor: Actor, now: datetime, note: str = "") -> Incident:
    """Says that it is over; where nobody said that the harm had stopped, it has by now."""
    fields = {"resolved_at": now, "mitigated_at": Coalesce("mitigated_at", now)}
    return _close(incident, _Change(IncidentState.RESOLVED, _with("Resolved", note), fields), actor, now)


@transaction.atomic
def dismiss_incident(*, incident: Incident, actor: Actor, now: datetime, reason: str) -> Incident:
    """Says that it was nothing; the same subject is not paged again for hours, unless it begins anew."""
    if not reason.strip():
        raise Refused("Say why it is nothing: the timeline keeps it. Nothing was changed.")
    change = _Change(IncidentState.DISMISSED, _with("Dismissed", reason), {"resolved_at": now})
    return _close(incident, change, actor, now)


def reopen_incident(*, incident: Incident, actor: Actor, now: datetime, reason: str) -> Incident:
    """Takes a closed or mitigated incident up again. Raises Refused where another one is on the same cause."""
    if not reason.strip():
        raise Refused("Say why it is opened again: the timeline keeps it. Nothing was changed.")
    sources = {IncidentState.MITIGATED, IncidentState.RESOLVED, IncidentState.DISMISSED}
    fields = {"mitigated_at": None, "resolved_at": None, "acknowledged_at": Coalesce("acknowledged_at", now)}
    change = _Change(IncidentState.ACKNOWLEDGED, _with("Reopened", reason), fields, sources)
    try:
        with transaction.atomic():
            return _bring(incident, change, actor, now)
    except IntegrityError:
        other = Incident.objects.ongoing().filter(verdict=incident.verdict, subject=incident.subject).first()
        whose = other or "Another incident"
        raise Refused(f"{whose} is about the same cause and still goes on; go on there. Nothing was changed.") from None


def add_note(
    *, incident: Incident, text: str, actor: Actor, now: datetime, occurred_at: datetime | None = None
) -> TimelineEntry:
    """Writes what a person says into the timeline; `occurred_at` dates it back."""
    if not text.strip():
        raise Refused("The note is empty; nothing was recorded.")
    if len(text.strip()) > MOST_TEXT:
        raise Refused(f"The note has more than {MOST_TEXT} characters; nothing was recorded. Split it, or link to it.")
    if occurred_at and occurred_at > now:
        raise Refused("The note is about a time that has not come; nothing was recorded.")
    if occurred_at and occurred_at < incident.began_at - LONGEST_BEFORE:
        raise Refused("The note is about a time more than a year before the incident; nothing was recorded.")
    return record(incident_id=incident.pk, kind="note", text=text.strip(), actor=actor, occurred_at=occurred_at or now)


@transaction.atomic
def file_report(
    *,
    text: str,
    actor: Actor,
    now: datetime,
    incident: Incident | None = None,
    app: App | None = None,
    host: Host | None = None,
) -> Report:
    """Keeps what a person observed, with the incident it belongs to: the given one, or the one on that host or app."""
    if not text.strip():
        raise Refused("The report is empty; nothing was recorded.")
    if len(text.strip()) > MOST_REPORT:
        raise Refused(f"The report has more than {MOST_REPORT} characters; nothing was recorded.")
    incident = incident or _incident_for(app, host)
    report = Report.objects.create(
        incident=incident, text=settled_text(text.strip()), app=app, host=host, reporter=actor.name, reported_at=now
    )
    if incident:
        data = {"report": report.pk, "app": app and app.name, "host": host and host.name}
        told = f"{actor.name} reports: {report.text}"
        record(incident_id=incident.pk, kind="report", text=told, actor=actor, occurred_at=now, data=data)
    return report


def _incident_for(app: App | None, host: Host | None) -> Incident | None:
    """The newest ongoing incident that names the host, or a host that runs the app."""
    ongoing = Incident.objects.ongoing().order_by("-opened_at")
    if host:
        return ongoing.filter(incident_hosts__host=host, incident_hosts__until_at__isnull=True).first()
    return ongoing.filter(incident_hosts__host__dynos__app=app).distinct().first() if app else None


def _close(incident: Incident, change: _Change, actor: Actor, now: datetime) -> Incident:
    """Ends the incident and the run that goes on for it. Raises Refused while hosts are being acted on."""
    end_run_of(incident, now=now, actor=actor, why=f"The incident was {change.to.label}.")
    closed = _bring(incident, change, actor, now)
    if closed.runs.filter(state__in=RunState.live()).exists():  # begun after we looked; nobody begins one from here on
        raise Refused("A runbook was started at this very moment; look at it first. Nothing was changed.")
    return closed


def _bring(incident: Incident, change: _Change, actor: Actor, now: datetime) -> Incident:
    """Changes the state if it still is one that may go before, and writes it down. Raises Refused otherwise."""
    before = Incident.objects.select_for_update().get(pk=incident.pk).state
    rows = Incident.objects.filter(pk=incident.pk, state__in=change.sources or change.to.predecessors())
    if not rows.update(state=change.to.value, **change.fields):
        raise Refused(_who_was_first(incident))
    data = {"from": str(before), "to": change.to.value}
    record(incident_id=incident.pk, kind=STATE, text=change.text, actor=actor, occurred_at=now, data=data)
    if change.to in {IncidentState.RESOLVED, IncidentState.DISMISSED}:
        tell_people(incident_id=incident.pk, occasion=Delivery.Occasion.RESOLVED, now=now)
    announce("incidents", incident=incident.pk, state=change.to.value)
    incident.refresh_from_db()
    return incident


def _who_was_first(incident: Incident) -> str:
    incident.refresh_from_db()
    state = IncidentState[str(incident.state).upper()]
    last = last_of_kind(incident, STATE)
    if last is None:
        return f"{incident} is {state.label} ({state.meaning}); nothing was changed."
    when = f"{last.occurred_at:%H:%M:%S} UTC"
    return f"{incident} is {state.label} already, by {last.actor} at {when}; nothing was changed."


def _with(word: str, note: str) -> str:
    return f"{word}: {note.strip()}" if note.strip() else f"{word}."
