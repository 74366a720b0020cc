"""Migrations against simulated hosts over real SSH, their rows in a real database."""

from collections.abc import Callable
from dataclasses import replace

from django.utils import timezone

from fleet.actor import SYSTEM
from fleet.lab.fleets import lost_and_doubled, places
from fleet.lifecycle import HostState, MigrationState, MoveState
from fleet.migration.facts import Limits
from fleet.migration.mover import drive_migration, pause_migration, resume_migration
from fleet.models import App, Dyno, Move
from tests.fleet.migration.conftest import QUICK, Fleet

LIMITS = Limits(canary=2, gate_seconds=0.2, healthy_seconds=5, unknown_seconds=3)


def names() -> list[str]:
    return list(Dyno.objects.values_list("name", flat=True))


def assert_rows_are_true(fleet: Fleet) -> None:
    rows = dict(Dyno.objects.placed().values_list("name", "host__name"))
    assert {name: [host] for name, host in rows.items()} == places(fleet.lab)


def test_every_dyno_moves_and_sources_are_drained(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet()
    fleet.taint()
    migration = fleet.migrate(LIMITS)
    drive_migration(migration.pk)
    migration.refresh_from_db()
    assert migration.state == MigrationState.DONE, list(migration.moves.values_list("state", "message"))
    assert set(migration.moves.values_list("state", flat=True)) == {MoveState.DONE}
    assert lost_and_doubled(fleet.lab, names()) == (0, 0)
    assert_rows_are_true(fleet)
    assert {host.state for host in fleet.sources} == {HostState.DRAINED}
    assert migration.moves.filter(wave=0).count() == 2


def test_a_target_that_fails_is_left_alone(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(targets=3)
    fleet.taint()
    fleet.lab.host("new-1").machine.faults.never_healthy = True
    migration = fleet.migrate(Limits(canary=0, healthy_seconds=0.6, error_share=1, target_failures=2))
    drive_migration(migration.pk)
    migration.refresh_from_db()
    assert migration.state == MigrationState.DONE
    assert lost_and_doubled(fleet.lab, names()) == (0, 0)
    assert not Move.objects.filter(state=MoveState.DONE, target__name="new-1").exists()
    assert_rows_are_true(fleet)


def test_lost_answers_never_double(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet()
    fleet.taint()
    for verb, name in (("start", "new-1"), ("commit", "new-2"), ("stop", "old-1")):
        faults = fleet.lab.host(name).machine.faults
        faults.drop, faults.drop_verb, faults.drops_left = "after", verb, 2
    migration = fleet.migrate(LIMITS)
    drive_migration(migration.pk)
    migration.refresh_from_db()
    assert migration.state == MigrationState.DONE, list(migration.moves.values_list("state", "message"))
    assert lost_and_doubled(fleet.lab, names()) == (0, 0)
    assert_rows_are_true(fleet)


def test_an_old_host_that_is_silent_is_unknown_not_running_for_ever(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(sources=2, dynos=4)
    fleet.taint()
    migration = fleet.migrate(Limits(canary=0, unknown_seconds=0.5, give_up_seconds=0, healthy_seconds=5))
    fleet.running.do(fleet.lab.host("old-1").refuse())
    drive_migration(migration.pk)
    migration.refresh_from_db()
    assert migration.state == MigrationState.DONE
    unknown = migration.moves.filter(state=MoveState.UNKNOWN)
    assert set(unknown.values_list("source__name", flat=True)) == {"old-1"}
    assert "old-1" in unknown[0].message
    fleet.running.do(fleet.lab.host("old-1").listen())
    type(migration).objects.update(lease_until=None)
    drive_migration(migration.pk)
    assert lost_and_doubled(fleet.lab, names()) == (0, 0)
    assert set(migration.moves.values_list("state", flat=True)) == {MoveState.DONE}


def test_an_app_that_must_not_overlap_stops_first(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(dynos=4)
    App.objects.update(may_overlap=False)
    fleet.taint()
    migration = fleet.migrate(Limits(canary=0))
    drive_migration(migration.pk)
    assert set(migration.moves.values_list("state", flat=True)) == {MoveState.DONE}
    assert lost_and_doubled(fleet.lab, names()) == (0, 0)


def test_a_paused_migration_begins_nothing_and_goes_on_when_resumed(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet()
    fleet.taint()
    migration = fleet.migrate(LIMITS)
    pause_migration(migration=migration, actor=SYSTEM, now=timezone.now())
    drive_migration(migration.pk)
    assert set(migration.moves.values_list("state", flat=True)) == {MoveState.PLANNED}
    resume_migration(migration=migration, actor=SYSTEM, now=timezone.now())
    drive_migration(migration.pk)
    assert set(migration.moves.values_list("state", flat=True)) == {MoveState.DONE}


def test_moved_dynos_that_crash_pause_it_at_the_gate(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet()
    fleet.taint()
    migration = fleet.migrate(Limits(canary=2, gate_seconds=3, gate_crashes=0))
    for name in ("new-1", "new-2"):
        fleet.lab.host(name).machine.placed.nature = replace(QUICK, crashes_per_dyno_hour=3600.0)
    drive_migration(migration.pk)
    migration.refresh_from_db()
    assert migration.state == MigrationState.PAUSED
    assert "of 2 moved dynos on their new hosts" in migration.trouble
    assert migration.moves.filter(state=MoveState.PLANNED).count() == 6
