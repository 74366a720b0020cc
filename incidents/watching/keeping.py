"""Keeps an ongoing incident as the last tick sees it, and tells its timeline what matters, not every tick."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_datetime

from fleet.actor import SYSTEM
from fleet.live import announce
from fleet.models import Deploy, Host
from incidents.correlation.verdict import Board, Suspect, Verdict
from incidents.gate_policy import apply_policy
from incidents.models import Delivery, Incident, IncidentHost
from incidents.models import Suspect as SuspectRow
from incidents.notifying.queueing import tell_people
from incidents.timeline.record import record
from incidents.watching.blast import raise_severity
from incidents.watching.cause import cause_of, numbers_of
from incidents.watching.evidence import keep_evidence
from incidents.watching.silence import silent_names
from incidents.wording import cohort_words, headline, hosts_changed

STRONG = 0.6  # of its best score: a verdict that fades no longer changes what it names
PAUSE_TICKS = 10
MOST_SUSPECTS = 5


def keep_up(incident: Incident, verdict: Verdict, *, board: Board, now: datetime) -> None:
    """Brings hosts, suspects, evidence, numbers and headline up to date."""
    before = dict(incident.numbers)
    peak = max(verdict.score, float(before.get("peak", 0.0)))
    numbers = numbers_of(verdict, incident.deploy, board)
    numbers |= {"peak": round(peak, 2), "told": before.get("told", {}), "silent": silent_names(verdict.hosts, now)}
    numbers |= raise_severity(incident, verdict, before, now) | {"late": before.get("late", "")}
    changes: dict[str, Any] = {}
    if verdict.score >= STRONG * peak or verdict.kind == "app":
        changes = {"headline": headline(cause_of(verdict, incident.deploy, board)), "cohort": dict(verdict.cohort)}
        _keep_hosts(incident, verdict, now)
        _tell_cohort(incident, verdict, now)
    _tell_hosts(incident, numbers, now)
    _tell_suspects(incident, numbers, before, now)
    _keep_suspects(incident, board.suspects, now)
    keep_evidence(incident, now=now)
    Incident.objects.filter(pk=incident.pk).update(numbers=numbers, **changes)
    apply_policy(incident.pk, score=verdict.score, now=now)
    announce(f"incident:{incident.pk}")


def keep_peak(incident: Incident, verdict: Verdict, *, board: Board, now: datetime) -> None:  # noqa: ARG001
    """Of a bin in which nothing changed but numbers, on the way to a later one: its best score alone."""
    peak = max(round(verdict.score, 2), float(incident.numbers.get("peak", 0.0)))
    Incident.objects.filter(pk=incident.pk).update(numbers=incident.numbers | {"peak": peak, "standing": True})


def let_fade(incident: Incident, *, now: datetime) -> None:
    """Says, once, that the crashes no longer support the verdict."""
    if not incident.numbers.get("standing", True):
        return
    numbers = incident.numbers | {"standing": False}
    Incident.objects.filter(pk=incident.pk).update(numbers=numbers)
    text = "The crashes of late no longer support the verdict; it is not withdrawn by that."
    record(incident_id=incident.pk, kind="faded", text=text, actor=SYSTEM, occurred_at=now)


def _keep_hosts(incident: Incident, verdict: Verdict, now: datetime) -> None:
    """Writes only what changed: thousands of hosts may be named, and mostly the same as a minute ago."""
    rows, named = IncidentHost.objects.filter(incident=incident), set(verdict.hosts)
    known = list(rows.values_list("host__name", "host_id", "until_at"))
    gone = [key for name, key, until_at in known if until_at is None and name not in named]
    back = [key for name, key, until_at in known if until_at is not None and name in named]
    if gone:
        rows.filter(host_id__in=gone).update(until_at=now)
    if back:
        rows.filter(host_id__in=back).update(until_at=None, since_at=now)
    ids = Host.objects.filter(name__in=named - {name for name, _, _ in known}).values_list("pk", flat=True)
    new = [IncidentHost(incident=incident, host_id=key, since_at=now) for key in ids]
    IncidentHost.objects.bulk_create(new, ignore_conflicts=True)


def _tell_hosts(incident: Incident, numbers: dict[str, Any], now: datetime) -> None:
    """The change since the last telling; small ones wait some ticks, so that a roll-out does not flood the record."""
    told = numbers["told"]
    before, told_at = set(told.get("hosts", [])), parse_datetime(told.get("at", ""))
    named = set(incident.incident_hosts.filter(until_at__isnull=True).values_list("host__name", flat=True))
    added, removed = sorted(named - before), sorted(before - named)
    if not (added or removed):
        return
    pause = timedelta(seconds=PAUSE_TICKS * settings.TICK_SECONDS)
    small = len(added) + len(removed) < max(2, len(before) / 2)
    if before and told_at and small and now - told_at < pause:
        return
    numbers["told"] = {"hosts": sorted(named), "at": now.isoformat()}
    text = hosts_changed(added, removed, len(named))
    data = {"added": added, "removed": removed, "named": len(named)}
    record(incident_id=incident.pk, kind="hosts", text=text, actor=SYSTEM, occurred_at=now, data=data)


def _tell_cohort(incident: Incident, verdict: Verdict, now: datetime) -> None:
    if incident.cohort == dict(verdict.cohort):
        return
    words = [f"hosts with {cohort_words(c)}" if c else "every host touched" for c in (verdict.cohort, incident.cohort)]
    text = f"The cohort is now {words[0]}; it was {words[1]}."
    data = {"cohort": dict(verdict.cohort), "before": incident.cohort}
    record(incident_id=incident.pk, kind="cause", text=text, actor=SYSTEM, occurred_at=now, data=data)
    tell_people(incident_id=incident.pk, occasion=Delivery.Occasion.CAUSE, now=now)


def _tell_suspects(incident: Incident, numbers: dict[str, Any], before: dict[str, Any], now: datetime) -> None:
    """Only when a rival comes as close as the named deploy, or falls back again."""
    rival, former = numbers["tied_with"], before.get("tied_with", "")
    if rival and rival != former:
        text = f"{rival} now explains the crashes nearly as well as {incident.subject}."
        record(
            incident_id=incident.pk, kind="suspects", text=text, actor=SYSTEM, occurred_at=now, data={"rival": rival}
        )
    numbers["tied_with"] = rival


def _keep_suspects(incident: Incident, suspects: tuple[Suspect, ...], now: datetime) -> None:
    """The strongest deploys; those that another incident blames are not suspects here."""
    mine = [s for s in suspects if not s.blamed or s.deploy == incident.subject]
    best = sorted(mine, key=lambda suspect: -suspect.score)[:MOST_SUSPECTS]
    deploys = dict(Deploy.objects.filter(key__in=[s.deploy for s in best]).values_list("key", "pk"))
    for suspect in best:
        if suspect.deploy in deploys:
            SuspectRow.objects.update_or_create(
                incident=incident,
                deploy_id=deploys[suspect.deploy],
                defaults={
                    "score": suspect.score,
                    "rate_ratio": suspect.rate_ratio,
                    "interval": [round(bound, 2) for bound in suspect.interval],
                    "speaks_for": list(suspect.for_),
                    "speaks_against": list(suspect.against),
                    "updated_at": now,
                },
            )
