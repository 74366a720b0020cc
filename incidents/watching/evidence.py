"""Direct evidence from the fleet's rows: what the suspected deploy did, what kernels said, how spared hosts fare."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Q, QuerySet, Sum

from fleet.models import CrashMinute, Deploy, Host, HostDeploy, KernelLine
from fleet.wording import count
from incidents.models import Evidence, Incident
from incidents.watching.readings import DAMAGE_LINES
from incidents.watching.silence import silent_hosts
from incidents.wording import cohort_words, outcomes_words

SKIPPED = HostDeploy.Outcome.SKIPPED
MOST_HOSTS = 2000
MOST_KERNELS = 50


def keep_evidence(incident: Incident, *, now: datetime) -> None:
    """Writes down what speaks for and against, one row a kind (and host), changed only where it changed."""
    _keep_kernels(incident, now)
    if incident.deploy is not None:
        _keep_outcomes(incident, incident.deploy, now)
        _keep_spared(incident, incident.deploy, now)


def _keep_outcomes(incident: Incident, deploy: Deploy, now: datetime) -> None:
    rows = HostDeploy.objects.filter(deploy=deploy).values("outcome").annotate(hosts=Count("pk"))
    outcomes = {row["outcome"]: row["hosts"] for row in rows.order_by("outcome")}
    bearing = Evidence.Bearing.FOR if outcomes.get("overwrote") else Evidence.Bearing.NEUTRAL
    text = f"{outcomes_words(incident.subject, outcomes)}."
    _keep(incident, "outcomes", bearing, text, {"deploy": incident.subject, "outcomes": outcomes}, now)


def _keep_spared(incident: Incident, deploy: Deploy, now: datetime) -> None:
    """Hosts that the deploy never touched, or skipped: that they are well speaks for it. Silent ones do not count."""
    hosts, which = _spared(incident, deploy)
    ids = list(hosts.exclude(pk__in=silent_hosts(now).values("pk")).values_list("pk", flat=True)[:MOST_HOSTS])
    if not ids:
        return
    crashed = CrashMinute.objects.filter(host_id__in=ids, first_at__gte=incident.began_at)
    hit = crashed.filter(minute__gte=incident.began_at.replace(second=0, microsecond=0)).aggregate(
        hosts=Count("host", distinct=True), crashes=Sum("count")
    )
    crashes = hit["crashes"] or 0
    text = f"{count(len(ids), 'host')} {which}: {count(crashes, 'crash', 'crashes')} on {hit['hosts']} of them since."
    bearing = Evidence.Bearing.FOR if 2 * hit["hosts"] <= len(ids) else Evidence.Bearing.NEUTRAL
    _keep(incident, "spared", bearing, text, {"hosts": len(ids), "hit": hit["hosts"], "crashes": crashes}, now)


def _spared(incident: Incident, deploy: Deploy) -> tuple[QuerySet[Host], str]:
    """Hosts of the cohort that it did not touch, where there are any; else those that it skipped."""
    touched = HostDeploy.objects.filter(deploy=deploy).exclude(outcome=SKIPPED).values("host_id")
    running = Host.objects.filter(dynos__isnull=False).exclude(pk__in=touched).distinct().order_by("pk")
    if incident.cohort:
        alike = running.filter(attributes__contains=incident.cohort)
        if alike.exists():
            return alike, f"with {cohort_words(incident.cohort)} that {incident.subject} did not touch"
    skipped = running.filter(host_deploys__deploy=deploy, host_deploys__outcome=SKIPPED)
    return skipped, f"that {incident.subject} skipped"


def _keep_kernels(incident: Incident, now: datetime) -> None:
    """What the kernels of the named hosts said since it began, a row a host."""
    named = incident.incident_hosts.filter(until_at__isnull=True).values("host_id")
    lines = KernelLine.objects.filter(host_id__in=named, at__gte=incident.began_at, kind__in=DAMAGE_LINES)
    rows = lines.values("host_id", "host__name").annotate(lines=Count("pk"), last=Max("line")).order_by("host_id")
    for row in rows[:MOST_KERNELS]:
        text = f"{row['host__name']}: {count(row['lines'], 'kernel error')} of an image since, such as {row['last']!r}."
        _keep(incident, "kernel", Evidence.Bearing.FOR, text, {"lines": row["lines"]}, now, host_id=row["host_id"])
    hidden = KernelLine.objects.filter(host_id__in=named, at__gte=incident.began_at, kind="suppressed")
    if hosts := hidden.aggregate(hosts=Count("host", distinct=True))["hosts"]:
        text = f"The kernels of {count(hosts, 'host')} say that they saw more crashes than they logged."
        _keep(incident, "suppressed", Evidence.Bearing.NEUTRAL, text, {"hosts": hosts}, now)


def _keep(
    incident: Incident,
    kind: str,
    bearing: str,
    summary: str,
    data: dict[str, Any],
    now: datetime,
    host_id: int | None = None,
) -> None:
    about = Q(host__isnull=True) if host_id is None else Q(host_id=host_id)
    row = Evidence.objects.filter(about, incident=incident, kind=kind).first()
    if row is None:
        Evidence.objects.create(
            incident=incident, host_id=host_id, kind=kind, bearing=bearing, summary=summary, data=data, observed_at=now
        )
    elif (row.bearing, row.summary) != (bearing, summary):
        Evidence.objects.filter(pk=row.pk).update(bearing=bearing, summary=summary, data=data, observed_at=now)
