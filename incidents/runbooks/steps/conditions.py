"""Measured conditions that steps check or wait for."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Sum

from fleet.models import Crash, CrashMinute, Dyno, Move
from incidents.models import Incident, RunStep


@dataclass(frozen=True)
class Reading:
    """What was measured: `holds` says whether it is what the step wants."""

    holds: bool
    summary: str
    numbers: dict[str, float | int | str]


def last_move_ended_at(incident: Incident) -> datetime | None:
    """When the last dyno of this incident's migrations stopped on its old host."""
    moves = Move.objects.filter(migration__reference=incident.reference, finished_at__isnull=False)
    return moves.order_by("-finished_at").values_list("finished_at", flat=True).first()


def recovered(incident: Incident, step: RunStep, *, quiet_ticks: int, now: datetime) -> Reading:
    """Whether the moved dynos crash no more than they do on an ordinary day, over the last `quiet_ticks` ticks."""
    began_at = max(filter(None, [last_move_ended_at(incident), step.started_at]), default=now)
    window = timedelta(seconds=settings.TICK_SECONDS * quiet_ticks)
    moved = Move.objects.filter(migration__reference=incident.reference, state="done").values("dyno__name")
    crashes = Crash.objects.filter(dyno__in=moved, at__gte=max(began_at, now - window), at__lte=now).count()
    normal = usual_crashes(incident, window)
    waited = now - began_at >= window
    numbers: dict[str, float | int | str] = {
        "crashes": crashes,
        "usual": round(normal, 2),
        "seconds": round(min(window, now - began_at).total_seconds(), 1),
    }
    measured = f"{crashes} crashes of moved dynos in {numbers['seconds']:g} s; {normal:.1f} are usual"
    return Reading(waited and crashes <= max(1.0, 2 * normal), measured, numbers)


def usual_crashes(incident: Incident, window: timedelta) -> float:
    """How many crashes the moved dynos' share of the fleet had in such a window before the incident began."""
    past = timedelta(hours=2)
    before = CrashMinute.objects.filter(minute__gte=incident.began_at - past, minute__lt=incident.began_at)
    total = before.aggregate(total=Sum("count"))["total"] or 0
    moved = Move.objects.filter(migration__reference=incident.reference, state="done").count()
    placed = Dyno.objects.placed().count() or 1
    return float(total) * (window / past) * moved / placed
