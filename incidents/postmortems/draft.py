"""Drafts a postmortem from an incident's rows: plain data, which the export formats only dress."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, Sum

from fleet.lifecycle import MoveState
from fleet.models import App, Crash, CrashMinute, Migration, Move, Taint
from fleet.wording import count
from incidents.models import Evidence, Gate, Incident, Report, Suspect, TimelineEntry
from incidents.postmortems.metrics import Metric, duration, metrics_of
from incidents.timeline.record import first_break_of, whole_timeline
from incidents.timeline.revisions import Revisions, revisions_of
from incidents.wording import some_names, times


@dataclass(frozen=True)
class Draft:
    """The sections of a postmortem. `revisions` say which entries' texts are kept out of it.

    `first_break` is the sequence at which the timeline's chain breaks, if it does."""

    incident: Incident
    title: str
    summary: list[str]
    impact: list[str]
    metrics: list[Metric]
    numbers: list[tuple[str, str]]
    suspects: list[Suspect]
    evidence: list[Evidence]
    reports: list[Report]
    done: list[str]
    entries: list[TimelineEntry]
    hosts: list[str]
    chain_digest: str
    first_break: int | None
    revisions: Revisions
    drafted_at: datetime


def draft_postmortem(incident: Incident, *, now: datetime) -> Draft:
    """Everything that the record says of an incident, as of now."""
    recorded = whole_timeline(incident)
    revisions = revisions_of(recorded)
    named = incident.incident_hosts.filter(until_at__isnull=True)
    hosts = list(named.order_by("host__name").values_list("host__name", flat=True))
    return Draft(
        incident=incident,
        title=f"Incident {incident.pk}: {incident.headline}",
        summary=_summary(incident),
        impact=_impact(incident, hosts, now),
        metrics=metrics_of(incident),
        numbers=_numbers(incident),
        suspects=list(incident.suspects.select_related("deploy")),
        evidence=list(incident.evidence.select_related("host").order_by("observed_at", "pk")),
        reports=list(
            incident.reports.exclude(pk__in=_hidden_reports(recorded, revisions)).order_by("reported_at", "pk")
        ),
        done=_done(incident),
        entries=sorted(recorded, key=lambda entry: (entry.occurred_at, entry.sequence)),
        hosts=hosts,
        chain_digest=recorded[-1].digest if recorded else "",
        first_break=first_break_of(incident, recorded),
        revisions=revisions,
        drafted_at=now,
    )


def _hidden_reports(entries: list[TimelineEntry], revisions: Revisions) -> list[int]:
    hidden = [entry.data.get("report") for entry in entries if entry.sequence in revisions.hidden_by]
    return [report for report in hidden if isinstance(report, int)]


def _summary(incident: Incident) -> list[str]:
    ending = f"It was {incident.state}"
    ended = f"{ending} at {utc(incident.resolved_at)}." if incident.resolved_at else f"It is {incident.state}."
    return [
        f"{incident.headline}.",
        f"It began at {utc(incident.began_at)} and was opened at {utc(incident.opened_at)}. {ended}",
    ]


def _impact(incident: Incident, hosts: list[str], now: datetime) -> list[str]:
    where, ended_at = _where(incident, hosts), incident.resolved_at or now
    lines = [_named(incident, hosts)]
    if where is None:
        return lines
    rows = CrashMinute.objects.filter(where, minute__lte=ended_at, first_at__gte=incident.began_at)
    crashes = rows.aggregate(crashes=Sum("count"))["crashes"] or 0
    lines.append(f"{count(crashes, 'crash', 'crashes')} there from the beginning on.")
    named = App.objects.filter(pk__in=rows.values("app_id").distinct()).order_by("name")
    apps = list(named.values_list("name", flat=True))
    lines.append(f"{count(len(apps), 'app')} affected" + (f": {some_names(apps)}." if apps else "."))
    died = Crash.objects.filter(where, at__gte=incident.began_at, at__lte=ended_at).exclude(dyno="")
    if dynos := died.values("dyno").distinct().count():
        lines.append(f"{count(dynos, 'dyno')} died at least once.")
    return lines


