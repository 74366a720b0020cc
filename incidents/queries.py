"""What the pages ask about incidents."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, F, IntegerField, Prefetch, Q, QuerySet, When

from fleet.lifecycle import DynoState, MigrationState, MoveState
from fleet.models import Deploy, HostDeploy, Migration
from incidents.lifecycle import RunState, StepState
from incidents.models import DeployVerdict, Gate, Incident, RunbookRun, RunStep, Suspect, TimelineEntry
from incidents.timeline.revisions import CORRECTION, HIDDEN, SHOWN, Revisions, revisions_of

IN_FLIGHT = [MoveState.STARTING.value, MoveState.STARTED.value, MoveState.HEALTHY.value, MoveState.COMMITTED.value]
ENTRIES = 80
FRESH_TICKS = 15


def listed(state: str, page: str) -> Page[Incident]:
    """A page of incidents, newest first: the ongoing ones, or all."""
    incidents = Incident.objects.all() if state == "all" else Incident.objects.ongoing()
    return Paginator(with_hosts(incidents).order_by("-opened_at"), 30).get_page(page)


def with_hosts(incidents: QuerySet[Incident]) -> QuerySet[Incident]:
    """With the number of hosts each names now."""
    named = Count("incident_hosts", filter=Q(incident_hosts__until_at__isnull=True), distinct=True)
    return incidents.select_related("deploy", "stack").annotate(host_count=named)


def ongoing_with_steps() -> list[Incident]:
    """Ongoing incidents, the worst and newest first, each with its live run as `live_runs`."""
    live = RunbookRun.objects.filter(state__in=RunState.live()).prefetch_related("steps")
    rows = with_hosts(Incident.objects.ongoing()).prefetch_related(Prefetch("runs", live, to_attr="live_runs"))
    return sorted(rows.order_by("-opened_at")[:20], key=lambda incident: _RANK.get(incident.severity, 9))


_RANK = {"major": 0, "minor": 1, "notice": 2}


def latest_run(incident: Incident) -> RunbookRun | None:
    """The run under way, or else the last one."""
    return incident.runs.prefetch_related("steps").order_by("-pk").first()


def step_in_turn(steps: Sequence[RunStep]) -> RunStep | None:
    """The first step that has not ended."""
    ended = (StepState.SUCCEEDED, StepState.SKIPPED, StepState.CANCELLED)
    return next((step for step in steps if step.state not in ended), None)


@dataclass(frozen=True)
class Progress:
    """How far a migration has come."""

    migration: Migration
    counts: dict[str, int]
    moves: list[Any]
    seconds: float
    stranded: list[str]

    @property
    def total(self) -> int:
        """All moves."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """Dynos that run on a fresh host alone."""
        return self.counts.get(MoveState.DONE.value, 0)

    @property
    def failed(self) -> int:
        """Moves given up."""
        return self.counts.get(MoveState.FAILED.value, 0)

    @property
    def unknown(self) -> int:
        """Moves of which a host did not say what became of them."""
        return self.counts.get(MoveState.UNKNOWN.value, 0)

    @property
    def in_flight(self) -> int:
        """Dynos on their way."""
        return sum(self.counts.get(state, 0) for state in IN_FLIGHT)

    @property
    def per_minute(self) -> float:
        """Dynos moved a minute so far."""
        return 60 * self.done / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At the rate so far; None while there is none, or nothing is left."""
        left = self.total - self.done - self.failed - self.counts.get(MoveState.CANCELLED.value, 0)
        return left * self.seconds / self.done if self.done and left > 0 else None

    @property
    def may(self) -> set[str]:
        """What a person may do with it now."""
        acts = {
            MigrationState.RUNNING: {"pause", "cancel"}, MigrationState.PAUSED: {"resume", "cancel"},
        }.get(MigrationState.of(self.migration.state), set())  # fmt: skip
        is_open = self.stranded or self.migration.state != MigrationState.CANCELLED
        return acts | ({"retry"} if self.failed and is_open else set())


def progress_of(migration_id: int | None, *, now: datetime) -> Progress | None:
    """The migration's progress; moves that want eyes come first, fifty at most."""
    migration = Migration.objects.filter(pk=migration_id).first() if migration_id else None
    if migration is None:
        return None
    counts = Counter(dict(migration.moves.order_by().values_list("state").annotate(Count("pk"))))
    loud = [MoveState.FAILED.value, MoveState.UNKNOWN.value, *IN_FLIGHT]
    rows = migration.moves.select_related("dyno", "source", "target")
    moves = list(rows.filter(state__in=loud).order_by("position")[:50])
    moves += list(rows.exclude(state__in=loud).order_by("-finished_at", "position")[: max(0, 12 - len(moves))])
    began, ended = migration.started_at or now, migration.finished_at or now
    stranded = migration.moves.filter(dyno__state=DynoState.STRANDED, dyno__host=F("source")).order_by("dyno__name")
    names = list(stranded.values_list("dyno__name", flat=True))
    return Progress(migration, dict(counts), moves, max(0.0, (ended - began).total_seconds()), names)


