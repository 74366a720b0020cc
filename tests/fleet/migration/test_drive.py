"""Many moves at once: within the limits, in waves, by one holder, and no further than persons and crashes allow."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from fleet.actor import SYSTEM
from fleet.lab.simulated.demo import run_dyno
from fleet.lifecycle import DynoState, HostState, MigrationState, MoveState
from fleet.migration import drive, mover, rows
from fleet.migration.facts import Limits
from fleet.migration.hold import take_hold
from fleet.migration.mover import (
    create_migration,
    drive_migration,
    due_migrations,
    pause_migration,
    propose,
    start_migration,
)
from fleet.models import App, Crash, CrashKind, Dyno, Host, Migration, Move, Stack, StackImage
from fleet.offloop import in_thread
from fleet.partitions import CRASHES, MINUTES, ensure_partitions
from fleet.ssh import NotStarted
from tests.fleet.programs import IMAGES, STACK, Programs

LIMITS = Limits(canary=0, gate_seconds=0.0, healthy_seconds=5.0, unknown_seconds=0.2, give_up_seconds=0.0)


class Busy(Programs):
    """Calls take a moment, and it is kept how many of a kind went on at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.most = Counter[str](), Counter[str]()
        self.before: Callable[[str, str], Awaitable[None]] | None = None

    async def call(self, endpoint: Any, *, verb: str, **words: Any) -> dict[str, Any]:
        dyno = (words.get("arguments") or {}).get("dyno")
        app = dyno["app"] if isinstance(dyno, dict) else ""
        kinds = [f"{verb} on {endpoint.name}", f"{verb} of {app}"]
        for kind in kinds:
            self.now[kind] += 1
            self.most[kind] = max(self.most[kind], self.now[kind])
        try:
            if self.before:
                await self.before(verb, endpoint.name)
            await asyncio.sleep(0.01)
            return await super().call(endpoint, verb=verb, **words)
        finally:
            for kind in kinds:
                self.now[kind] -= 1