def _where(incident: Incident, hosts: list[str]) -> Q | None:
    """Which crashes are the incident's: of its hosts, its app, or the whole fleet; None where it names nothing."""
    if hosts:
        return Q(host__name__in=hosts)
    app = App.objects.filter(name=incident.subject).first() if incident.verdict == Incident.Verdict.APP else None
    if app:
        return Q(app_id=app.pk)
    return Q() if incident.verdict == Incident.Verdict.FLEET else None


def _named(incident: Incident, hosts: list[str]) -> str:
    if hosts:
        return f"{count(len(hosts), 'host')} named: {some_names(hosts)}."
    instead = {Incident.Verdict.APP: f"App {incident.subject}", Incident.Verdict.FLEET: "The whole fleet"}
    named = instead.get(Incident.Verdict(incident.verdict))
    return f"{named} is meant; no host is named." if named else "No host is named."


def _numbers(incident: Incident) -> list[tuple[str, str]]:
    """What is kept of the verdict; a number that was never known has no row."""
    numbers = {name: value for name, value in incident.numbers.items() if value is not None}
    rows = []
    if "rate_ratio" in numbers:
        low, high = [bound or 0.0 for bound in [*numbers.get("interval", []), 0.0, 0.0][:2]]
        rows.append((_compared(incident), times(numbers["rate_ratio"], (low, high))))
    if numbers.get("score"):
        rows.append(("Score (log likelihood)", str(numbers["score"])))
    if numbers.get("hosts_exposed"):
        hit = f"{numbers.get('hosts_hit', 0)} of {numbers['hosts_exposed']}"
        rows.append((f"Hosts hit, of those {'exposed' if incident.deploy_id else 'named'}", hit))
    if "controls" in numbers and incident.compares_hosts:
        rows.append(("Hosts to compare with", str(numbers["controls"])))
    if "lag_seconds" in numbers:
        rows.append(("Time from the deploy to a host's first crash, median", duration(numbers["lag_seconds"])))
    if numbers and incident.cohort:
        rows.append(("Cohort", ", ".join(f"{key}={value}" for key, value in sorted(incident.cohort.items()))))
    return rows


def _compared(incident: Incident) -> str:
    others = "those of the other hosts" if incident.compares_hosts else "the usual ones"
    return f"Crashes against {others}" + (
        ", with the 95 % interval" if incident.verdict != Incident.Verdict.APP else ""
    )


def _done(incident: Incident) -> list[str]:
    """What was done to hosts and dynos, from their own rows."""
    lines = []
    for gate in Gate.objects.filter(incident=incident).select_related("stack").order_by("closed_at"):
        opened = f", opened at {utc(gate.opened_at)} by {gate.opened_by}" if gate.opened_at else ", still closed"
        lines.append(f"Deploy gate of {gate.stack} closed at {utc(gate.closed_at)} by {gate.closed_by}{opened}.")
    taints = Taint.objects.filter(reference=incident.reference)
    if tainted := sorted(set(taints.values_list("host__name", flat=True))):
        lines.append(f"{count(len(tainted), 'host')} tainted: {some_names(tainted)}.")
    migrations = Migration.objects.filter(reference=incident.reference).order_by("created_at")
    lines += [_migration_line(migration) for migration in migrations]
    for run in incident.runs.order_by("started_at"):
        steps = Counter(str(state) for state in run.steps.values_list("state", flat=True))
        ended = ", ".join(f"{number} {state}" for state, number in sorted(steps.items()))
        lines.append(f"Runbook {run.title}, started by {run.started_by} at {utc(run.started_at)}: steps {ended}.")
    return lines


def _migration_line(migration: Migration) -> str:
    states = Counter(Move.objects.filter(migration=migration).values_list("state", flat=True))
    total, moved = sum(states.values()), states[MoveState.DONE.value]
    took = ""
    if migration.started_at and migration.finished_at:
        took = f" in {(migration.finished_at - migration.started_at).total_seconds():.1f} s"
    failed = f", {states[MoveState.FAILED.value]} failed" if states[MoveState.FAILED.value] else ""
    return f"{moved} of {count(total, 'dyno')} moved to fresh hosts{took}{failed}."


def utc(at: datetime | None) -> str:
    """A time as postmortems write it."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "not yet"
