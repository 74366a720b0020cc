"""Crashes into the database: a batch is one transaction, twice told is once counted, roll-ups included."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper

from fleet.ingest.batches import Batch, BatchReader
from fleet.ingest.crash_rows import Intake, Rows, rows_of, told
from fleet.ingest.names import app_ids, host_ids
from fleet.ingest.receipts import Receipt, Rejection
from fleet.ingest.records import CrashRecord
from fleet.partitions import CRASHES, MINUTES, ensure_partitions

READER = BatchReader(CrashRecord)
AHEAD = timedelta(minutes=5)
HOUR = len("2026-01-05T12")

STAGE_CRASHES = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged_crash (
    at timestamptz, key uuid, received_at timestamptz, host_id bigint, app_id bigint, kind smallint, signal text,
    exit_status integer, dyno text, program text, source text
) ON COMMIT DELETE ROWS
"""
STAGE_MINUTES = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged_minute (
    minute timestamptz, host_id bigint, app_id bigint, kind smallint, count integer, first_at timestamptz,
    first_received_at timestamptz
) ON COMMIT DELETE ROWS
"""
# Always in one order: two batches that count into the same minutes never wait for each other crosswise.
KEEP_MINUTES = """
INSERT INTO fleet_crash_minute AS kept
SELECT minute, host_id, app_id, kind, count, first_at, first_received_at, %s FROM staged_minute ORDER BY 1, 2, 3, 4
ON CONFLICT (minute, host_id, app_id, kind) DO UPDATE SET
    count = kept.count + excluded.count,
    first_at = CASE
        WHEN excluded.first_received_at < kept.first_received_at THEN excluded.first_at ELSE kept.first_at
    END,
    first_received_at = least(kept.first_received_at, excluded.first_received_at),
    recorded = kept.recorded AND excluded.recorded
"""
KEEP_FRESH = """
WITH fresh AS (
    INSERT INTO fleet_crash SELECT * FROM staged_crash ORDER BY at, key
    ON CONFLICT DO NOTHING
    RETURNING at, received_at, host_id, coalesce(app_id, 0) AS app_id, kind
), counted AS (
    INSERT INTO staged_minute
    SELECT date_trunc('minute', at, 'UTC'), host_id, app_id, kind, count(*),
           (array_agg(at ORDER BY received_at, at))[1], min(received_at)
    FROM fresh GROUP BY 1, 2, 3, 4
)
SELECT count(*) FROM fresh
"""


def ingest_crashes(
    *, lines: Iterable[CrashRecord | Mapping[str, Any]], source: str, now: datetime, recorded: bool = False
) -> Receipt:
    """Takes in crash records; in the receipt `line` is a record's place among them, from 1.

    `recorded`: they are a recording of the past, known from their own `received_at` on, and marked as such.
    """
    return store_crashes(batch=READER.take(lines), source=source, now=now, recorded=recorded)


def store_crashes(*, batch: Batch[CrashRecord], source: str, now: datetime, recorded: bool = False) -> Receipt:
    """Writes a batch that was read already. On return it is committed, unless the caller holds a transaction."""
    rejected = [*batch.rejected, *_timely(batch, now)]
    accepted = 0
    if batch.records:
        hours = _hours(batch)
        with transaction.atomic():
            ensure_partitions(CRASHES, times=hours)
            ensure_partitions(MINUTES, times=hours)
            accepted = _write(batch, Intake(source=source, now=now, recorded=recorded))
    return Receipt(accepted, len(batch.records) - accepted, sorted(rejected, key=lambda rejection: rejection.line))


def _timely(batch: Batch[CrashRecord], now: datetime) -> list[Rejection]:
    """Brings all times to UTC, and takes the crashes of impossible times out of the batch."""
    earliest, latest = now - timedelta(hours=settings.CRASH_RETENTION_HOURS), now + AHEAD
    late = {place for place, record in enumerate(batch.records) if not earliest <= record.at <= latest}
    for place, record in enumerate(batch.records):
        if record.at.tzinfo is not UTC and place not in late:
            record.at = record.at.astimezone(UTC)
    if not late:
        return []
    rejected = [Rejection(batch.lines[place], _said_of_time(batch.records[place].at, latest)) for place in sorted(late)]
    batch.lines = [line for place, line in enumerate(batch.lines) if place not in late]
    batch.records = [record for place, record in enumerate(batch.records) if place not in late]
    return rejected


def _hours(batch: Batch[CrashRecord]) -> list[datetime]:
    hours = {moment[:HOUR] for moment in told(record.at for record in batch.records)}
    return [datetime.fromisoformat(f"{hour}:00Z") for hour in hours]


def _said_of_time(at: datetime, latest: datetime) -> str:
    if at > latest:
        return f"at {at.isoformat()} lies in the future; is the sender's clock right?"
    return f"at {at.isoformat()} lies before the {settings.CRASH_RETENTION_HOURS} hours that crashes are kept"


def _write(batch: Batch[CrashRecord], intake: Intake) -> int:
    """Writes crashes and roll-ups; gives how many crashes were new.

    Mostly all of them are, and are copied right into their table. Where one is not, each is looked at.
    """
    hosts = host_ids({record.host for record in batch.records}, now=intake.now)
    apps = app_ids({record.app for record in batch.records if record.app is not None})
    rows = rows_of(batch, intake, hosts, apps)
    with connection.cursor() as cursor:
        cursor.execute(STAGE_MINUTES)
        fresh = _copy_all(cursor, rows) if rows.are_distinct else None
        if fresh is None:
            fresh = _copy_fresh(cursor, rows)
        cursor.execute(KEEP_MINUTES, [intake.recorded])
        cursor.execute("TRUNCATE staged_minute")
    return fresh


def _copy_all(cursor: CursorWrapper, rows: Rows) -> int | None:
    """Copies all crashes into their table; None, and nothing is written, where one of them is there already."""
    try:
        with transaction.atomic():
            _copy(cursor, "COPY fleet_crash FROM STDIN", rows.crashes())
    except IntegrityError:
        return None
    _copy(cursor, "COPY staged_minute FROM STDIN", rows.minutes())
    return len(rows.lines)


def _copy_fresh(cursor: CursorWrapper, rows: Rows) -> int:
    """Brings in the crashes that are not there yet, and counts only these."""
    cursor.execute(STAGE_CRASHES)
    _copy(cursor, "COPY staged_crash FROM STDIN", rows.crashes())
    cursor.execute(KEEP_FRESH)
    fresh: int = cursor.fetchone()[0]
    cursor.execute("TRUNCATE staged_crash")
    return fresh


def _copy(cursor: CursorWrapper, statement: str, lines: str) -> None:
    with connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.write(lines)
