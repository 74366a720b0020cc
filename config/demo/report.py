"""What the automatic demo measured, as its last line says it."""

from datetime import datetime
from pathlib import Path
from typing import Any

from fleet.lifecycle import MoveState
from fleet.models import Crash, CrashKind, Migration, Move, Taint
from incidents.models import Incident
from incidents.timeline.export import export
from incidents.timeline.record import is_whole

HARD = [CrashKind.SEGV, CrashKind.BUS, CrashKind.ILL]
FORMATS = ("md", "html", "json", "csv")


def write_postmortem(incident: Incident, folder: Path) -> list[Path]:
    """Exports the incident in every format; gives the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in FORMATS:
        path = folder / f"postmortem.{name}"
        path.write_bytes(export(incident, name).content)
        written.append(path)
    return written


def measure(incident: Incident, *, lab: str, running: dict[str, list[str]], expected: set[str]) -> dict[str, Any]:
    """The contract's line. `running` says on which hosts each dyno really runs, as the hosts themselves told.

    `expected` are the dynos that ran before the story began.
    """
    migration = Migration.objects.filter(reference=incident.reference).latest("created_at")
    moved = migration.moves.filter(state=MoveState.DONE)
    deploy = incident.deploy
    return {
        "demo": "ok",
        "lab": lab,
        "incident": incident.pk,
        "verdict": str(incident.verdict),
        "deploy": deploy.key if deploy else None,
        "cohort": incident.cohort,
        "hosts_tainted": Taint.objects.filter(reference=incident.reference).count(),
        "dynos_moved": moved.count(),
        "dynos_lost": len(expected - {name for name, hosts in running.items() if hosts}),
        "dynos_doubled": sum(len(hosts) > 1 for hosts in running.values()),
        "seconds_to_cause": seconds_to_cause(incident),
        "seconds_to_migrate": seconds_to_migrate(migration),
        "crashes_after": crashes_after(migration),
        "timeline_entries": incident.timeline.count(),
        "timeline_verified": is_whole(incident),
    }


def seconds_to_cause(incident: Incident) -> float | None:
    """From the first damaged crash, a hard one on a named host since the deploy began, to the naming of the cause."""
    first = first_damaged_crash(incident)
    named_at = incident.named_at or incident.opened_at
    return None if first is None else round((named_at - first).total_seconds(), 1)


def first_damaged_crash(incident: Incident) -> datetime | None:
    """When the first hard crash came on a host that the incident names, since the suspected deploy began."""
    hosts = incident.incident_hosts.values_list("host_id", flat=True)
    started_at = incident.deploy.started_at if incident.deploy else incident.began_at
    hard = Crash.objects.filter(host_id__in=list(hosts), kind__in=HARD, at__gte=started_at)
    return hard.order_by("at").values_list("at", flat=True).first()


def seconds_to_migrate(migration: Migration) -> float | None:
    """How long the moves took, from the first to the last."""
    if not (migration.started_at and migration.finished_at):
        return None
    return round((migration.finished_at - migration.started_at).total_seconds(), 1)


def crashes_after(migration: Migration) -> int:
    """Hard crashes of moved dynos since the last of them was moved."""
    ended_at = migration.finished_at
    moved = Move.objects.filter(migration=migration, state=MoveState.DONE).values("dyno__name")
    return Crash.objects.filter(dyno__in=moved, at__gt=ended_at, kind__in=HARD).count() if ended_at else 0


def shortcomings(line: dict[str, Any], *, deploy: str, cohort: dict[str, str]) -> list[str]:
    """What the contract asks for and the line does not hold."""
    wanted = {
        "verdict": "deploy",
        "deploy": deploy,
        "cohort": cohort,
        "dynos_lost": 0,
        "dynos_doubled": 0,
        "crashes_after": 0,
        "timeline_verified": True,
    }
    wrong = [f"{name} is {line[name]!r}, not {value!r}" for name, value in wanted.items() if line[name] != value]
    wrong += [f"{name} is {line[name]!r}" for name in ("hosts_tainted", "dynos_moved") if not line[name]]
    return wrong + [f"{name} is None" for name in ("seconds_to_cause", "seconds_to_migrate") if line[name] is None]
