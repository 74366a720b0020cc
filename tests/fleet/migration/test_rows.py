"""What a migration writes down and reads: room with what is on its way, the end of it, and crashes of what moved."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from fleet import journal
from fleet.lifecycle import DynoState, HostState, MigrationState, MoveState
from fleet.migration import rows
from fleet.migration.census import USUAL_MB, dynos_to_move, fresh_hosts
from fleet.migration.hold import Hold, take_hold
from fleet.models import App, Crash, CrashKind, Dyno, Host, Migration, Move
from fleet.partitions import CRASHES, ensure_partitions

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(journal, "record", lambda **entry: said.append(entry["text"]))
    return said


@pytest.fixture
def hosts(now: datetime) -> dict[str, Host]:
    return {name: host(name, now) for name in ("old", "new")}


def host(name: str, now: datetime, **more: Any) -> Host:
    usual = {"state": "in_service", "address": "127.0.0.1", "host_key": "k", "memory_mb": 512, "slots": 8}
    return Host.objects.create(name=name, added_at=now, **{**usual, **more})


def dyno(name: str, host: Host, now: datetime, **more: Any) -> Dyno:
    app, _ = App.objects.get_or_create(name=more.pop("app", "shop"))
    return Dyno.objects.create(name=name, app=app, host=host, changed_at=now, **{"memory_mb": 64, **more})


def migration(now: datetime, *states: str, hosts: dict[str, Host], began: datetime | None = None) -> Hold:
    """A running migration with a move in each of these states."""
    made = Migration.objects.create(actor="test", created_at=now, state=MigrationState.RUNNING)
    for place, state in enumerate(states):
        row = dyno(f"shop.{place}", hosts["new" if state in {"done", "committed"} else "old"], now)
        ended = now if state in {"done", "failed", "cancelled"} else None
        Move.objects.create(
            migration=made, dyno=row, source=hosts["old"], target=hosts["new"], position=place, state=state,
            started_at=began, finished_at=ended,
        )  # fmt: skip
    Migration.objects.filter(pk=made.pk).update(lease_until=None)
    hold = take_hold(made.pk, now=now)
    assert hold is not None
    return hold


# ---- the end ----


@pytest.mark.parametrize(
    ("states", "text"),
    [
        (["done"], "The migration is done: 1 of 1 dyno moved."),
        (["done", "done", "failed"], "The migration is done: 2 of 3 dynos moved. 1 move failed."),
        (["failed", "failed"], "The migration is done: 0 of 2 dynos moved. 2 moves failed."),
        (["done", "unknown"],
         "The migration is done: 1 of 2 dynos moved. 1 move waits for hosts that do not answer."),
        (["unknown", "unknown", "cancelled"],
         "The migration is done: 0 of 3 dynos moved. 2 moves wait for hosts that do not answer."),
    ],
)  # fmt: skip
def test_a_migration_ends_when_nothing_is_left_and_says_what_came_of_it(
    hosts: dict[str, Host], now: datetime, told: list[str], states: list[str], text: str
) -> None:
    hold = migration(now, *states, hosts=hosts, began=now - timedelta(seconds=301))
    assert rows.settle(hold, give_up_seconds=300) is True
    assert told == [text]
    assert Migration.objects.get().state == MigrationState.DONE


@pytest.mark.parametrize("state", ["planned", "starting", "started", "healthy", "committed"])
def test_it_does_not_end_while_a_move_is_under_way(
    hosts: dict[str, Host], now: datetime, told: list[str], state: str
) -> None:
    hold = migration(now, "done", state, hosts=hosts, began=now)
    assert rows.settle(hold, give_up_seconds=0) is False
    assert (told, Migration.objects.get().state) == ([], MigrationState.RUNNING)


def test_a_silent_host_is_waited_for_a_while_and_named_as_trouble(
    hosts: dict[str, Host], now: datetime, told: list[str]
) -> None:
    hold = migration(now, "done", "unknown", hosts=hosts, began=now)
    assert rows.settle(hold, give_up_seconds=300) is False
    assert Migration.objects.get().trouble == "1 move waits for hosts that do not answer."
    assert told == []


@pytest.mark.parametrize("ended", [MigrationState.CANCELLED, MigrationState.PAUSED])
def test_one_that_a_person_stopped_is_not_called_done(
    hosts: dict[str, Host], now: datetime, told: list[str], ended: MigrationState
) -> None:
    hold = migration(now, "done", "cancelled", hosts=hosts)
    Migration.objects.update(state=ended)
    assert rows.settle(hold, give_up_seconds=0) is True
    assert (Migration.objects.get().state, told) == (ended, [])


@pytest.mark.parametrize(("left", "state"), [(0, HostState.DRAINED), (1, HostState.TAINTED)])
def test_an_old_host_is_drained_when_it_runs_nothing_any_more_and_tainted_else(
    hosts: dict[str, Host], now: datetime, told: list[str], left: int, state: HostState
) -> None:
    Host.objects.filter(name="old").update(state=HostState.DRAINING)
    hold = migration(now, "done", *["failed"] * left, hosts=hosts)
    assert rows.settle(hold, give_up_seconds=0) is True
    assert Host.objects.get(name="old").state == state
    assert ("old is drained: it runs no dynos any more." in told) is (state == HostState.DRAINED)


def test_a_dyno_that_runs_nowhere_keeps_its_old_host_from_being_drained(
    hosts: dict[str, Host], now: datetime, told: list[str]
) -> None:
    Host.objects.filter(name="old").update(state=HostState.DRAINING)
    hold = migration(now, "failed", hosts=hosts)
    Dyno.objects.update(state=DynoState.STRANDED)
    rows.settle(hold, give_up_seconds=0)
    assert Host.objects.get(name="old").state == HostState.TAINTED


def test_a_wave_is_told_with_what_was_measured(hosts: dict[str, Host], now: datetime, told: list[str]) -> None:
    hold = migration(now, "done", hosts=hosts)
    rows.note_wave(hold, 0, 0, 4)
    rows.note_wave(hold, 2, 1, 1)
    assert told == [
        "The canary wave is done: 4 dynos moved so far, 0 crashes of them measured since. Going on.",
        "Wave 2 is done: 1 dyno moved so far, 1 crash of them measured since. Going on.",
    ]


def test_it_pauses_by_itself_once(hosts: dict[str, Host], now: datetime, told: list[str]) -> None:
    hold = migration(now, "planned", hosts=hosts)
    rows.pause(hold, "5 attempts failed; 4 are allowed.")
    rows.pause(hold, "again")
    assert told == ["The migration paused by itself: 5 attempts failed; 4 are allowed."]
    assert Migration.objects.get().trouble == "5 attempts failed; 4 are allowed."


def test_a_withdrawn_move_is_not_begun(hosts: dict[str, Host], now: datetime, told: list[str]) -> None:
    hold = migration(now, "planned", hosts=hosts)
    move = Move.objects.select_related("dyno", "source", "target").get()
    Move.objects.update(state=MoveState.CANCELLED)
    assert rows.begin_move(hold, move) is False
    Move.objects.update(state=MoveState.PLANNED)
    Host.objects.filter(name="new").update(state=HostState.TAINTED)
    assert rows.begin_move(hold, move) is False
    assert Move.objects.get().attempts == 0
    Host.objects.filter(name="new").update(state=HostState.IN_SERVICE)
    assert rows.begin_move(hold, move) is True
    assert rows.begin_move(hold, move) is False
    assert Move.objects.get().attempts == 1


# ---- crashes of what moved ----


def crash(name: str, where: Host, at: datetime) -> None:
    ensure_partitions(CRASHES, times=[at])
    Crash.objects.create(
        at=at, key=f"{Crash.objects.count() + 1:032x}", received_at=at, host=where, kind=CrashKind.SEGV, dyno=name,
        source="test",
    )  # fmt: skip


def test_crashes_count_where_the_dyno_went_since_the_first_arrived(hosts: dict[str, Host], now: datetime) -> None:
    hold = migration(now - timedelta(seconds=60), "done", "done", "planned", hosts=hosts)
    made = Migration.objects.get(pk=hold.migration_id)
    for name, where, ago in (
        ("shop.0", "new", 10), ("shop.1", "new", 59), ("shop.0", "old", 5), ("shop.2", "new", 5), ("shop.0", "new", 90),
    ):  # fmt: skip
        crash(name, hosts[where], now - timedelta(seconds=ago))
    assert rows.crashes_of_moved(made) == (2, 2)
    made.limits = {"resumed_at": (now - timedelta(seconds=30)).isoformat()}
    assert rows.crashes_of_moved(made) == (1, 2)


def test_where_nothing_moved_nothing_crashed(hosts: dict[str, Host], now: datetime) -> None:
    hold = migration(now, "planned", "failed", hosts=hosts)
    crash("shop.0", hosts["new"], now)
    assert rows.crashes_of_moved(Migration.objects.get(pk=hold.migration_id)) == (0, 0)


# ---- facts for plans ----


def test_room_is_less_what_runs_there_and_what_is_on_its_way(hosts: dict[str, Host], now: datetime) -> None:
    dyno("web.1", hosts["new"], now, app="wiki", memory_mb=100)
    dyno("web.2", hosts["new"], now, app="wiki", state="stopped", memory_mb=400)
    migration(now, "planned", "unknown", "committed", "done", "failed", "cancelled", hosts=hosts)
    [fact] = fresh_hosts({hosts["old"].pk})
    # Two on their way, and two that are there by their rows already: each counts once.
    assert (fact.name, fact.used_slots, fact.used_memory_mb) == ("new", 5, 100 + 4 * 64)
    names = dict(App.objects.values_list("pk", "name"))
    assert {names[app]: number for app, number in fact.apps.items()} == {"wiki": 1, "shop": 4}


def test_a_dyno_whose_memory_nobody_told_takes_up_the_usual_amount(hosts: dict[str, Host], now: datetime) -> None:
    dyno("web.1", hosts["new"], now, memory_mb=0)
    dyno("web.2", hosts["new"], now, memory_mb=100)
    migration(now, "planned", hosts=hosts)
    Dyno.objects.filter(name="shop.0").update(memory_mb=0)
    [fact] = fresh_hosts({hosts["old"].pk})
    assert fact.used_memory_mb == 2 * USUAL_MB + 100


@pytest.mark.parametrize(
    "change",
    [{"state": "tainted"}, {"state": "draining"}, {"state": "unknown"}, {"state": "retired"}, {"address": ""},
     {"host_key": ""}],
)  # fmt: skip
def test_hosts_that_take_none_or_cannot_be_reached_are_no_targets(
    hosts: dict[str, Host], now: datetime, change: dict[str, str]
) -> None:
    assert {fact.name for fact in fresh_hosts(())} == {"old", "new"}
    Host.objects.filter(name="new").update(**change)
    assert {fact.name for fact in fresh_hosts(())} == {"old"}


def test_dynos_to_be_moved_are_those_that_nobody_has_in_hand(hosts: dict[str, Host], now: datetime) -> None:
    migration(now, "planned", "unknown", "failed", "cancelled", hosts=hosts)
    dyno("web.1", hosts["old"], now, app="wiki", memory_mb=0)
    dyno("web.2", hosts["old"], now, app="wiki", state="lost")
    dyno("web.3", hosts["new"], now, app="wiki")
    dyno("web.4", hosts["old"], now, app="wiki", state="stranded")
    facts = {fact.name: fact for fact in dynos_to_move([hosts["old"]])}
    assert set(facts) == {"shop.2", "shop.3", "web.1", "web.4"}
    assert (facts["web.1"].memory_mb, facts["web.1"].app.dynos) == (USUAL_MB, 3)
    assert [name for name, fact in facts.items() if fact.is_stranded] == ["web.4"]
    assert facts["shop.2"].app.dynos == 4