@pytest.fixture
def programs(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Busy:
    """Two old hosts with four dynos of each of three apps between them, and two fresh ones."""
    found, now = Busy(), timezone.now()
    monkeypatch.setattr(mover, "reach_hosts", found.reach)
    stack = Stack.objects.create(name=STACK)
    image = StackImage.objects.create(stack=stack, digest=IMAGES["original"])
    usual = {"state": "in_service", "added_at": now, "address": "127.0.0.1", "host_key": "k"}
    for name in ("old-1", "old-2", "new-1", "new-2"):
        found.add(name)
        Host.objects.create(name=name, memory_mb=512, slots=8, **usual)
    hosts = {host.name: host for host in Host.objects.all()}
    for number in range(12):
        app, _ = App.objects.get_or_create(name=f"app-{number // 4}")
        name, where = f"{app}.{number % 4}", f"old-{number % 2 + 1}"
        run_dyno(found.machines[where], app.name, name, image=IMAGES["original"], at=now.timestamp() - 3600)
        Dyno.objects.create(
            name=name, app=app, host=hosts[where], stack=stack, image=image, memory_mb=64, changed_at=now
        )
    ensure_partitions(CRASHES, times=[now])
    ensure_partitions(MINUTES, times=[now])
    return found


def begin(limits: Limits = LIMITS) -> Migration:
    sources = list(Host.objects.filter(name__startswith="old"))
    plan = propose(sources=sources, limits=limits)
    migration = create_migration(plan=plan, reference="", actor=SYSTEM, now=timezone.now())
    start_migration(migration=migration, actor=SYSTEM, now=timezone.now())
    return migration


def states() -> dict[str, int]:
    return dict(Counter(Move.objects.values_list("state", flat=True)))


def assert_each_runs_once(programs: Busy) -> None:
    placed = dict(Dyno.objects.values_list("name", "host__name"))
    assert programs.places() == {name: [host] for name, host in placed.items()}


@pytest.mark.parametrize(("per_host", "per_app"), [(1, 8), (2, 8), (8, 1), (8, 2), (3, 2)])
def test_no_more_begin_at_once_than_a_host_and_an_app_allow(programs: Busy, per_host: int, per_app: int) -> None:
    migration = begin(Limits(canary=0, starts_per_host=per_host, moves_per_app=per_app))
    drive_migration(migration.pk)
    assert states() == {MoveState.DONE: 12}
    assert max(programs.most[f"start on {host}"] for host in ("new-1", "new-2")) <= per_host
    assert max(programs.most[f"start of app-{number}"] for number in range(3)) <= per_app
    assert_each_runs_once(programs)


def test_waves_follow_each_other_only_when_all_of_one_have_ended(
    programs: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[tuple[int, dict[str, int]]] = []
    note = rows.note_wave

    def look(hold: Any, wave: int, crashes: int, done: int) -> None:
        ended.append((wave, dict(Counter(Move.objects.values_list("state", flat=True)))))
        note(hold, wave, crashes, done)

    monkeypatch.setattr(rows, "note_wave", look)
    migration = begin(Limits(canary=2, wave_size=5, gate_seconds=0.0))
    drive_migration(migration.pk)
    assert ended == [(0, {"done": 2, "planned": 10}), (1, {"done": 7, "planned": 5})]
    assert states() == {MoveState.DONE: 12}


def test_who_loses_the_migration_on_the_way_leaves_it_to_the_other(programs: Busy) -> None:
    migration = begin()

    async def taken_over(verb: str, _host: str) -> None:
        if verb == "commit" and programs.before:
            programs.before = None
            await in_thread(Migration.objects.update, lease_until=timezone.now() - timedelta(seconds=1))
            assert await in_thread(take_hold, migration.pk, now=timezone.now())

    programs.before = taken_over
    drive_migration(migration.pk)
    assert states().get(MoveState.DONE, 0) < 12
    migration.refresh_from_db()
    assert (migration.state, migration.trouble) == (MigrationState.RUNNING, "")
    assert migration.lease_owner, "the other one still holds it"
    Migration.objects.update(lease_until=None)
    drive_migration(migration.pk)
    assert states() == {MoveState.DONE: 12}
    assert_each_runs_once(programs)


def test_an_earlier_holder_is_not_listened_to_any_more(programs: Busy) -> None:
    migration = begin()
    first = take_hold(migration.pk, now=timezone.now())
    assert first is not None
    Move.objects.filter(position=0).update(state=MoveState.STARTING, attempts=1)
    Migration.objects.update(lease_until=None)
    drive_migration(migration.pk)
    target = Move.objects.select_related("target").get(position=0).target.name
    assert programs.programs[target].store.highest_fence() > first.fence
    late = programs.programs[target].handle(
        {"verb": "stop", "operation": "late", "fence": first.fence, "dyno": Move.objects.get(position=0).dyno.name}
    )
    assert (late["ok"], late["error"]) == (False, "stale_fence")
    assert_each_runs_once(programs)


def test_a_fresh_host_that_is_tainted_on_the_way_is_left_for_the_other(programs: Busy) -> None:
    migration = begin()

    async def tainted(verb: str, _host: str) -> None:
        if verb == "health":
            programs.before = None
            await in_thread(lambda: Host.objects.filter(name="new-1").update(state=HostState.TAINTED))

    programs.before = tainted
    drive_migration(migration.pk)
    assert_each_runs_once(programs)
    assert states().get(MoveState.DONE, 0) >= 8  # as many as the other one has room for
    messages = set(Move.objects.filter(state=MoveState.FAILED).values_list("message", flat=True))
    assert messages <= {
        "new-1 was tainted meanwhile.",
        "No fresh host has room for it.",
        "No fresh host is left for it.",
    }


def test_without_any_fresh_host_left_all_fail_where_they_are(programs: Busy) -> None:
    migration = begin()
    Host.objects.filter(name__startswith="new").update(state=HostState.TAINTED)
    drive_migration(migration.pk)
    migration.refresh_from_db()
    assert (migration.state, states()) == (MigrationState.DONE, {MoveState.FAILED: 12})
    assert set(Move.objects.values_list("message", flat=True)) == {"No fresh host is left for it."}
    assert {where[0][:3] for where in programs.places().values()} == {"old"}


def test_moved_dynos_that_crash_meanwhile_pause_it_without_waiting_for_a_gate(
    programs: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(drive, "LOOK_AT_CRASHES_SECONDS", 0.0)
    migration = begin(Limits(canary=0, starts_per_host=1, moves_per_app=1, crash_share=0.25))

    def crash_all() -> None:
        for move in Move.objects.filter(state=MoveState.DONE).select_related("dyno"):
            Crash.objects.bulk_create(
                Crash(
                    key=uuid4(), at=timezone.now(), received_at=timezone.now(), host_id=move.target_id,
                    kind=CrashKind.SEGV, dyno=move.dyno.name, source="test",
                )
                for _ in range(6)
            )  # fmt: skip

    async def crash(verb: str, _host: str) -> None:
        if verb == "start":
            await in_thread(crash_all)
            await asyncio.sleep(0.15)

    programs.before = crash
    drive_migration(migration.pk)
    migration.refresh_from_db()
    assert migration.state == MigrationState.PAUSED
    assert "moved dyno" in migration.trouble
    assert states()[MoveState.PLANNED] > 0
    assert_each_runs_once(programs)


def test_a_person_who_pauses_during_the_gate_is_heard(programs: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "BEAT_SECONDS", 0.02)
    migration = begin(Limits(canary=2, gate_seconds=1.0))
    notes: list[int] = []
    monkeypatch.setattr(rows, "note_wave", lambda *_words: notes.append(1))

    async def paused(verb: str, _host: str) -> None:
        if verb == "stop" and programs.before:
            programs.before = None
            await in_thread(pause_migration, migration=migration, actor=SYSTEM, now=timezone.now())

    programs.before = paused
    drive_migration(migration.pk)
    assert (notes, states()) == ([], {MoveState.DONE: 2, MoveState.PLANNED: 10})
    assert not due_migrations(timezone.now()).exists()


def test_a_worker_without_the_key_says_so_and_keeps_off_for_a_while(
    programs: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = begin()

    def no_key(_work: object) -> None:
        raise NotStarted("This process has no SSH key.")

    monkeypatch.setattr(mover, "reach_hosts", no_key)
    drive_migration(migration.pk)
    migration.refresh_from_db()
    assert (migration.trouble, migration.lease_owner) == ("This process has no SSH key.", "")
    now = timezone.now()
    assert not due_migrations(now).exists()
    assert due_migrations(now + mover.ASK_AGAIN).exists()


def test_a_failure_of_our_own_is_no_reason_to_hold_on_or_to_spin(
    programs: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = begin()

    def breaks(_work: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(mover, "reach_hosts", breaks)
    with pytest.raises(RuntimeError):
        drive_migration(migration.pk)
    migration.refresh_from_db()
    assert migration.lease_owner == ""
    assert not due_migrations(timezone.now()).exists()


def test_a_sick_host_is_left_alone_after_a_few_failures_and_the_rest_goes_elsewhere(programs: Busy) -> None:
    programs.machines["new-1"].faults.never_healthy = True
    Host.objects.filter(name="new-2").update(slots=16, memory_mb=1024)
    programs.machines["new-2"].slots, programs.machines["new-2"].memory_mb = 16, 1024
    migration = begin(Limits(canary=0, healthy_seconds=0.1, target_failures=2, error_share=1.0, starts_per_host=2))
    drive_migration(migration.pk)
    assert states() == {MoveState.DONE: 12}
    assert {host for _, host in Dyno.objects.values_list("name", "host__name")} == {"new-2"}
    assert sum(Move.objects.values_list("attempts", flat=True)) <= 12 + 4
    assert_each_runs_once(programs)
    assert set(Dyno.objects.values_list("state", flat=True)) == {DynoState.RUNNING}
