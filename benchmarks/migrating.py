"""One migration measured: the fleet, the run, the bound, and what the hosts run afterwards."""

import time
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

django.setup()

from fleet.actions import taint_hosts  # noqa: E402
from fleet.actor import SYSTEM  # noqa: E402
from fleet.lab.fleets import enrol_fleet, lost_and_doubled, migration_fleet  # noqa: E402
from fleet.lab.running import RunningLab  # noqa: E402
from fleet.lab.simulated import Nature, SimulatedLab  # noqa: E402
from fleet.migration.facts import Limits  # noqa: E402
from fleet.migration.mover import create_migration, drive_migration, propose, start_migration  # noqa: E402
from fleet.migration.plan import lower_bound  # noqa: E402
from fleet.models import Dyno, Host, Migration  # noqa: E402
from fleet.partitions import keep_partitions  # noqa: E402
from fleet.performing import perform_operations  # noqa: E402

NATURE = Nature(crashes_per_dyno_hour=0.0, start_least_seconds=0.5, start_most_seconds=3.0)


def measure(folder: Path, *, dynos: int, sources: int, targets: int) -> dict[str, Any]:
    """The makespan against its bound, without faults and with some; and one with the canary wave."""
    call_command("migrate", verbosity=0)
    keep_partitions(now=timezone.now())
    shape = {"dynos": dynos, "sources": sources, "targets": targets}
    plain = run(folder / "plain", Limits(canary=0), faults=False, **shape)
    faulty = run(folder / "faulty", Limits(canary=0, error_share=1.0, attempts=9), faults=True, **shape)
    canary = run(folder / "canary", Limits(), faults=False, **shape)
    return {
        "dynos": dynos,
        "makespan_ratio": plain["ratio"],
        "makespan_ratio_faults": faulty["ratio"],
        "lost": sum(figures["lost"] for figures in (plain, faulty, canary)),
        "doubled": sum(figures["doubled"] for figures in (plain, faulty, canary)),
        "moved": plain["moved"],
        "seconds": plain["seconds"],
        "lower_bound_seconds": plain["bound"],
        "targets": targets,
        "seconds_with_canary": canary["seconds"],
    }


def run(folder: Path, limits: Limits, *, faults: bool, dynos: int, sources: int, targets: int) -> dict[str, Any]:
    """One fleet, one migration."""
    Host.objects.all().delete()
    lab = migration_fleet(folder, sources=sources, targets=targets, dynos=dynos, nature=NATURE)
    with RunningLab(lab):
        settings.SSH_KEY_FILE = lab.client_key
        enrol_fleet(lab, now=timezone.now())
        if faults:
            give_faults(lab, targets)
        migration = prepare(limits)
        names = list(Dyno.objects.values_list("name", flat=True))
        began = time.monotonic()
        drive_migration(migration.pk)
        seconds = time.monotonic() - began
        bound = bound_of(lab, limits, targets)
        lost, doubled = lost_and_doubled(lab, names)
    moved = migration.moves.filter(state="done").count()
    print(f"{folder.name}: {moved} of {len(names)} moved in {seconds:.2f} s, bound {bound:.2f} s")
    return {
        "ratio": round(seconds / bound, 3), "seconds": round(seconds, 2), "bound": round(bound, 2),
        "lost": lost, "doubled": doubled, "moved": moved,
    }  # fmt: skip


def give_faults(lab: SimulatedLab, targets: int) -> None:
    """Every target refuses some starts; the last loses the connection after some."""
    for number in range(1, targets + 1):
        lab.host(f"new-{number}").machine.faults.failing_starts = 0.1
    faults = lab.host(f"new-{targets}").machine.faults
    faults.drop, faults.drop_verb, faults.drops_left = "after", "start", 2


def prepare(limits: Limits) -> Migration:
    """Taints the full hosts, and lets the migration begin."""
    hosts = list(Host.objects.filter(name__startswith="old-"))
    operations = taint_hosts(hosts=hosts, reason="bench", reference="", actor=SYSTEM, now=timezone.now())
    perform_operations(operation_ids=[operation.pk for operation in operations])
    plan = propose(sources=hosts, limits=limits)
    migration = create_migration(plan=plan, reference="", actor=SYSTEM, now=timezone.now())
    start_migration(migration=migration, actor=SYSTEM, now=timezone.now())
    return migration


def bound_of(lab: SimulatedLab, limits: Limits, targets: int) -> float:
    """From the seconds that each dyno on a target really needed until it was healthy there."""
    apps = dict(Dyno.objects.values_list("name", "app_id"))
    placed = [
        dyno for number in range(1, targets + 1) for dyno in lab.host(f"new-{number}").machine.placed.here.values()
    ]
    seconds = [(apps[dyno.name], dyno.healthy_at - dyno.started_at) for dyno in placed]
    return lower_bound(seconds, slots=targets * limits.starts_per_host, per_app=limits.moves_per_app)