@dataclass(frozen=True)
class TimelinePart:
    """Some entries, newest first; `older` is where the part before them begins."""

    entries: list[TimelineEntry]
    kinds: list[str]
    kind: str
    older: int | None
    revisions: Revisions = field(default_factory=Revisions)


def timeline_part(incident: Incident, *, kind: str = "", before: int | None = None) -> TimelinePart:
    """The newest entries, of one kind where one is asked for, before a sequence where one is given."""
    entries = incident.timeline.order_by("-sequence")
    kinds = sorted(incident.timeline.order_by().values_list("kind", flat=True).distinct())
    entries = entries.filter(kind=kind) if kind in kinds else entries
    entries = entries if before is None else entries.filter(sequence__lt=before)
    found = list(entries[: ENTRIES + 1])
    older = found[ENTRIES - 1].sequence if len(found) > ENTRIES else None
    revisions = revisions_of(incident.timeline.filter(kind__in=[CORRECTION, HIDDEN, SHOWN]))
    return TimelinePart(found[:ENTRIES], kinds, kind if kind in kinds else "", older, revisions)


def standing_gates() -> QuerySet[Gate]:
    """Closed gates."""
    return Gate.objects.filter(opened_at__isnull=True).select_related("stack", "incident").order_by("closed_at")


@dataclass(frozen=True)
class DeployRow:
    """A deploy with what it did on hosts, and what is thought of it."""

    deploy: Deploy
    outcomes: dict[str, int]
    blamed_in: int | None
    weighed_in: int | None
    standing: DeployVerdict | None = None

    @property
    def hosts(self) -> int:
        """Hosts it reached, those it skipped included."""
        return sum(self.outcomes.values())

    @property
    def verdict(self) -> tuple[str, str]:
        """A tone and the words."""
        if self.blamed_in:
            return "bad", "suspected"
        if self.weighed_in or (self.standing and self.standing.word in {"cause", "suspect"}):
            return "warn", "weighed, not blamed"
        if not self.hosts:
            return "calm", "has not reached a host yet"
        if self.standing is None:
            return "calm", "not judged"
        return ("good" if self.standing.word == "harmless" else "calm"), self.standing.get_word_display()

    @property
    def reading(self) -> str:
        """What is held of it by now, in a sentence."""
        if self.standing:
            return self.standing.sentence
        if not self.hosts:
            return "It has not reached a host yet, so there is nothing to compare."
        return "Nobody has judged it: it was over before the watch began, or the watch has not come to it yet."


def page_of_deploys(page: str) -> tuple[Page[Deploy], list[DeployRow]]:
    """A page of deploys, newest first, in a fixed number of queries."""
    deploys = Deploy.objects.select_related("stack", "image", "from_image").order_by("-started_at", "-pk")
    found = Paginator(deploys, 30).get_page(page)
    return found, deploy_rows(list(found))


def host_deploys_by_outcome(deploy: Deploy) -> QuerySet[HostDeploy]:
    """What it did on each host; what harms, and what failed, first."""
    order = Case(
        When(outcome=HostDeploy.Outcome.OVERWROTE, then=0),
        When(outcome=HostDeploy.Outcome.FAILED, then=1),
        When(outcome=HostDeploy.Outcome.INSTALLED, then=2),
        default=3,
        output_field=IntegerField(),
    )
    return HostDeploy.objects.filter(deploy=deploy).select_related("host").order_by(order, "host__name")


def deploy_rows(deploys: list[Deploy]) -> list[DeployRow]:
    """Each with its outcomes and suspicions."""
    outcomes: dict[int, dict[str, int]] = {deploy.pk: {} for deploy in deploys}
    counted = HostDeploy.objects.filter(deploy__in=deploys).order_by().values_list("deploy", "outcome")
    for key, outcome, count in counted.annotate(n=Count("pk")):
        outcomes[key][outcome] = count
    blamed = dict(
        Incident.objects.filter(deploy__in=deploys)
        .exclude(state="dismissed")
        .order_by("pk")
        .values_list("deploy", "pk")
    )
    weighed = dict(Suspect.objects.filter(deploy__in=deploys).order_by("pk").values_list("deploy", "incident"))
    standing = {row.deploy_id: row for row in DeployVerdict.objects.filter(deploy__in=deploys)}
    return [DeployRow(d, outcomes[d.pk], blamed.get(d.pk), weighed.get(d.pk), standing.get(d.pk)) for d in deploys]


def under_suspicion(now: datetime) -> QuerySet[DeployVerdict]:
    """Deploys that are suspected and not blamed, the strongest first: shown before anybody is told."""
    lately = now - timedelta(seconds=FRESH_TICKS * settings.TICK_SECONDS)
    suspected = DeployVerdict.objects.filter(word=DeployVerdict.Word.SUSPECT, judged_to__gte=lately)
    return suspected.select_related("deploy__stack").order_by("-score")[:5]
