"""Dynos that had to stop before they could start, and whose start failed: no plan forgets them."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from fleet.actor import SYSTEM
from fleet.collecting import collect_hosts
from fleet.lab.fleets import lost_and_doubled, places
from fleet.lifecycle import DynoState, HostState, MigrationState, MoveState
from fleet.migration import carry
from fleet.migration.facts import Limits
from fleet.migration.hold import due_condition
from fleet.migration.mover import (
    NotPossible,
    cancel_migration,
    drive_migration,
    pause_migration,
    propose,
    retry_failed,
)
from fleet.models import App, Dyno, Migration, Move
from incidents.queries import progress_of
from tests.fleet.migration.conftest import Fleet
from tests.fleet.migration.test_kills import spawn

Make = Callable[..., Fleet]
LIMITS = Limits(canary=0, healthy_seconds=20, unknown_seconds=3, error_share=1)
PATIENCE_SECONDS = 60


def sole_dyno(make_fleet: Make, *, dynos: int = 1, targets: int = 1) -> Fleet:
    fleet = make_fleet(sources=1, targets=targets, dynos=dynos)
    App.objects.update(may_overlap=False)
    fleet.taint()
    return fleet


def strand(fleet: Fleet) -> Migration:
    """A migration that has ended, its dyno nowhere, for the fresh host had no room after all."""
    machine = fleet.lab.host("new-1").machine
    machine.slots, slots = 0, machine.slots
    migration = fleet.migrate(LIMITS)
    drive_migration(migration.pk)
    machine.slots = slots
    migration.refresh_from_db()
    return migration


def leave_nowhere(fleet: Fleet, migration: Migration) -> Move:
    """As after a first attempt that failed: stopped on the old host, waiting for its next turn."""
    move = migration.moves.order_by("position").select_related("dyno").last()
    assert move is not None
    machine = fleet.lab.host("old-1").machine
    machine.placed.end(machine.placed.here[move.dyno.name])
    Dyno.objects.filter(pk=move.dyno_id).advance(DynoState.STRANDED, changed_at=timezone.now())
    Move.objects.filter(pk=move.pk).update(attempts=1)
    return move


def test_a_start_that_fails_strands_it_and_rows_page_and_plan_say_so(make_fleet: Make) -> None:
    fleet = sole_dyno(make_fleet)
    migration = strand(fleet)
    dyno, move = Dyno.objects.get(), Move.objects.get()
    assert (migration.state, move.state, dyno.state) == (MigrationState.DONE, MoveState.FAILED, DynoState.STRANDED)
    assert "runs nowhere now" in move.message
    assert places(fleet.lab) == {}
    assert {host.state for host in fleet.sources} == {HostState.TAINTED}  # not drained: something is left to move
    progress = progress_of(migration.pk, now=timezone.now())
    assert progress is not None
    assert (progress.stranded, progress.may) == ([dyno.name], {"retry"})
    plan = propose(sources=fleet.sources)
    assert [planned.dyno.name for planned in plan.moves] == list(plan.stranded) == [dyno.name]
    assert plan.stopped_first == ()
    assert any("run nowhere now" in warning for warning in plan.as_data()["warnings"])


def test_reading_its_old_host_does_not_make_it_lost(make_fleet: Make) -> None:
    fleet = sole_dyno(make_fleet)
    strand(fleet)
    Dyno.objects.update(changed_at=timezone.now() - timedelta(minutes=5))
    collect_hosts()
    assert Dyno.objects.get().state == DynoState.STRANDED


@pytest.mark.timeout(180)
def test_retried_with_a_worker_killed_in_between_it_ends_in_one_place(make_fleet: Make) -> None:
    fleet = sole_dyno(make_fleet)
    first = strand(fleet)
    fleet.lab.host("new-1").machine.faults.slow_start_seconds = 3.0
    again = retry_failed(migration=first, actor=SYSTEM, now=timezone.now())
    assert again.pk != first.pk
    worker, end = spawn(again), time.monotonic() + PATIENCE_SECONDS
    try:
        while not again.moves.filter(state=MoveState.STARTED).exists():
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        worker.kill()
        worker.wait()
    assert places(fleet.lab) == {}
    Migration.objects.update(lease_until=None)
    drive_migration(again.pk)
    name = Dyno.objects.get().name
    assert lost_and_doubled(fleet.lab, [name]) == (0, 0)
    assert places(fleet.lab) == {name: ["new-1"]}
    assert (Dyno.objects.get().state, Dyno.objects.get().host.name) == (DynoState.RUNNING, "new-1")
    assert progress_of(first.pk, now=timezone.now()).stranded == []  # type: ignore[union-attr]
    assert {host.state for host in fleet.sources} == {HostState.DRAINED}


def test_the_first_retry_in_a_migration_that_lives_goes_to_another_host(make_fleet: Make) -> None:
    fleet = sole_dyno(make_fleet, targets=2)
    migration = fleet.migrate(LIMITS)
    move = leave_nowhere(fleet, migration)
    Move.objects.filter(pk=move.pk).update(state=MoveState.FAILED)
    pause_migration(migration=migration, actor=SYSTEM, now=timezone.now())
    fleet.lab.host(move.target.name).machine.slots = 0
    assert retry_failed(migration=migration, actor=SYSTEM, now=timezone.now()) == migration
    drive_migration(migration.pk)
    other = {"new-1": "new-2", "new-2": "new-1"}[move.target.name]
    assert places(fleet.lab) == {move.dyno.name: [other]}


@pytest.mark.parametrize("act", [pause_migration, cancel_migration])
def test_a_dyno_that_runs_nowhere_goes_on_when_a_person_stops_the_others(make_fleet: Make, act: Callable) -> None:  # type: ignore[type-arg]
    fleet = sole_dyno(make_fleet, dynos=3)
    migration = fleet.migrate(LIMITS)
    move = leave_nowhere(fleet, migration)
    act(migration=migration, actor=SYSTEM, now=timezone.now())
    assert Migration.objects.filter(due_condition(timezone.now())).exists()
    drive_migration(migration.pk)
    move.refresh_from_db()
    assert move.state == MoveState.DONE
    assert places(fleet.lab)[move.dyno.name] == ["new-1"]
    assert sorted(where[0] for where in places(fleet.lab).values()) == ["new-1", "old-1", "old-1"]
    assert not Migration.objects.filter(due_condition(timezone.now())).exists()


def test_with_no_place_left_while_paused_it_fails_and_says_so(make_fleet: Make) -> None:
    fleet = sole_dyno(make_fleet, dynos=2)
    migration = fleet.migrate(LIMITS)
    move = leave_nowhere(fleet, migration)
    pause_migration(migration=migration, actor=SYSTEM, now=timezone.now())
    type(fleet.hosts[0]).objects.filter(name="new-1").update(state=HostState.TAINTED)
    drive_migration(migration.pk)
    move.refresh_from_db()
    assert (move.state, "runs nowhere now" in move.message) == (MoveState.FAILED, True)
    with pytest.raises(NotPossible, match="no room for 1 dyno on fresh hosts"):
        retry_failed(migration=migration, actor=SYSTEM, now=timezone.now())
    type(fleet.hosts[0]).objects.filter(name="new-1").update(state=HostState.IN_SERVICE)
    retry_failed(migration=migration, actor=SYSTEM, now=timezone.now())
    drive_migration(migration.pk)
    assert set(migration.moves.values_list("state", flat=True)) == {MoveState.DONE}


def test_a_target_that_never_heard_of_it_is_passed_over(make_fleet: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carry, "START_PATIENCE_SECONDS", 1)
    fleet = sole_dyno(make_fleet, targets=2)
    migration = fleet.migrate(LIMITS)
    refusing = migration.moves.get().target.name
    fleet.running.do(fleet.lab.host(refusing).refuse())
    drive_migration(migration.pk)
    move = migration.moves.get()
    assert (move.state, move.attempts) == (MoveState.DONE, 2)
    assert move.target.name != refusing


def test_one_that_turned_up_elsewhere_is_left_there(make_fleet: Make) -> None:
    fleet = sole_dyno(make_fleet, targets=2)
    migration = fleet.migrate(LIMITS)
    move = leave_nowhere(fleet, migration)
    elsewhere = next(host for host in fleet.hosts if host.name not in {move.target.name, "old-1"})
    Dyno.objects.update(host=elsewhere, state=DynoState.RUNNING)
    drive_migration(migration.pk)
    move.refresh_from_db()
    assert (move.state, move.message) == (MoveState.CANCELLED, "It is no longer on old-1.")
    assert places(fleet.lab) == {}
