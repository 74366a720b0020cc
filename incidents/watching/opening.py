"""From verdicts to incidents: which one a verdict belongs to, and whether it opens a new one."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from fleet.actor import SYSTEM
from fleet.live import announce
from fleet.models import Deploy
from incidents.correlation.verdict import Board, Verdict
from incidents.models import Delivery, Incident
from incidents.notifying.queueing import tell_people
from incidents.timeline.record import record
from incidents.watching.beginning import first_crash_at
from incidents.watching.blast import proposal
from incidents.watching.cause import cause_of, numbers_of
from incidents.watching.keeping import keep_peak, keep_up, let_fade
from incidents.wording import headline

REPEAT = timedelta(hours=6)


@dataclass(slots=True)
class Carried:
    """What became of a board: numbers of the incidents that were opened, and of those kept up."""

    opened: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)


def carry_out(board: Board, *, now: datetime, passed_by: bool = False) -> Carried:
    """Opens incidents for what stands on the board, keeps the ongoing ones up, lets those fade that stand no longer."""
    carried = Carried()
    standing = {verdict.key for verdict in board.verdicts}
    for verdict in board.verdicts:
        known = _ongoing(verdict)
        incident = known or _taken_over(verdict, standing, now)
        if incident is None and _is_due(verdict, now):
            incident = open_incident(verdict, board=board, now=now)
            carried.opened += [incident.pk] if incident else []
        if incident:
            keep = keep_peak if passed_by and known else keep_up
            keep(incident, verdict, board=board, now=now)
            carried.kept.append(incident.pk)
    for incident in Incident.objects.filter(resolved_at__gte=now - REPEAT) | Incident.objects.ongoing():
        if (incident.verdict, incident.subject) not in standing:
            let_fade(incident, now=now)
    return carried


def open_incident(verdict: Verdict, *, board: Board, now: datetime) -> Incident | None:
    """A new incident with its first entry; None where its deploy is not known, or somebody else was first."""
    deploy = Deploy.objects.select_related("stack").filter(key=verdict.subject).first()
    if verdict.kind == "deploy" and deploy is None:
        return None
    deploy = deploy if verdict.kind == "deploy" else None
    sentence = headline(cause_of(verdict, deploy, board))
    severity, _ = proposal(verdict)
    began_at = first_crash_at(verdict, deploy, now=judged_at(board, now))
    try:
        with transaction.atomic():
            incident = Incident.objects.create(
                severity=severity, verdict=verdict.kind, subject=verdict.subject, headline=sentence,
                deploy=deploy, stack=deploy.stack if deploy else None, cohort=dict(verdict.cohort), began_at=began_at,
                numbers=numbers_of(verdict, deploy, board), opened_at=now, named_at=now,
            )  # fmt: skip
            _tell_opened(incident, verdict, board, now)
            tell_people(incident_id=incident.pk, occasion=Delivery.Occasion.OPENED, now=now)
    except IntegrityError:
        return None
    announce("incidents", incident=incident.pk, state="open")
    return incident


def judged_at(board: Board, now: datetime) -> datetime:
    """As of when the board stands: earlier than now where a watch catches up."""
    return min(now, datetime.fromtimestamp(board.at, UTC)) if board.at else now


def _tell_opened(incident: Incident, verdict: Verdict, board: Board, now: datetime) -> None:
    began = f"First crash that counts: {incident.began_at:%H:%M:%S} UTC."
    behind = now - judged_at(board, now)
    if behind > timedelta(seconds=2 * settings.TICK_SECONDS):
        began += f" The watch was behind: it would have said so at {judged_at(board, now):%H:%M} UTC."
    data = {
        "verdict": verdict.kind, "subject": verdict.subject, "cohort": dict(verdict.cohort),
        "hosts": list(verdict.hosts), "score": verdict.score, "rate_ratio": verdict.rate_ratio,
        "interval": list(verdict.interval), "for": list(verdict.for_), "against": list(verdict.against),
    }  # fmt: skip
    text = f"Opened: {incident.headline}. {began}"
    record(incident_id=incident.pk, kind="opened", text=text, actor=SYSTEM, occurred_at=now, data=data)


def _ongoing(verdict: Verdict) -> Incident | None:
    return Incident.objects.ongoing().filter(verdict=verdict.kind, subject=verdict.subject).first()


def _is_due(verdict: Verdict, now: datetime) -> bool:
    """Whether a verdict without an ongoing incident opens one: not if it was closed lately and stood ever since."""
    named = Incident.objects.ongoing().filter(incident_hosts__host__name__in=verdict.hosts)
    if verdict.kind == "host" and named.filter(incident_hosts__until_at__isnull=True).exists():
        return False
    last = Incident.objects.filter(verdict=verdict.kind, subject=verdict.subject).order_by("-opened_at").first()
    if last is None:
        return True
    closed_at = last.resolved_at or last.opened_at
    return now - closed_at >= REPEAT or not last.numbers.get("standing", True)


def _taken_over(verdict: Verdict, standing: set[tuple[str, str]], now: datetime) -> Incident | None:
    """An ongoing incident about the same hosts whose own cause stands no longer: its cause becomes this one."""
    if verdict.kind not in {"deploy", "group"} or not _is_due(verdict, now):
        return None
    deploy = Deploy.objects.select_related("stack").filter(key=verdict.subject).first()
    if verdict.kind == "deploy" and deploy is None:
        return None
    for incident in Incident.objects.ongoing().exclude(verdict="app").order_by("opened_at"):
        if _yields(incident, verdict, standing):
            return _change_cause(incident, verdict, deploy if verdict.kind == "deploy" else None, now)
    return None


def _yields(incident: Incident, verdict: Verdict, standing: set[tuple[str, str]]) -> bool:
    named = set(incident.incident_hosts.filter(until_at__isnull=True).values_list("host__name", flat=True))
    shared = named & set(verdict.hosts)
    if incident.verdict == "host":
        return bool(shared)
    stands = (incident.verdict, incident.subject) in standing
    return not stands and (2 * len(shared) >= len(named) > 0 or incident.verdict == "fleet")


def _change_cause(incident: Incident, verdict: Verdict, deploy: Deploy | None, now: datetime) -> Incident:
    before = f"{incident.verdict} {incident.subject}"
    Incident.objects.filter(pk=incident.pk).update(
        verdict=verdict.kind, subject=verdict.subject, severity=proposal(verdict)[0], deploy=deploy,
        stack=deploy.stack if deploy else None, cohort=dict(verdict.cohort), named_at=now, numbers={},
        began_at=min(incident.began_at, first_crash_at(verdict, deploy, now=now)),
    )  # fmt: skip
    incident.refresh_from_db()
    text = f"The blame moves from {before} to {verdict.kind} {verdict.subject}."
    data = {"verdict": verdict.kind, "subject": verdict.subject, "before": before, "score": verdict.score}
    record(incident_id=incident.pk, kind="cause", text=text, actor=SYSTEM, occurred_at=now, data=data)
    tell_people(incident_id=incident.pk, occasion=Delivery.Occasion.CAUSE, now=now)
    return incident
