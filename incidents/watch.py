"""The tick of the watch: roll-ups in, incidents out. Any number may call it; one at a time does it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from django.db import connection, transaction
from django.db.models import Count

from fleet.models import Crash, Host
from incidents.correlation.verdict import Board
from incidents.models import Incident
from incidents.watching.opening import Carried, carry_out
from incidents.watching.silence import silent_hosts
from incidents.watching.watcher import Watcher

__all__ = ["Ticked", "crashes_since", "silent_hosts", "tick"]

ADVISORY_LOCK = 0x7469636B
_watcher = Watcher()
_in_process = Lock()


@dataclass(frozen=True)
class Ticked:
    """What one tick saw and did."""

    board: Board
    carried: Carried


def tick(*, now: datetime, watcher: Watcher | None = None) -> Ticked | None:
    """Judges the fleet as of `now` and brings the incidents up to date; None where somebody else is at it.

    What the process remembers is only good as long as the database took it too: after an error it is rebuilt.
    """
    watcher = watcher or _watcher
    if not _in_process.acquire(blocking=False):
        return None
    try:
        with transaction.atomic():
            return _tick(watcher, now) if _alone() else None
    except BaseException:
        watcher.forget()
        raise
    finally:
        _in_process.release()


def crashes_since(
    *, hosts: Iterable[Host], since: datetime, until: datetime | None = None, incident: Incident | None = None
) -> dict[int, int]:
    """Measured crashes by host id; hosts without any have 0. With an incident, not from before it began."""
    ids = [host.pk for host in hosts]
    start = max(since, incident.began_at) if incident else since
    crashes = Crash.objects.filter(host_id__in=ids, at__gte=start)
    crashes = crashes.filter(at__lte=until) if until else crashes
    counted = crashes.values("host_id").annotate(crashes=Count("key")).values_list("host_id", "crashes")
    return dict.fromkeys(ids, 0) | dict(counted)


def _tick(watcher: Watcher, now: datetime) -> Ticked:
    board = watcher.look(now)
    return Ticked(board, carry_out(board, now=now))


def _alone() -> bool:
    """Whether no other process is at a tick; held until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        return bool(cursor.fetchone()[0])
