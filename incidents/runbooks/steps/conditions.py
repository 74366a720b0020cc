"""Measured conditions that steps check or wait for, one function each, and their registry."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet, Sum

from fleet.lifecycle import MoveState
from fleet.models import App, Crash, CrashMinute, Dyno, Host, HostDeploy, Move
from fleet.wording import count
from incidents.models import Incident
from incidents.runbooks.step import StepContext
from incidents.runbooks.targets import affected_hosts
from incidents.watching.silence import silent_names

PAST = timedelta(hours=2)
QUIET_TICKS = 5


@dataclass(frozen=True)
class Reading:
    """What was measured: `holds` says whether it is what the step wants; `possible`, whether it can ever be."""

    holds: bool
    summary: str
    numbers: dict[str, float | int | str] = field(default_factory=dict)
    possible: bool = True


def recovered(context: StepContext) -> Reading:
    """Whether the moved dynos crash no more than they do on an ordinary day, over the last ticks."""
    incident = context.incident
    moves = Move.objects.filter(migration__reference=incident.reference, state=MoveState.DONE)
    if not moves.exists():
        return Reading(False, "No dyno has been moved for this incident, so nothing can be measured", possible=False)
    ended_at = moves.order_by("-finished_at").values_list("finished_at", flat=True).first()
    began_at = max(filter(None, [ended_at, context.step.started_at]), default=context.now)
    crashes = Crash.objects.filter(dyno__in=moves.values("dyno__name"))
    share = moves.count() / (Dyno.objects.placed().count() or 1)
    usual = share * _in_past(CrashMinute.objects.all(), incident)
    hosts = moves.values_list("target__name", flat=True).distinct()
    return _quiet(context, crashes, usual, began_at=began_at, whose="of moved dynos", hosts=hosts)


def quiet(context: StepContext) -> Reading:
    """Whether what the incident is about crashes no more than it did before it began, over the last ticks."""
    incident = context.incident
    if incident.verdict == Incident.Verdict.APP:
        app = App.objects.filter(name=incident.subject).values("pk")
        crashes, past = Crash.objects.filter(app__in=app), CrashMinute.objects.filter(app_id__in=app)
        hosts, whose = Host.objects.filter(dynos__app__in=app).distinct(), f"of {incident.subject}"
    elif incident.verdict == Incident.Verdict.FLEET:
        crashes, past = Crash.objects.all(), CrashMinute.objects.all()
        hosts, whose = Host.objects.all(), "in the whole fleet"
    else:
        hosts, whose = Host.objects.filter(pk__in=affected_hosts(incident).values("pk")), "on the affected hosts"
        ids = list(hosts.values_list("pk", flat=True))
        crashes, past = Crash.objects.filter(host__in=ids), CrashMinute.objects.filter(host__in=ids)
    names = hosts.values_list("name", flat=True)
    return _quiet(context, crashes, _in_past(past, incident), began_at=None, whose=whose, hosts=names)


def replaced(context: StepContext) -> Reading:
    """Whether every affected host got another image of the stack after the suspected deploy had touched it."""
    deploy = context.incident.deploy
    if deploy is None or deploy.stack is None:
        return Reading(False, "The incident names no deploy of a stack, so nothing can be replaced", possible=False)
    hosts = affected_hosts(context.incident)
    later = HostDeploy.objects.filter(deploy__stack=deploy.stack, deploy__started_at__gt=deploy.started_at)
    later = later.exclude(deploy=deploy).exclude(outcome=HostDeploy.Outcome.FAILED)
    done = hosts.filter(pk__in=later.values("host_id")).count()
    every = hosts.count()
    told = f"{done} of {every} affected hosts have got another image of {deploy.stack} since {deploy.key}"
    return Reading(done == every > 0, told, {"hosts": done, "of": every})


CONDITIONS: dict[str, Callable[[StepContext], Reading]] = {
    "recovered": recovered,
    "quiet": quiet,
    "replaced": replaced,
}


def read_condition(context: StepContext) -> Reading:
    """Measures the condition that the runbook names."""
    return CONDITIONS[context.options["condition"]](context)


def _quiet(
    context: StepContext,
    crashes: QuerySet[Crash],
    usual_in_past: float,
    *,
    began_at: datetime | None,
    whose: str,
    hosts: Iterable[str],
) -> Reading:
    """Few crashes for long enough, since `began_at` at the earliest, on hosts that are all heard of.

    The silence of a feed is no quiet.
    """
    window = timedelta(seconds=settings.TICK_SECONDS * int(context.options.get("quiet_ticks", QUIET_TICKS)))
    since = max(filter(None, [began_at, context.now - window]))
    counted = crashes.filter(at__gte=since, at__lte=context.now).count()
    usual = usual_in_past * (window / PAST)
    silent = silent_names(hosts, context.now)
    seconds = round(max(0.0, (context.now - since).total_seconds()), 1)
    told = f"{count(counted, 'crash', 'crashes')} {whose} in {seconds:g} s; {usual:.1f} are usual"
    if silent:
        told += f"; nothing is heard of {', '.join(silent[:5])}"
    holds = context.now - since >= window and counted <= max(1.0, 2 * usual) and not silent
    numbers: dict[str, float | int | str] = {"crashes": counted, "usual": round(usual, 2), "seconds": seconds}
    return Reading(holds, told, numbers | ({"silent": len(silent)} if silent else {}))


def _in_past(minutes: QuerySet[CrashMinute], incident: Incident) -> float:
    """How many crashes those were in the two hours before the incident began."""
    before = minutes.filter(minute__gte=incident.began_at - PAST, minute__lt=incident.began_at)
    return float(before.aggregate(total=Sum("count"))["total"] or 0)
