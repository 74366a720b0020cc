"""Crashes into the database: a batch is one transaction, twice told is once counted, roll-ups included."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from fleet.ingest.batches import Batch, BatchReader
from fleet.ingest.kinds import kind_of
from fleet.ingest.names import app_ids, host_ids
from fleet.ingest.receipts import Receipt, Rejection
from fleet.ingest.records import CrashRecord
from fleet.partitions import CRASHES, MINUTES, ensure_partitions

READER = BatchReader(CrashRecord)
AHEAD = timedelta(minutes=5)
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged_crash (
    at timestamptz, key uuid, received_at timestamptz, host_id bigint, app_id bigint, kind smallint, signal text,
    exit_status integer, dyno text, program text, source text
) ON COMMIT DELETE ROWS
"""
# Rows and roll-ups are written in one order: two batches with the same rows never wait for each other crosswise.
KEEP = """
WITH fresh AS (
    INSERT INTO fleet_crash
    SELECT * FROM staged_crash ORDER BY at, key
    ON CONFLICT DO NOTHING
    RETURNING at, received_at, host_id, coalesce(app_id, 0) AS app_id, kind
), counted AS (
    INSERT INTO fleet_crash_minute AS kept
    SELECT date_trunc('minute', at, 'UTC'), host_id, app_id, kind, count(*), min(at), min(received_at), %s
    FROM fresh GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (minute, host_id, app_id, kind) DO UPDATE SET
        count = kept.count + excluded.count,
        first_at = least(kept.first_at, excluded.first_at),
        first_received_at = least(kept.first_received_at, excluded.first_received_at),
        recorded = kept.recorded AND excluded.recorded
    RETURNING count
)
SELECT (SELECT count(*) FROM fresh), (SELECT count(*) FROM counted)
"""
COPY = "COPY staged_crash FROM STDIN"
NULL = "\\N"


@dataclass(frozen=True)
class Intake:
    """How a batch is taken in: from whom, when, and whether it is a recording of the past."""

    source: str
    now: datetime
    recorded: bool

    @property
    def earliest(self) -> datetime:
        """Crashes before this are past their retention."""
        return self.now - timedelta(hours=settings.CRASH_RETENTION_HOURS)

    @property
    def latest(self) -> datetime:
        """Crashes after this have not happened yet."""
        return self.now + AHEAD


def ingest_crashes(
    *, lines: Iterable[CrashRecord | Mapping[str, Any]], source: str, now: datetime, recorded: bool = False
) -> Receipt:
    """Takes in crash records; in the receipt `line` is a record's place among them, from 1.

    `recorded`: they are a recording of the past, known from their own `received_at` on, and marked as such.
    """
    return store_crashes(batch=READER.take(lines), source=source, now=now, recorded=recorded)


def store_crashes(*, batch: Batch[CrashRecord], source: str, now: datetime, recorded: bool = False) -> Receipt:
    """Writes a batch that was read already. On return it is committed, unless the caller holds a transaction."""
    intake = Intake(source=source, now=now, recorded=recorded)
    rejected = [*batch.rejected, *_timely(batch, intake)]
    accepted = 0
    if batch.records:
        spread = {record.at.replace(minute=0, second=0, microsecond=0) for record in batch.records}
        with transaction.atomic():
            ensure_partitions(CRASHES, times=spread)
            ensure_partitions(MINUTES, times=spread)
            accepted = _write(batch, intake)
    return Receipt(accepted, len(batch.records) - accepted, sorted(rejected, key=lambda rejection: rejection.line))


@lru_cache(maxsize=1024)
def classify(signal: str | None, exit_status: int | None) -> tuple[str, str, str]:
    """Signal, kind and exit status as they stand in a line of the COPY."""
    name, kind = kind_of(signal, exit_status)
    return name or NULL, str(kind.value), NULL if exit_status is None else str(exit_status)


def _timely(batch: Batch[CrashRecord], intake: Intake) -> list[Rejection]:
    """Brings all times to UTC, and takes the crashes of impossible times out of the batch."""
    earliest, latest = intake.earliest, intake.latest
    late = {place for place, record in enumerate(batch.records) if not earliest <= record.at <= latest}
    for place, record in enumerate(batch.records):
        if record.at.tzinfo is not UTC and place not in late:
            record.at = record.at.astimezone(UTC)
    if not late:
        return []
    rejected = [Rejection(batch.lines[place], _said_of_time(batch.records[place].at, intake)) for place in sorted(late)]
    batch.lines = [line for place, line in enumerate(batch.lines) if place not in late]
    batch.records = [record for place, record in enumerate(batch.records) if place not in late]
    return rejected


def _said_of_time(at: datetime, intake: Intake) -> str:
    if at > intake.latest:
        return f"at {at.isoformat()} lies in the future; is the sender's clock right?"
    return f"at {at.isoformat()} lies before the {settings.CRASH_RETENTION_HOURS} hours that crashes are kept"


def _write(batch: Batch[CrashRecord], intake: Intake) -> int:
    """COPY into a table of this session, from there what is new into the crashes and their roll-up; gives how many."""
    hosts = host_ids({record.host for record in batch.records}, now=intake.now)
    apps = app_ids({record.app for record in batch.records if record.app is not None})
    rows = _rows(batch, intake, hosts, {name: str(key) for name, key in apps.items()})
    with connection.cursor() as cursor:
        cursor.execute(STAGE)
        with cursor.copy(COPY) as copy:
            copy.write("".join(rows))
        cursor.execute(KEEP, [intake.recorded])
        fresh: int = cursor.fetchone()[0]
        cursor.execute("TRUNCATE staged_crash")
    return fresh


def _rows(batch: Batch[CrashRecord], intake: Intake, hosts: dict[str, int], apps: dict[str | None, str]) -> list[str]:
    """The lines of the COPY. This is the hot loop: one pass, nothing looked up twice."""
    received, write = intake.now.isoformat(), _plain_line if batch.plain else _escaped_line
    apps[None] = NULL
    rows = []
    for record in batch.records:
        moment = record.at.isoformat()
        if intake.recorded:
            received = (record.received_at or record.at).isoformat()
        known = f"{moment}\t{key_of(record, moment)}\t{received}\t{hosts[record.host]}\t{apps[record.app]}"
        rows.append(write(known, record, record.source or intake.source))
    return rows


def _plain_line(known: str, record: CrashRecord, source: str) -> str:
    """One line whose texts are known to need no escapes."""
    signal, kind, status = classify(record.signal, record.exit_status)
    return f"{known}\t{kind}\t{signal}\t{status}\t{record.dyno or ''}\t{record.program or ''}\t{source}\n"


def _escaped_line(known: str, record: CrashRecord, source: str) -> str:
    signal, kind, status = classify(record.signal, record.exit_status)
    texts = [text.translate(ESCAPES) for text in (record.dyno or "", record.program or "", source)]
    return "\t".join([known, kind, signal if signal == NULL else signal.translate(ESCAPES), status, *texts]) + "\n"


def key_of(record: CrashRecord, moment: str) -> str:
    """Its identity, as a UUID in hex: from its id and host, else from what it says. `moment` is its time in UTC."""
    if record.id is not None:
        content = f"id\0{record.host}\0{record.id}"
    else:
        told = f"{moment}\0{record.host}\0{record.app}\0{record.dyno}"
        content = f"{told}\0{record.signal}\0{record.exit_status}\0{record.program}"
    return blake2b(content.encode(), digest_size=16).hexdigest()
