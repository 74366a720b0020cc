"""Crashes into a real database: once each, counted, whoever sends them and however often."""

import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum

from fleet.ingest.crashes import READER, ingest_crashes, store_crashes
from fleet.ingest.receipts import Receipt
from fleet.lifecycle import HostState
from fleet.models import App, Crash, CrashKind, CrashMinute, Host

NOW = datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)


def crash(seconds: float = 0, **changes: Any) -> dict[str, Any]:
    at = (NOW - timedelta(seconds=seconds)).isoformat()
    record = {"at": at, "host": "h1", "app": "app-1", "signal": "SIGSEGV", "exit_status": 139}
    return record | changes


def ingest(*records: dict[str, Any], recorded: bool = False, now: datetime = NOW) -> Receipt:
    return ingest_crashes(lines=records, source="test", now=now, recorded=recorded)


def counted() -> int:
    return CrashMinute.objects.aggregate(Sum("count"))["count__sum"] or 0


@pytest.fixture
def threads(transactional_db: None) -> Iterator[Callable[..., list[Receipt]]]:
    """Runs a call in several threads at once, each with a connection of its own."""

    def run(*calls: Callable[[], Receipt]) -> list[Receipt]:
        start, receipts, errors = threading.Barrier(len(calls)), [], []

        def work(call: Callable[[], Receipt]) -> None:
            try:
                start.wait()
                receipts.append(call())
            except Exception as error:  # noqa: BLE001 - it is looked at below, in the test's own thread
                errors.append(error)
            finally:
                connection.close()

        workers = [threading.Thread(target=work, args=(call,)) for call in calls]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not errors
        return receipts

    yield run
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE fleet_crash, fleet_crash_minute")


@pytest.mark.django_db
def test_a_crash_is_kept_with_all_that_is_known() -> None:
    receipt = ingest(crash(dyno="web.1", program="ruby", id="c-1"), crash(5, host="h2", app=None, source="journald"))
    assert receipt == Receipt(accepted=2)
    first = Crash.objects.select_related("host", "app").get(host__name="h1")
    assert (first.at, first.received_at, first.kind) == (NOW, NOW, CrashKind.SEGV)
    assert first.app
    assert (first.app.name, first.signal, first.exit_status) == ("app-1", "SIGSEGV", 139)
    assert (first.dyno, first.program, first.source) == ("web.1", "ruby", "test")
    second = Crash.objects.get(host__name="h2")
    assert (second.app_id, second.source) == (None, "journald")
    assert CrashMinute.objects.get(host__name="h2").app_id == 0


@pytest.mark.django_db
def test_unknown_hosts_are_made_as_such_and_known_ones_left_alone() -> None:
    Host.objects.create(name="h1", state=HostState.TAINTED, added_at=NOW)
    ingest(crash(), crash(host="new"))
    assert Host.objects.get(name="h1").state == HostState.TAINTED
    assert Host.objects.get(name="new").state == HostState.UNKNOWN


@pytest.mark.django_db
def test_twice_told_is_once_counted_within_a_batch_and_across() -> None:
    assert ingest(crash(), crash(), crash(1)) == Receipt(accepted=2, duplicates=1)
    assert ingest(crash(), crash(2)) == Receipt(accepted=1, duplicates=1)
    assert (Crash.objects.count(), counted()) == (3, 3)


@pytest.mark.django_db
def test_the_same_time_in_another_offset_is_the_same_crash() -> None:
    elsewhere = NOW.astimezone(datetime.strptime("+0530", "%z").tzinfo).isoformat()
    assert ingest(crash(), crash(at=elsewhere), crash(at="2026-01-05T12:00:30.000Z")) == Receipt(1, 2)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes",
    [
        {"host": "h2"},
        {"app": "b"},
        {"dyno": "web.2"},
        {"signal": "SIGBUS"},
        {"exit_status": 1},
        {"program": "x"},
        {"id": "2"},
    ],
)
def test_whatever_differs_is_another_crash(changes: dict[str, Any]) -> None:
    assert ingest(crash(), crash(**changes)).accepted == 2


@pytest.mark.django_db
def test_an_id_decides_and_a_sender_does_not() -> None:
    assert ingest(crash(id="1"), crash(id="1", program="other"), crash(id="1", source="x")).accepted == 1
    assert ingest(crash(5), crash(5, source="elsewhere"), crash(5, received_at=NOW.isoformat())).accepted == 1
    assert ingest(crash(7, id="same"), crash(7, id="same", host="h2")).accepted == 2


