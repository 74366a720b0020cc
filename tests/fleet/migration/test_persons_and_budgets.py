"""What persons do with a migration under way, and what it does by itself when too much fails."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import connection
from django.utils import timezone

from fleet.actor import SYSTEM
from fleet.lab.fleets import lost_and_doubled, places
from fleet.lab.simulated import IMAGES, Nature, SimulatedMachine
from fleet.lab.simulated.demo import run_dyno
from fleet.lifecycle import HostState, MigrationState, MoveState
from fleet.migration import mover, rows
from fleet.migration.drive import Drive
from fleet.migration.facts import Limits
from fleet.migration.hold import Hold, take_hold
from fleet.migration.mover import (
    NotPossible,
    cancel_migration,
    create_migration,
    drive_migration,
    propose,
    resume_migration,
    retry_failed,
    start_migration,
)
from fleet.models import Dyno, Host, Migration, Move
from tests.fleet.migration.conftest import Fleet
from tests.fleet.migration.test_mover import assert_rows_are_true, names

Make = Callable[..., Fleet]
SLOW = Nature(crashes_per_dyno_hour=0.0, start_least_seconds=0.6, start_most_seconds=0.9)
UNHURRIED = Limits(canary=0, starts_per_host=1, healthy_seconds=10)


def in_background(migration: Migration) -> threading.Thread:
    def work() -> None:
        try:
            drive_migration(migration.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def states(migration: Migration) -> dict[str, int]:
    found = list(migration.moves.values_list("state", flat=True))
    return {state: found.count(state) for state in set(found)}


def test_cancelled_under_way_those_begun_arrive_and_the_others_stay(make_fleet: Make) -> None:
    fleet = make_fleet(targets=1, nature=SLOW)
    fleet.taint()
    migration = fleet.migrate(UNHURRIED)
    thread, end = in_background(migration), time.monotonic() + 30
    while not migration.moves.filter(state=MoveState.STARTED).exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    cancel_migration(migration=migration, actor=SYSTEM, now=timezone.now())
    thread.join(60)
    counted = states(migration)
    assert set(counted) == {MoveState.DONE, MoveState.CANCELLED}
    assert counted[MoveState.CANCELLED] >= 5
    assert lost_and_doubled(fleet.lab, names()) == (0, 0)
    assert_rows_are_true(fleet)
    assert {host.state for host in fleet.sources} == {HostState.TAINTED}
    with pytest.raises(NotPossible, match="cancelled already"):
        resume_migration(migration=migration, actor=SYSTEM, now=timezone.now())


def test_too_many_failed_attempts_pause_it_and_a_person_lets_it_go_on(make_fleet: Make) -> None:
    fleet = make_fleet()
    fleet.taint()
    for name in ("new-1", "new-2"):
        fleet.lab.host(name).machine.faults.never_healthy = True
    migration = fleet.migrate(Limits(canary=0, healthy_seconds=0.4, attempts=9, target_failures=99))
    drive_migration(migration.pk)
    migration.refresh_from_db()
    assert (migration.state, "attempts failed; 4 are allowed" in migration.trouble) == (MigrationState.PAUSED, True)
    assert lost_and_doubled(fleet.lab, names()) == (0, 0)
    assert {where[0][:3] for where in places(fleet.lab).values()} == {"old"}
    for name in ("new-1", "new-2"):
        fleet.lab.host(name).machine.faults.never_healthy = False
    resume_migration(migration=migration, actor=SYSTEM, now=timezone.now())
    drive_migration(migration.pk)
    assert states(migration) == {MoveState.DONE: 8}
    assert_rows_are_true(fleet)


def test_only_the_failed_are_tried_again_and_not_without_room(make_fleet: Make) -> None:
    fleet = make_fleet(dynos=4)
    fleet.taint()
    plan = propose(sources=fleet.sources, limits=UNHURRIED)
    migration = create_migration(plan=plan, reference="", actor=SYSTEM, now=timezone.now())
    start_migration(migration=migration, actor=SYSTEM, now=timezone.now())
    failed = list(migration.moves.order_by("position")[:2])
    Move.objects.filter(pk__in=[move.pk for move in failed]).update(state=MoveState.FAILED)
    cancelled = migration.moves.exclude(state=MoveState.FAILED)
    cancelled.update(state=MoveState.CANCELLED)
    Migration.objects.update(state=MigrationState.DONE)
    Host.objects.filter(name__startswith="new-").update(slots=1)
    Host.objects.filter(name="new-2").update(slots=0)
    with pytest.raises(NotPossible, match=r"no room for 1 dyno on fresh hosts: 1 slot and .* MB are missing"):
        retry_failed(migration=migration, actor=SYSTEM, now=timezone.now())
    assert Migration.objects.count() == 1
    Host.objects.filter(name__startswith="new-").update(slots=16)
    again = retry_failed(migration=migration, actor=SYSTEM, now=timezone.now())
    drive_migration(again.pk)
    assert set(again.moves.values_list("dyno", flat=True)) == {move.dyno_id for move in failed}
    assert sorted(where[0][:3] for where in places(fleet.lab).values()) == ["new", "new", "old", "old"]
    Move.objects.filter(pk=failed[0].pk).update(state=MoveState.FAILED)
    with pytest.raises(NotPossible, match="still there to be moved"):
        retry_failed(migration=migration, actor=SYSTEM, now=timezone.now())


def occupy(fleet: Fleet, move: Move) -> SimulatedMachine:
    """The fresh host has a dyno of that name already, so that it refuses the move's, once and for all."""
    machine: SimulatedMachine = fleet.lab.host(move.target.name).machine
    run_dyno(machine, "imposter", move.dyno.name, image=IMAGES["original"], at=machine.clock())
    return machine


