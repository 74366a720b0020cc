"""How much of the fleet an incident hits, and the severity that follows; it is raised, never lowered, by itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count

from fleet.actor import SYSTEM
from fleet.lifecycle import HostState
from fleet.models import Dyno, Host
from incidents.correlation.verdict import Verdict
from incidents.models import Delivery, Incident
from incidents.notifying.queueing import tell_people
from incidents.severity import Blast, is_worse, propose, severity_words
from incidents.timeline.record import record


def blast_of(verdict: Verdict) -> Blast:
    """What a verdict hits, by the inventory."""
    hosts = Host.objects.exclude(state__in=[HostState.RETIRED, HostState.UNKNOWN]).count()
    whole, hit = _placed(None), _placed(verdict.hosts)
    return Blast(
        verdict.kind, len(verdict.hosts), max(hosts, len(verdict.hosts)), *_pairs(hit, whole),
        verdict.rate_ratio, verdict.interval,
    )  # fmt: skip


def proposal(verdict: Verdict) -> tuple[str, str]:
    """The severity of a new verdict, and why."""
    blast = blast_of(verdict)
    severity = propose(blast)
    return severity, severity_words(severity, blast)


def raise_severity(incident: Incident, verdict: Verdict, before: dict[str, Any], now: datetime) -> dict[str, Any]:
    """What to keep of it among the numbers; worse than before is told. Looked at when the hosts change."""
    known = before.get("severity", {})
    if known.get("named") == len(verdict.hosts):
        return {"severity": known}
    severity, words = proposal(verdict)
    if is_worse(severity, incident.severity):
        changed = Incident.objects.filter(pk=incident.pk, severity=incident.severity).update(severity=severity)
        if changed:
            text = f"Now {severity}, it was {incident.severity}. {words}."
            data = {"severity": severity, "before": incident.severity}
            record(incident_id=incident.pk, kind="severity", text=text, actor=SYSTEM, occurred_at=now, data=data)
            tell_people(incident_id=incident.pk, occasion=Delivery.Occasion.SEVERITY, now=now)
    return {"severity": {"words": words, "proposed": severity, "named": len(verdict.hosts)}}


def _placed(hosts: Sequence[str] | None) -> tuple[int, int]:
    """Dynos and apps on these hosts, or on all."""
    dynos = Dyno.objects.placed()
    dynos = dynos if hosts is None else dynos.filter(host__name__in=list(hosts))
    found = dynos.aggregate(dynos=Count("pk"), apps=Count("app", distinct=True))
    return found["dynos"], found["apps"]


def _pairs(hit: tuple[int, int], whole: tuple[int, int]) -> tuple[int, int, int, int]:
    return hit[0], whole[0], hit[1], whole[1]
