"""Partitions of the crash tables: made ahead, dropped when their time is over."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from psycopg import sql

LOCK = 0x6661756C  # serialises the makers of partitions


@dataclass(frozen=True)
class PartitionedTable:
    """A table cut by time into ranges of `width`; names end in the range's beginning.

    `filled`: how full its pages are made, in per cent. Rows that are counted up find room for it beside them.
    """

    name: str
    width: timedelta
    suffix: str
    filled: int = 100

    def start_of(self, at: datetime) -> datetime:
        """The beginning of the range in which `at` falls."""
        at = at.astimezone(UTC)
        return at - (at - datetime.min.replace(tzinfo=UTC)) % self.width

    def partition_of(self, start: datetime) -> str:
        """The name of the partition that begins at `start`."""
        return f"{self.name}_{start.strftime(self.suffix)}"


CRASHES = PartitionedTable("fleet_crash", timedelta(hours=1), "%Y%m%d%H")
MINUTES = PartitionedTable("fleet_crash_minute", timedelta(days=1), "%Y%m%d", filled=60)


def ensure_partitions(table: PartitionedTable, *, times: Iterable[datetime]) -> list[str]:
    """Makes the partitions in which the times fall, where they are missing; gives the names of the new ones."""
    wanted = {table.partition_of(start): start for start in {table.start_of(at) for at in times}}
    if not set(wanted) - set(partitions(table)):
        return []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        missing = sorted(set(wanted) - set(partitions(table)))
        for name in missing:
            cursor.execute(
                sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({}) WITH (fillfactor = {})").format(
                    sql.Identifier(name),
                    sql.Identifier(table.name),
                    sql.Literal(wanted[name]),
                    sql.Literal(wanted[name] + table.width),
                    sql.Literal(table.filled),
                )
            )
    return missing


def drop_partitions(table: PartitionedTable, *, before: datetime) -> list[str]:
    """Drops the partitions that lie wholly before a time; gives their names."""
    end = table.partition_of(table.start_of(before))
    old = sorted(name for name in partitions(table) if name < end)
    with connection.cursor() as cursor:
        for name in old:
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))
    return old


def partitions(table: PartitionedTable) -> list[str]:
    """The names of the partitions there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = %s::regclass",
            [table.name],
        )
        return [name for (name,) in cursor.fetchall()]


def keep_partitions(*, now: datetime) -> None:
    """Makes partitions some hours ahead, and drops those over their retention."""
    ensure_partitions(CRASHES, times=[now + timedelta(hours=hours) for hours in range(-1, 6)])
    ensure_partitions(MINUTES, times=[now + timedelta(days=days) for days in range(-1, 3)])
    drop_partitions(CRASHES, before=now - timedelta(hours=settings.CRASH_RETENTION_HOURS))
    drop_partitions(MINUTES, before=now - timedelta(days=settings.ROLL_UP_RETENTION_DAYS))
