"""Nudges and the clock speak of tasks that there are, in queues that somebody works on; only what is due is nudged."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from config.celery import app, task_modules
from fleet.lifecycle import OperationState
from fleet.models import Host, Migration, Operation
from fleet.performing import PENDING_SECONDS
from fleet.tasks import acting
from fleet.tasks.nudges import nudge, nudge_on_commit
from incidents.backtesting.running import TASK as BACKTEST
from incidents.notifying.queueing import TASK as NOTIFY
from incidents.runbooks.nudges import TASK as STEP

NUDGED = ["fleet.tasks.acting.perform", "fleet.tasks.acting.drive", STEP, NOTIFY, BACKTEST]
SEND = "fleet.tasks.nudges.current_app.send_task"
Sent = list[tuple[str, list[Any]]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    messages: Sent = []
    monkeypatch.setattr(SEND, lambda task, args, **_: messages.append((task, args)))
    return messages


@pytest.fixture(scope="module")
def known() -> set[str]:
    app.loader.import_default_modules()
    return {name for name in app.tasks if not name.startswith("celery.")}


@pytest.mark.parametrize("task", NUDGED)
def test_whatever_is_nudged_is_a_task(task: str, known: set[str]) -> None:
    assert task in known


def test_whatever_the_clock_starts_is_a_task_and_never_piles_up(known: set[str]) -> None:
    entries: list[dict[str, Any]] = list(settings.CELERY_BEAT_SCHEDULE.values())
    assert {entry["task"] for entry in entries} <= known
    assert all(entry["options"]["expires"] >= entry["schedule"] for entry in entries if "options" in entry)


def test_every_task_is_reached_by_somebody_and_is_named_by_its_place(known: set[str]) -> None:
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert known == scheduled | set(NUDGED)
    assert {name.rpartition(".")[0] for name in known} <= set(task_modules())


def test_what_acts_on_hosts_has_a_queue_of_its_own(known: set[str]) -> None:
    router: Any = app.amqp.router

    def queue(task: str) -> str:
        return str(router.route({}, task)["queue"].name)

    assert {queue(task) for task in known if ".acting." in task} == {"acting"}
    assert {queue(task) for task in known if ".acting." not in task} == {"default"}


@pytest.mark.parametrize("problem", [OperationalError("gone"), ConnectionRefusedError("gone"), TimeoutError("slow")])
def test_a_broker_that_is_away_is_no_failure(monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise problem

    monkeypatch.setattr(SEND, fail)
    nudge("fleet.tasks.acting.perform", [1])


def test_another_fault_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise TypeError("not JSON")

    monkeypatch.setattr(SEND, fail)
    with pytest.raises(TypeError):
        nudge("fleet.tasks.acting.perform", [object()])


@pytest.mark.django_db
def test_a_nudge_on_commit_waits_for_it(sent: Sent, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        nudge_on_commit("fleet.tasks.acting.perform", [7])
        assert sent == []
    assert sent == [("fleet.tasks.acting.perform", [7])]


def operation(name: str, state: str, *, asked: float, leased: float | None = None) -> int:
    """`asked` seconds ago; its lease, if it has one, runs for `leased` seconds more."""
    now = timezone.now()
    host, _ = Host.objects.get_or_create(name="h1", defaults={"added_at": now})
    return Operation.objects.create(
        name=name, host=host, verb="taint", actor="x", state=state, requested_at=now - timedelta(seconds=asked),
        lease_until=None if leased is None else now + timedelta(seconds=leased),
    ).pk  # fmt: skip


@pytest.mark.django_db
def test_the_sweeper_nudges_what_nobody_holds_and_nothing_else(sent: Sent) -> None:
    operation("new", OperationState.PENDING, asked=0)
    forgotten = operation("forgotten", OperationState.PENDING, asked=PENDING_SECONDS + 5)
    operation("held", OperationState.RUNNING, asked=60, leased=60)
    crashed = operation("crashed", OperationState.RUNNING, asked=60, leased=-1)
    silent = operation("silent", OperationState.UNKNOWN, asked=60)
    operation("done", OperationState.SUCCEEDED, asked=600)
    acting.sweep()
    assert sorted(sent) == [("fleet.tasks.acting.perform", [pk]) for pk in (forgotten, crashed, silent)]


@pytest.mark.django_db
def test_the_sweeper_finds_a_migration_whose_driver_died(sent: Sent) -> None:
    now = timezone.now()

    def migration(state: str, until: timedelta | None) -> int:
        until_at = now + until if until else None
        return Migration.objects.create(actor="x", created_at=now, state=state, lease_until=until_at).pk

    migration("planned", None)
    migration("running", timedelta(minutes=1))
    abandoned, loose = migration("running", -timedelta(seconds=1)), migration("running", None)
    migration("done", None)
    acting.sweep()
    assert sorted(sent) == [("fleet.tasks.acting.drive", [pk]) for pk in (abandoned, loose)]


@pytest.mark.django_db
def test_a_task_that_crashes_leaves_its_row_for_the_next(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    key = operation("taint-1", OperationState.PENDING, asked=60)

    def die(*_: Any) -> None:
        raise SystemExit(1)

    monkeypatch.setattr("fleet.performing.reach_hosts", die)
    with pytest.raises(SystemExit):
        acting.perform(key)
    row = Operation.objects.get(pk=key)
    assert row.state == OperationState.RUNNING
    assert row.lease_until
    acting.sweep()
    assert sent == []
    Operation.objects.filter(pk=key).update(lease_until=timezone.now() - timedelta(seconds=1))
    acting.sweep()
    assert sent == [("fleet.tasks.acting.perform", [key])]


@pytest.mark.django_db
@pytest.mark.parametrize("task", [acting.perform, acting.drive])
def test_a_nudge_about_a_row_that_is_gone_does_nothing(task: Any) -> None:
    task(987_654)