@pytest.mark.django_db
def test_minutes_count_by_host_app_and_kind_and_keep_what_was_known_first() -> None:
    ingest(crash(0), crash(10), crash(10, app="app-2"), crash(10, signal=None, exit_status=1), crash(40))
    ingest(crash(20), now=NOW + timedelta(minutes=2))
    rows = CrashMinute.objects.filter(kind=CrashKind.SEGV, app_id=App.objects.get(name="app-1").pk).order_by("minute")
    assert [(row.minute.minute, row.count) for row in rows] == [(59, 1), (0, 3)]
    latest = rows.get(minute=NOW.replace(second=0))
    assert (latest.first_at, latest.first_received_at) == (NOW - timedelta(seconds=10), NOW)
    assert counted() == Crash.objects.count() == 6


@pytest.mark.django_db
def test_impossible_times_are_refused_by_line_and_the_rest_counts() -> None:
    ahead, ancient = NOW + timedelta(minutes=5, seconds=1), NOW - timedelta(hours=72, seconds=1)
    receipt = ingest(
        crash(at=ahead.isoformat()),
        crash(),
        {"host": 5},
        crash(at=ancient.isoformat()),
        crash(at="0001-01-01T00:00:00+14:00"),
    )
    assert receipt.accepted == 1
    assert [rejection.line for rejection in receipt.rejected] == [1, 3, 4, 5]
    assert "future" in receipt.rejected[0].error
    assert "72 hours" in receipt.rejected[2].error


@pytest.mark.django_db
def test_the_edges_of_time_are_taken() -> None:
    edges = [NOW + timedelta(minutes=5), NOW - timedelta(hours=72)]
    assert ingest(*[crash(at=edge.isoformat()) for edge in edges]).accepted == 2


@pytest.mark.django_db
def test_hours_off_by_half_find_their_partition() -> None:
    for minutes in range(0, 180, 7):
        at = (NOW - timedelta(minutes=minutes)).astimezone(datetime.strptime("+0545", "%z").tzinfo)
        assert ingest(crash(at=at.isoformat())).accepted == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", ["tab\there", "line\nbreak", "back\\slash", "\\N", "\\.", "ünï \U0001f4a5", "\r\x07", ""]
)
def test_texts_come_through_as_they_are(text: str) -> None:
    record = crash(dyno=text, program=text, source=text or None, app=text or None)
    assert ingest(record).accepted == 1
    row = Crash.objects.select_related("app").get()
    assert (row.dyno, row.program, row.source) == (text, text, text or "test")
    assert (row.app.name if row.app else "") == text


@pytest.mark.django_db
def test_a_recording_is_known_from_its_own_time_on_and_marked() -> None:
    ingest(crash(3600, received_at=(NOW - timedelta(seconds=3500)).isoformat()), crash(7200), recorded=True)
    late, early = CrashMinute.objects.order_by("-minute")
    assert (late.first_received_at, early.first_received_at) == (
        NOW - timedelta(seconds=3500),
        NOW - timedelta(hours=2),
    )
    assert late.recorded
    ingest(crash(3600, program="live"))
    assert not CrashMinute.objects.get(minute=late.minute).recorded


@pytest.mark.django_db
def test_nothing_at_all_is_fine() -> None:
    assert ingest() == Receipt()


def test_the_same_batch_at_once_counts_once(threads: Callable[..., list[Receipt]]) -> None:
    records = [crash(number / 10, host=f"h{number % 20}", app=f"a{number % 7}") for number in range(2000)]

    def post(seed: int) -> Callable[[], Receipt]:
        shuffled = random.Random(seed).sample(records, len(records))
        return lambda: ingest(*shuffled)

    receipts = threads(*[post(seed) for seed in range(6)])
    assert sum(receipt.accepted for receipt in receipts) == 2000
    assert sum(receipt.duplicates for receipt in receipts) == 5 * 2000
    assert (Crash.objects.count(), counted()) == (2000, 2000)
    assert (Host.objects.count(), App.objects.count()) == (20, 7)


def test_batches_that_overlap_at_once_lose_and_double_nothing(threads: Callable[..., list[Receipt]]) -> None:
    def post(seed: int) -> Callable[[], Receipt]:
        numbers = random.Random(seed).sample(range(1500), 800)
        return lambda: ingest(*[crash(number * 7, host=f"h{number % 50}") for number in numbers])

    expected = {number for seed in range(8) for number in random.Random(seed).sample(range(1500), 800)}
    receipts = threads(*[post(seed) for seed in range(8)])
    assert sum(receipt.accepted for receipt in receipts) == len(expected) == Crash.objects.count() == counted()


def test_a_failure_leaves_nothing_behind(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.ingest.crashes.KEEP_MINUTES", "SELECT 1 / 0, %s")
    with pytest.raises(Exception, match="division by zero"):
        ingest(crash(host="never"))
    monkeypatch.undo()
    assert not Host.objects.filter(name="never").exists()
    assert store_crashes(batch=READER.read(b""), source="x", now=NOW) == Receipt()
    assert Crash.objects.count() == 0