def test_failed_moves_tried_again_under_way_are_taken_up_by_who_is_driving(make_fleet: Make) -> None:
    fleet = make_fleet(targets=1, dynos=6, nature=SLOW)
    fleet.taint()
    migration = fleet.migrate(replace(UNHURRIED, attempts=1))
    first = migration.moves.select_related("dyno", "target").order_by("position")[0]
    machine = occupy(fleet, first)
    thread, end = in_background(migration), time.monotonic() + 30
    while not migration.moves.filter(pk=first.pk, state=MoveState.FAILED).exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    machine.placed.end(machine.placed.here[first.dyno.name])
    assert retry_failed(migration=migration, actor=SYSTEM, now=timezone.now()) == migration
    thread.join(60)
    migration.refresh_from_db()
    assert (migration.state, states(migration)) == (MigrationState.DONE, {MoveState.DONE: 6})
    assert lost_and_doubled(fleet.lab, names()) == (0, 0)
    assert_rows_are_true(fleet)


def test_what_is_asked_at_the_very_end_is_not_left_to_the_sweeper(
    make_fleet: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = make_fleet(targets=1, dynos=1, sources=1)
    fleet.taint()
    migration = fleet.migrate(replace(UNHURRIED, attempts=1))
    machine = occupy(fleet, migration.moves.select_related("dyno", "target").get())
    nudged: list[tuple[str, list[int]]] = []
    settle = rows.settle

    def settle_late(hold: Hold, **options: float) -> bool:
        machine.placed.end(machine.placed.here[Dyno.objects.get().name])
        retry_failed(migration=migration, actor=SYSTEM, now=timezone.now())
        monkeypatch.setattr(mover, "nudge", lambda task, arguments: nudged.append((task, arguments)))
        return settle(hold, **options)

    monkeypatch.setattr(rows, "settle", settle_late)
    drive_migration(migration.pk)
    assert nudged == [("fleet.tasks.acting.drive", [migration.pk])]
    monkeypatch.setattr(rows, "settle", settle)
    drive_migration(migration.pk)
    assert states(migration) == {MoveState.DONE: 1}
    assert len(nudged) == 1


def test_a_host_tried_before_is_taken_where_every_other_is_sick(make_fleet: Make) -> None:
    fleet = make_fleet(dynos=1, sources=1)
    fleet.taint()
    migration = fleet.migrate(UNHURRIED)
    hold = take_hold(migration.pk, now=timezone.now())
    assert hold is not None
    drive = Drive(hold)
    move = drive.moves[0]
    other = next(host_id for host_id in drive.rooms if host_id != move.target_id)
    drive.failures[move.target_id] = drive.limits.target_failures
    drive.tried[move.pk] = {other}
    assert drive._has_place(move, elsewhere=True)
    assert move.target_id == other
    assert Dyno.objects.get().host.name == "old-1"
