"""What a host said, kept: true or not, whole or half, late or twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from fleet.collecting import Reading, keep_readings
from fleet.lifecycle import DynoState, HostState, MoveState
from fleet.models import App, Crash, CrashMinute, Dyno, Host, KernelLine, Migration, Move

pytestmark = pytest.mark.django_db
DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def host(now: datetime) -> Host:
    return Host.objects.create(
        name="h1", state=HostState.IN_SERVICE, added_at=now, attributes={"zone": "a"}, memory_mb=512, slots=8,
        feed_cursor="5",
    )  # fmt: skip


def dyno(name: str = "shop.web.1", **more: Any) -> dict[str, Any]:
    usual = {"app": "shop", "stack": "cedar-14", "image": DIGEST, "memory_mb": 64, "state": "running"}
    return {"dyno": name, **usual, **more}


def crash(at: datetime, **more: Any) -> dict[str, Any]:
    usual = {"type": "crash", "at": at.isoformat(), "host": "h1", "app": "shop", "signal": "SIGSEGV"}
    return {**usual, "exit_status": 139, **more}


def keep(host: Host, *, now: datetime, seconds: float = 0, **said: Any) -> Host:
    """Keeps one reading that began `seconds` after now."""
    began_at = now + timedelta(seconds=seconds)
    words: dict[str, Any] = {"dynos": [], "cursor": "6", **said}
    keep_readings([Reading(host, began_at, **words)], now=began_at)
    return Host.objects.get(pk=host.pk)


def states() -> dict[str, str]:
    return dict(Dyno.objects.values_list("name", "state"))


# ---- dynos ----


def test_dynos_are_made_once_and_follow_what_the_host_says(host: Host, now: datetime) -> None:
    keep(host, now=now, dynos=[dyno(started_at=now.timestamp())])
    made = Dyno.objects.get()
    assert (made.app.name, made.host, made.memory_mb, made.state) == ("shop", host, 64, "running")
    assert (made.stack.name, made.image.digest) == ("cedar-14", DIGEST)  # type: ignore[union-attr]
    assert made.started_at == datetime.fromtimestamp(now.timestamp(), UTC)
    for seconds, state in ((5, "crashed"), (10, "starting"), (15, "running")):
        keep(host, now=now, seconds=seconds, dynos=[dyno(state=state)])
        assert states() == {"shop.web.1": state}
    assert Dyno.objects.count() == 1


@pytest.mark.parametrize(
    "lie",
    [
        "shop.web.2", None, {}, dyno(provisional=True), dyno(state="flying"), dyno(state=None), dyno(state="stranded"),
        dyno(memory_mb="64"), dyno(memory_mb=True), dyno(memory_mb=-1), dyno(memory_mb=1 << 40), dyno(app=""),
        dyno(app=7), dyno(app="x" * 101), dyno(stack="a\0b"), dyno(image=None), dyno(""), dyno("x" * 101),
    ],
)  # fmt: skip
def test_what_is_no_dyno_makes_none_and_keeps_the_others(host: Host, now: datetime, lie: Any) -> None:
    after = keep(host, now=now, dynos=[lie, dyno("shop.web.9")])
    assert states() == {"shop.web.9": "running"}
    assert after.trouble == ""


def test_a_dyno_that_is_no_longer_told_is_lost_and_comes_back(host: Host, now: datetime) -> None:
    keep(host, now=now, dynos=[dyno(), dyno("shop.web.2")])
    keep(host, now=now, seconds=5, dynos=[dyno("shop.web.2")])
    assert states() == {"shop.web.1": DynoState.LOST, "shop.web.2": "running"}
    keep(host, now=now, seconds=10, dynos=[dyno(), dyno("shop.web.2")])
    assert states()["shop.web.1"] == "running"


def test_one_that_changed_while_the_host_was_being_read_is_left_for_the_next_reading(host: Host, now: datetime) -> None:
    keep(host, now=now, dynos=[dyno()])
    Dyno.objects.update(changed_at=now + timedelta(seconds=5))
    keep(host, now=now, seconds=5.5, dynos=[])
    assert states() == {"shop.web.1": "running"}


def test_those_an_inventory_only_counted_are_not_lost_for_being_unnamed(host: Host, now: datetime) -> None:
    app = App.objects.create(name="shop")
    Dyno.objects.create(name="shop#1", app=app, host=host, counted=True, changed_at=now)
    keep(host, now=now, seconds=5)
    assert states() == {"shop#1": "running"}


def test_a_lost_dyno_that_another_host_runs_is_there_from_then_on(host: Host, now: datetime) -> None:
    other = Host.objects.create(name="h2", state=HostState.IN_SERVICE, added_at=now)
    app = App.objects.create(name="shop")
    for name, state in (("shop.web.1", "lost"), ("shop.web.2", "running"), ("shop.web.3", "stopped")):
        Dyno.objects.create(name=name, app=app, host=other, state=state, changed_at=now)
    keep(host, now=now, seconds=5, dynos=[dyno(f"shop.web.{number}") for number in (1, 2, 3)])
    assert dict(Dyno.objects.values_list("name", "host__name")) == {
        "shop.web.1": "h1", "shop.web.2": "h2", "shop.web.3": "h1",
    }  # fmt: skip
    assert set(states().values()) == {"running"}


@pytest.mark.parametrize("underway", [MoveState.STARTING, MoveState.HEALTHY, MoveState.COMMITTED, MoveState.UNKNOWN])
def test_a_dyno_under_way_is_its_moves_business(host: Host, now: datetime, underway: MoveState) -> None:
    target = Host.objects.create(name="h2", state=HostState.IN_SERVICE, added_at=now)
    row = Dyno.objects.create(name="shop.web.1", app=App.objects.create(name="shop"), host=host, changed_at=now)
    migration = Migration.objects.create(actor="test", created_at=now)
    Move.objects.create(migration=migration, dyno=row, source=host, target=target, position=0, state=underway)
    keep(host, now=now, seconds=5)
    assert states() == {"shop.web.1": "running"}
    Move.objects.update(state=MoveState.DONE)
    keep(Host.objects.get(pk=host.pk), now=now, seconds=10)
    assert states() == {"shop.web.1": "lost"}


# ---- crashes and kernel lines ----


def test_two_who_read_the_same_stretch_count_it_once(host: Host, now: datetime) -> None:
    said: dict[str, Any] = {
        "crashes": [crash(now)],
        "kernel": [{"at": now.timestamp(), "line": "x", "kind": "io_error"}],
    }
    keep(host, now=now, **said)
    after = keep(host, now=now, seconds=1, **{**said, "cursor": "older"})  # the row as it was before the first
    assert after.feed_cursor == "6"
    assert Crash.objects.count() == KernelLine.objects.count() == 1
    assert sum(CrashMinute.objects.values_list("count", flat=True)) == 1


def test_a_crash_is_the_hosts_that_told_it_whatever_it_says(host: Host, now: datetime) -> None:
    keep(host, now=now, crashes=[crash(now, host="somebody-else"), {**crash(now), "host": None, "dyno": "a"}])
    assert set(Crash.objects.values_list("host__name", flat=True)) == {"h1"}
    assert set(Host.objects.values_list("name", flat=True)) == {"h1"}


def test_unreadable_crashes_are_told_and_the_others_kept(host: Host, now: datetime) -> None:
    after = keep(host, now=now, crashes=["boom", crash(now), {**crash(now), "at": "noon"}, crash(now, app="x" * 151)])
    assert Crash.objects.count() == 1
    assert after.trouble.startswith("3 crashes of it could not be read; the first: ")
    assert after.feed_cursor == "6"
    after = keep(after, now=now, seconds=5, crashes=[crash(now, signal=9)], cursor="7")
    assert after.trouble.startswith("1 crash of it could not be read; the first: ")
    assert keep(after, now=now, seconds=10, cursor="8").trouble == ""


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ({"at": "2026-03-04T03:00:00Z", "line": "I/O error, dev loop3", "kind": "io_error", "device": "loop3"},
         ("io_error", "I/O error, dev loop3", "loop3")),
        ({"at": 1772593200, "line": "x" * 900, "kind": "k" * 90, "device": "d" * 90}, ("k" * 20, "x" * 500, "d" * 50)),
        ({"at": "2026-03-04T03:00:00", "line": "a\0b", "kind": None}, ("", "ab", "")),
        ({"at": "2026-02-30T03:00:00Z", "line": "x"}, None),
        ({"at": "yesterday", "line": "x"}, None),
        ({"at": -5, "line": "x"}, None),
        ({"at": 1e300, "line": "x"}, None),
        ({"at": None, "line": "x"}, None),
        ("I/O error", None),
    ],
)  # fmt: skip
def test_kernel_lines_are_kept_where_they_have_a_time(host: Host, now: datetime, line: Any, kept: Any) -> None:
    keep(host, now=now, kernel=[line])
    assert list(KernelLine.objects.values_list("kind", "line", "device")) == ([kept] if kept else [])
    assert set(KernelLine.objects.values_list("at", flat=True)) <= {datetime(2026, 3, 4, 3, tzinfo=UTC)}


# ---- facts ----


@pytest.mark.parametrize(
    ("facts", "attributes", "memory_mb", "slots"),
    [
        ({}, {"zone": "a"}, 512, 8),
        ({"attributes": {"tools": "2.0", "zone": "b"}, "memory_mb": 1024, "slots": 16},
         {"tools": "2.0", "zone": "b"}, 1024, 16),
        ({"attributes": {"cores": 4, "spot": True}}, {"zone": "a", "cores": "4", "spot": "True"}, 512, 8),
        ({"attributes": ["tools"], "memory_mb": "1024", "slots": 0}, {"zone": "a"}, 512, 8),
        ({"attributes": {}, "memory_mb": 1 << 40, "slots": -3}, {"zone": "a"}, 512, 8),
        ({"memory_mb": True, "slots": 2.5}, {"zone": "a"}, 512, 8),
    ],
)  # fmt: skip
def test_facts_are_taken_where_they_can_be_true(
    host: Host, now: datetime, facts: Any, attributes: dict[str, str], memory_mb: int, slots: int
) -> None:
    after = keep(host, now=now, facts=facts)
    assert (after.attributes, after.memory_mb, after.slots) == (attributes, memory_mb, slots)


def test_a_host_that_answers_for_the_first_time_is_in_service(host: Host, now: datetime) -> None:
    for state, becomes in ((HostState.ENROLLING, HostState.IN_SERVICE), (HostState.TAINTED, HostState.TAINTED)):
        Host.objects.update(state=state)
        assert keep(Host.objects.get(), now=now).state == becomes


def test_what_cannot_be_kept_is_said_and_holds_up_no_other_host(host: Host, now: datetime) -> None:
    other = Host.objects.create(name="h2", state=HostState.IN_SERVICE, added_at=now)
    lies = Reading(
        host, now, facts={"attributes": {"tools": "1.9\0"}}, dynos=[dyno()], crashes=[crash(now)], cursor="6"
    )
    keep_readings([lies, Reading(other, now, dynos=[dyno("shop.web.2")], cursor="1")], now=now)
    host.refresh_from_db()
    assert host.feed_cursor == "5"
    assert "cannot be kept" in host.trouble
    assert not Crash.objects.exists()
    assert states() == {"shop.web.2": "running"}
