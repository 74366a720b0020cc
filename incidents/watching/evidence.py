"""Direct evidence from the fleet's rows: what the suspected deploy did on the cohort, and how the spared hosts fare."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Sum

from fleet.models import CrashMinute, Deploy, Host, HostDeploy
from incidents.models import Evidence, Incident
from incidents.wording import cohort_words, count, outcomes_words


def keep_evidence(incident: Incident, *, now: datetime) -> None:
    """Writes down what speaks for and against, one row a kind, changed only where it changed."""
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
    """Hosts of the cohort that the deploy never touched, or skipped: if they are well, that speaks for the deploy."""
    exposed = HostDeploy.objects.filter(deploy=deploy).exclude(outcome=HostDeploy.Outcome.SKIPPED)
    alike = Host.objects.filter(attributes__contains=incident.cohort) if incident.cohort else Host.objects.all()
    spared = alike.exclude(pk__in=exposed.values("host_id")).filter(dynos__isnull=False).distinct()
    ids = list(spared.values_list("pk", flat=True)[:2000])
    if not ids:
        return
    crashed = CrashMinute.objects.filter(host_id__in=ids, minute__gte=incident.began_at)
    hit = crashed.aggregate(hosts=Count("host", distinct=True), crashes=Sum("count"))
    alike_words = f"with {cohort_words(incident.cohort)} " if incident.cohort else ""
    text = (
        f"{count(len(ids), 'host')} {alike_words}not touched by {incident.subject}: "
        f"{hit['crashes'] or 0} crashes on {hit['hosts']} of them since it began."
    )
    bearing = Evidence.Bearing.FOR if 2 * hit["hosts"] <= len(ids) else Evidence.Bearing.AGAINST
    _keep(incident, "spared", bearing, text, {"hosts": len(ids), "hit": hit["hosts"], "crashes": hit["crashes"]}, now)


def _keep(incident: Incident, kind: str, bearing: str, summary: str, data: dict[str, Any], now: datetime) -> None:
    row = Evidence.objects.filter(incident=incident, kind=kind, host__isnull=True).first()
    if row is None:
        Evidence.objects.create(
            incident=incident, kind=kind, bearing=bearing, summary=summary, data=data, observed_at=now
        )
    elif (row.bearing, row.summary) != (bearing, summary):
        Evidence.objects.filter(pk=row.pk).update(bearing=bearing, summary=summary, data=data, observed_at=now)
