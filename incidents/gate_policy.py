"""Closes the gate of a stack by policy, when an incident blames a deploy of it surely enough."""

import math
from datetime import datetime

from django.db.models import Q

from fleet.actor import Actor
from incidents.errors import Refused
from incidents.gates import close_gate
from incidents.models import Gate, GatePolicy, Incident
from incidents.severity import is_worse

ACTOR = Actor("system", f"policy “{GatePolicy.NAME}”")
SEVERITIES = list(Incident.Severity.values)


def standing_policy() -> GatePolicy:
    """The policy as it stands; one that is off where nobody ever set it."""
    return GatePolicy.objects.first() or GatePolicy()


def set_policy(*, enabled: bool, least_score: str, least_severity: str, actor: Actor, now: datetime) -> GatePolicy:
    """Changes the policy. Raises Refused, saying what is wrong."""
    values = {
        "enabled": enabled, "least_score": _score(least_score), "least_severity": _severity(least_severity),
        "changed_at": now, "changed_by": actor.name,
    }  # fmt: skip
    return GatePolicy.objects.update_or_create(only=True, defaults=values)[0]


def apply_policy(incident_id: int, *, score: float, now: datetime) -> Gate | None:
    """Closes the gate of the incident's stack where the policy says so; gives the closing.

    Once for each incident at most: what a person opened for it, or by hand since it began, stays open.
    """
    policy = GatePolicy.objects.filter(enabled=True).first()
    if policy is None or score < policy.least_score:
        return None
    incident = Incident.objects.select_related("stack").get(pk=incident_id)
    stack = incident.stack
    if (
        stack is None
        or incident.verdict != Incident.Verdict.DEPLOY
        or is_worse(policy.least_severity, incident.severity)
    ):
        return None
    decided = Q(incident=incident) | Q(opened_at__gte=incident.opened_at, incident__isnull=True)
    if Gate.objects.filter(decided, stack=stack).exists():
        return None
    needed = f"policy “{policy}”: score {score:.1f}, {policy.least_score:g} or more is asked for"
    reason = f"{incident} blames {incident.subject}: {incident.headline} ({needed})"
    try:
        return close_gate(stack=stack, incident=incident, reason=reason, actor=ACTOR, now=now)
    except Refused:  # it is closed already
        return None


def _score(text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not 0 <= score <= 1000:
        raise Refused("The score is a number from 0 to 1000, such as 14. Nothing was changed.")
    return score


def _severity(text: str) -> str:
    if text not in SEVERITIES:
        raise Refused(f"Choose a severity: {', '.join(SEVERITIES)}. Nothing was changed.")
    return text
