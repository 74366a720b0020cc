"""Operations on hosts: sent once, found out about afterwards, and written down by whoever holds them alone."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from fleet import performing
from fleet.actions import request_operation
from fleet.actor import SYSTEM
from fleet.leases import next_fence
from fleet.lifecycle import OperationState
from fleet.models import Host, Operation, Taint
from fleet.performing import deadline_of, due_operations, perform_operations
from fleet.ssh import NotStarted, Rejected, Unknown
from tests.fleet.programs import Programs

LOST, AWAY = Unknown("the connection was lost; it may have run"), NotStarted("cannot connect")
BUSY = Rejected("busy", "another install of this image runs", retry=True)


@pytest.fixture
def programs(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """One host, called without a connection between; no pause takes any time."""
    found, no_pause = Programs(), asyncio.sleep
    monkeypatch.setattr(performing, "reach_hosts", found.reach)
    monkeypatch.setattr("fleet.performing.asyncio.sleep", lambda _seconds: no_pause(0))
    found.add("h1")
    Host.objects.create(name="h1", state="in_service", added_at=timezone.now(), address="127.0.0.1", host_key="k")
    return found


def request(verb: str = "taint", name: str = "taint-0", **arguments: Any) -> Operation:
    words: dict[str, Any] = {"reference": "", "actor": SYSTEM, "now": timezone.now()}
    return request_operation(host=Host.objects.get(), verb=verb, arguments=arguments, name=name, **words)


def perform(operation: Operation, **later: float) -> Operation:
    perform_operations(operation_ids=[operation.pk], now=timezone.now() + timedelta(**later))
    return Operation.objects.get(pk=operation.pk)


def sent(programs: Programs) -> list[str]:
    return [verb for verb, _ in programs.sent]


def test_what_succeeded_is_kept_with_its_answer_and_its_times(programs: Programs) -> None:
    done = perform(request(reason="bad image"))
    assert (done.state, done.attempts, done.error, done.lease_until) == (OperationState.SUCCEEDED, 1, "", None)
    assert done.result["taint"]["reason"] == "bad image"  # type: ignore[index]
    assert done.started_at <= done.finished_at  # type: ignore[operator]
    assert perform(done).attempts == 1
    assert sent(programs) == ["taint"]


def test_a_refusal_that_may_pass_is_asked_again_a_few_times(programs: Programs) -> None:
    with programs.mishap("taint", BUSY, times=2):
        assert perform(request()).state == OperationState.SUCCEEDED
    with programs.mishap("taint", BUSY):
        given_up = perform(request(name="taint-1"))
    assert (given_up.state, given_up.error) == (OperationState.REJECTED, "busy")
    assert given_up.message == "another install of this image runs"


def test_a_final_refusal_is_not_repeated(programs: Programs) -> None:
    refused = perform(request("verify", "v", stack="none", image="sha256:" + "0" * 64))
    assert (refused.state, refused.error) == (OperationState.REJECTED, "no_image")
    assert sent(programs) == ["verify"]


def test_a_host_that_comes_back_in_time_is_reached_and_one_that_does_not_is_said_not_to_be(programs: Programs) -> None:
    with programs.mishap("taint", AWAY, times=3):
        assert perform(request()).state == OperationState.SUCCEEDED
    with programs.mishap("taint", AWAY):
        away = perform(request(name="taint-1"))
    assert (away.state, away.error, away.message) == (OperationState.NOT_STARTED, "not_reached", "cannot connect")
    assert away.finished_at is not None


def test_only_what_changes_a_host_carries_a_fence(programs: Programs) -> None:
    perform(request("verify", "v", stack="none", image="x"))
    assert programs.programs["h1"].store.highest_fence() == 0
    perform(request())
    assert programs.programs["h1"].store.highest_fence() == Operation.objects.get(name="taint-0").fence


# ---- fences ----


def test_a_host_that_saw_a_higher_fence_is_asked_with_a_higher_one(programs: Programs) -> None:
    operation = request()
    programs.programs["h1"].store.raise_fence(next_fence() + 1)
    done = perform(operation)
    assert done.state == OperationState.SUCCEEDED
    assert done.fence == programs.programs["h1"].store.highest_fence()


def test_a_host_that_others_act_on_all_the_time_is_given_up(programs: Programs) -> None:
    programs.programs["h1"].store.raise_fence(1 << 40)
    refused = perform(request())
    assert (refused.state, refused.error) == (OperationState.REJECTED, "stale_fence")
    assert not programs.machines["h1"].facts({})["tainted"]


def test_whoever_was_taken_over_writes_nothing_down(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    operation, taint = request(), programs.machines["h1"].taint

    def taken_over(words: dict[str, Any]) -> dict[str, Any]:
        threads.append(asyncio.to_thread(take_over))
        return dict(taint(words))

    def take_over() -> None:
        Operation.objects.filter(pk=operation.pk).update(fence=next_fence(), message="mine now")

    threads: list[Any] = []
    call = programs.call

    async def call_then_lose(*words: Any, **more: Any) -> dict[str, Any]:
        answer = await call(*words, **more)
        await threads.pop()
        return answer

    monkeypatch.setattr(programs.machines["h1"], "taint", taken_over)
    monkeypatch.setattr(programs, "call", call_then_lose)
    monkeypatch.setattr(performing, "_await_others", lambda _ids: None)
    after = perform(operation)
    assert (after.state, after.message, after.result) == (OperationState.RUNNING, "mine now", None)


# ---- what became of it ----


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_lost_answer_is_unknown_until_the_host_has_been_asked(programs: Programs, after: bool) -> None:
    operation = request()
    with programs.mishap("taint", LOST, after=after):
        unknown = perform(operation)
    assert (unknown.state, unknown.error, unknown.finished_at) == (OperationState.UNKNOWN, "unknown", None)
    assert unknown.lease_until is not None
    assert unknown not in due_operations(timezone.now())
    assert unknown in due_operations(unknown.lease_until + timedelta(seconds=1))
    done = perform(unknown)
    assert (done.state, done.attempts) == (OperationState.SUCCEEDED, 2)
    assert sent(programs).count("taint") <= 2
    assert programs.machines["h1"].facts({})["tainted"]


def test_one_that_cannot_be_asked_stays_unknown_and_is_asked_ever_more_rarely(programs: Programs) -> None:
    operation = request()
    with programs.mishap("taint", LOST, after=True):
        perform(operation)
    pauses = []
    with programs.mishap("operation", AWAY):
        for _ in range(3):
            began_at, unknown = timezone.now(), perform(operation)
            assert (unknown.state, unknown.message) == (OperationState.UNKNOWN, "cannot connect")
            pauses.append((unknown.lease_until - began_at).total_seconds())  # type: ignore[operator]
    assert pauses == sorted(pauses)
    assert pauses[-1] > 1.9 * pauses[0]
    Operation.objects.update(attempts=40)
    with programs.mishap("operation", AWAY):
        again_at = perform(operation).lease_until
    assert again_at is not None
    assert again_at < timezone.now() + timedelta(seconds=301)


def test_a_taint_lifted_while_nobody_knew_whether_it_was_set_is_not_set_later(programs: Programs) -> None:
    host, now = Host.objects.get(), timezone.now()
    taint = Taint.objects.create(host=host, reason="x", owner="robin", set_at=now)
    operation = request(name=f"taint-{taint.pk}")
    with programs.mishap("taint", LOST):
        perform(operation)
    Taint.objects.update(lifted_at=now)
    withdrawn = perform(operation)
    assert (withdrawn.state, withdrawn.error) == (OperationState.REJECTED, "withdrawn")
    assert not programs.machines["h1"].facts({})["tainted"]


def test_without_a_key_a_fresh_one_did_not_start_and_an_older_one_stays_unknown(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, older = request(), request(name="taint-1")
    with programs.mishap("taint", LOST):
        perform(older)

    def no_key(_work: object) -> None:
        raise NotStarted("This process has no SSH key.")

    monkeypatch.setattr(performing, "reach_hosts", no_key)
    assert (perform(fresh).state, perform(older).state) == (OperationState.NOT_STARTED, OperationState.UNKNOWN)


# ---- who holds it ----


def test_what_somebody_else_is_sending_is_waited_for_and_not_sent_again(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = request()
    lease = timezone.now() + timedelta(seconds=60)
    Operation.objects.filter(pk=operation.pk).update(state=OperationState.RUNNING, lease_until=lease, attempts=1)
    looks = []

    def they_finish(_seconds: float) -> None:
        looks.append(1)
        if len(looks) == 3:
            Operation.objects.filter(pk=operation.pk).update(state=OperationState.SUCCEEDED)

    monkeypatch.setattr("fleet.performing.time.sleep", they_finish)
    assert perform(operation).attempts == 1
    assert (len(looks), sent(programs)) == (3, [])


def test_a_wait_for_somebody_who_was_killed_has_an_end(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = request()
    lease = timezone.now() + timedelta(seconds=60)
    Operation.objects.filter(pk=operation.pk).update(state=OperationState.RUNNING, lease_until=lease, attempts=1)
    monkeypatch.setitem(performing.DEADLINES, "taint", 0.2)
    assert perform(operation).state == OperationState.RUNNING
    after = perform(operation, seconds=61)
    assert (after.state, after.attempts) == (OperationState.SUCCEEDED, 2)
    assert sent(programs) == ["operation", "taint"]


def test_what_is_not_there_or_withdrawn_is_passed_over(programs: Programs) -> None:
    operation = request()
    Operation.objects.update(state=OperationState.CANCELLED)
    perform_operations(operation_ids=[operation.pk, 4711])
    assert sent(programs) == []
    assert Operation.objects.get().state == OperationState.CANCELLED


@pytest.mark.parametrize(
    ("state", "age_seconds", "lease_seconds", "due"),
    [
        ("pending", 0, None, False), ("pending", 11, None, True), ("pending", 11, 5, False),
        ("running", 0, 5, False), ("running", 0, -1, True), ("unknown", 0, -1, True), ("unknown", 0, 5, False),
        ("succeeded", 99, None, False), ("rejected", 99, None, False), ("not_started", 99, None, False),
        ("cancelled", 99, None, False),
    ],
)  # fmt: skip
@pytest.mark.django_db
def test_what_is_to_be_sent_by_whoever_comes_by(
    state: str, age_seconds: float, lease_seconds: float | None, due: bool
) -> None:
    now = timezone.now()
    host = Host.objects.create(name="h1", added_at=now)
    Operation.objects.create(
        host=host, name="o", verb="verify", state=state, requested_at=now - timedelta(seconds=age_seconds),
        lease_until=None if lease_seconds is None else now + timedelta(seconds=lease_seconds),
    )  # fmt: skip
    assert due_operations(now).exists() is due


def test_a_lease_outlasts_every_try(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    leases = []

    def look(_work: object) -> None:
        lease, at = Operation.objects.values_list("lease_until", "started_at").get()
        leases.append((lease - at).total_seconds())  # type: ignore[operator]

    monkeypatch.setattr(performing, "reach_hosts", look)
    monkeypatch.setattr(performing, "_await_others", lambda _ids: None)
    perform(request("install", "i"))
    assert leases == [performing.TRIES * deadline_of("install") + settings.LEASE_SECONDS]
    assert deadline_of("start") == performing.DEADLINE_SECONDS
