"""Says on the incident, and of the deploy, when what came late has changed what is held."""

from datetime import datetime

from fleet.actor import SYSTEM
from incidents.correlation.verdict import Verdict
from incidents.models import DeployVerdict, Incident
from incidents.timeline.record import record
from incidents.watching.late import Late, changes, scores
from incidents.watching.memory import Look

LEAST_CRASHES = 3


def say_late(look: Look, *, now: datetime) -> None:
    """One entry for each incident, one line for each deploy, whose score what came late has changed noticeably."""
    late = look.late
    if late is None or (late.crashes < LEAST_CRASHES and not late.host_deploys):
        return
    after = scores(look.board)
    changed = changes(look.before, after, frozenset(look.before.keys() | after.keys()))
    for verdict in look.board.verdicts:
        if verdict.subject in changed and _bears_on(late, verdict):
            _say(verdict, f"{late.words}; the verdict was recomputed: {changed[verdict.subject]}.", late, now)
    for deploy, words in changed.items():
        DeployVerdict.objects.filter(deploy__key=deploy).update(late=f"{late.words}; {words}.")


def _bears_on(late: Late, verdict: Verdict) -> bool:
    return verdict.subject in late.deploys or bool(late.hosts & set(verdict.hosts)) or not verdict.hosts


def _say(verdict: Verdict, text: str, late: Late, now: datetime) -> None:
    incident = Incident.objects.ongoing().filter(verdict=verdict.kind, subject=verdict.subject).first()
    if incident is None:
        return
    Incident.objects.filter(pk=incident.pk).update(numbers=incident.numbers | {"late": text})
    data = {
        "crashes": late.crashes, "host_deploys": late.host_deploys, "first_at": late.first_at, "last_at": late.last_at,
        "known_at": late.known_at,
    }  # fmt: skip
    record(incident_id=incident.pk, kind="late", text=text, actor=SYSTEM, occurred_at=now, data=data)
