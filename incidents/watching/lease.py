"""Who may bring the watch on: one holder at a time, and every bin is acted on once, whoever wakes up late."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

LEAST_SECONDS = 10.0
IDLE = "SET LOCAL idle_in_transaction_session_timeout = '60s'"  # a paused holder must not keep the row for ever
WAIT = "SET LOCAL lock_timeout = '5s'"
MAKE = "INSERT INTO incidents_watch (id, holder, fence) VALUES (1, '', 0) ON CONFLICT DO NOTHING"
# The database's clock: holders on different machines need not agree on the time.
CLAIM = """
UPDATE incidents_watch SET
    fence = CASE WHEN holder = %(holder)s THEN fence ELSE nextval('fleet_fence') END,
    holder = %(holder)s,
    held_until = clock_timestamp() + %(seconds)s * interval '1 second'
WHERE id = 1 AND (holder = %(holder)s OR held_until IS NULL OR held_until < clock_timestamp())
RETURNING fence, judged_to
"""
ADVANCE = """
UPDATE incidents_watch SET judged_to = %(end)s, held_until = clock_timestamp() + %(seconds)s * interval '1 second'
WHERE id = 1 AND holder = %(holder)s AND fence = %(fence)s AND (judged_to IS NULL OR judged_to < %(end)s)
"""


class LostError(RuntimeError):
    """Somebody else brings the watch on; nothing of this transaction may stay."""


@dataclass(frozen=True)
class Lease:
    """The right to act on what comes after `judged_to`."""

    holder: str
    fence: int
    judged_to: datetime | None


def claim(holder: str) -> Lease | None:
    """Takes or renews the lease; None while somebody else holds it."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(WAIT)
            cursor.execute(MAKE)
            cursor.execute(CLAIM, {"holder": holder, "seconds": lease_seconds()})
            row = cursor.fetchone()
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            return None  # it is acting right now
        raise
    return Lease(holder, *row) if row else None


def advance(lease: Lease, end: datetime) -> None:
    """Marks a bin as acted on, in the transaction that acts. Raises LostError where somebody else did, or may."""
    with connection.cursor() as cursor:
        cursor.execute(IDLE)
        cursor.execute(WAIT)
        place: dict[str, Any] = {"holder": lease.holder, "fence": lease.fence, "end": end, "seconds": lease_seconds()}
        cursor.execute(ADVANCE, place)
        if cursor.rowcount != 1:
            raise LostError(f"The watch is past {end} or in other hands.")


def lease_seconds() -> float:
    """Long enough for the same process to be asked again, short enough to be missed hardly at all."""
    return float(max(LEAST_SECONDS, 1.5 * settings.TICK_SECONDS))
