"""Crashes as lines of a COPY, and what they add up to."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fleet.ingest.crash_rows import Intake, Rows, rows_of, told
from fleet.ingest.crashes import READER

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def rows(*changes: dict[str, Any], recorded: bool = False) -> Rows:
    records = [{"at": NOON.isoformat(), "host": "h1"} | change for change in changes]
    intake = Intake("test", NOON + timedelta(minutes=1), recorded)
    return rows_of(READER.take(records), intake, {"h1": 7, "h2": 8}, {"a": 3})


def test_times_are_of_one_length_so_that_they_sort_as_they_follow() -> None:
    times = [
        NOON,
        NOON + timedelta(microseconds=1),
        NOON + timedelta(microseconds=500_000),
        NOON + timedelta(seconds=1),
    ]
    assert told(times) == sorted(told(times))
    assert told(times)[0] == "2026-01-05T12:00:00.000000Z"
    assert told([]) == []


def test_a_line_has_all_columns_in_their_order() -> None:
    line = rows({"app": "a", "signal": "segv", "exit_status": 139, "dyno": "web.1", "program": "p\tq"}).lines[0]
    at, key, received, *others = line.removesuffix("\n").split("\t")
    assert (at, received) == ("2026-01-05T12:00:00.000000Z", "2026-01-05T12:01:00.000000Z")
    assert len(bytes.fromhex(key)) == 16
    assert others == ["7", "3", "3", "SIGSEGV", "139", "web.1", "p\\tq", "test"]


def test_an_unknown_app_is_nothing_in_a_line_and_nought_in_a_count() -> None:
    told_once = rows({})
    assert told_once.lines[0].split("\t")[4] == "\\N"
    assert told_once.minutes().split("\t")[:5] == ["2026-01-05T12:00:00Z", "7", "0", "0", "1"]


def test_the_crash_known_first_counts_whatever_the_order() -> None:
    late, early = (NOON + timedelta(seconds=9)).isoformat(), (NOON + timedelta(seconds=2)).isoformat()
    known = (NOON + timedelta(seconds=30)).isoformat()
    changes = [{"at": late}, {"at": early, "received_at": known}, {"at": late, "host": "h2"}]
    counted = sorted(rows(*changes, recorded=True).minutes().splitlines())
    assert [line.split("\t")[4] for line in counted] == ["2", "1"]
    assert counted[0].split("\t")[5:] == ["2026-01-05T12:00:09.000000Z"] * 2


def test_the_order_of_a_batch_does_not_matter_to_the_copy() -> None:
    changes = [{"program": str(number)} for number in range(20)]
    assert rows(*changes).crashes() == rows(*reversed(changes)).crashes()


def test_an_id_is_never_taken_for_something_that_was_told() -> None:
    keys = rows({"id": "x"}, {"id": "x", "host": "h2"}, {"program": "x"}, {"app": "a"}, {"dyno": "id\tx"}).keys
    assert len(set(keys)) == 5
    assert not rows({"id": 1}, {"id": "1"}).are_distinct
