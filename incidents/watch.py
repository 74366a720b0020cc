"""The tick of the watch: roll-ups in, incidents out. Any number may call it; one at a time acts, once a bin."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from fleet.live import FLEET, announce
from fleet.models import Crash, Host
from incidents.correlation.verdict import Board
from incidents.models import Incident, Watch
from incidents.watching.lease import Lease, LostError, advance, claim
from incidents.watching.memory import Look, bin_of, moment
from incidents.watching.notices import keep_notices
from incidents.watching.opening import Carried, carry_out
from incidents.watching.saying_late import say_late
from incidents.watching.silence import silent_hosts
from incidents.watching.standings import keep_standings
from incidents.watching.watcher import Watcher, settled_bin

__all__ = ["Ticked", "crashes_since", "silent_hosts", "tick"]

NOTHING = Board(0.0, (), (), (), ())
_watcher = Watcher()
_in_process = Lock()


@dataclass(frozen=True)
class Ticked:
    """What stands after a tick, and what it did."""

    board: Board
    carried: Carried


def tick(*, now: datetime, watcher: Watcher | None = None) -> Ticked | None:
    """Judges every bin that has ended by `now` and brings the incidents up to date; None where another does it.

    What the process remembers is only good as long as the database took it too: after an error it is dropped.
    """
    watcher = watcher or _watcher
    if not _in_process.acquire(blocking=False):
        return None
    try:
        lease = claim(watcher.holder)
        return _tick(watcher, lease, now) if lease else None
    except LostError:
        watcher.forget()
        return None
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


def _tick(watcher: Watcher, lease: Lease, now: datetime) -> Ticked:
    began_at, bins = timezone.now(), 0
    end_bin, carried = settled_bin(now), Carried()
    is_due = lease.judged_to is None or bin_of(lease.judged_to) < end_bin
    if is_due or watcher.board is None:
        for look in _worth_acting(watcher.looks(judged_to=lease.judged_to, now=now), end_bin):
            passed_by = look.end_bin != end_bin and not (look.board.pages or look.board.updates)
            _act(watcher, lease, look, carried, now, passed_by=passed_by)
            bins += 1
        watcher.keep_memory(now=now)
    Watch.objects.filter(holder=lease.holder, fence=lease.fence).update(
        tick_started_at=began_at, tick_ended_at=timezone.now(), tick_bins=bins
    )
    announce(FLEET)
    return Ticked(watcher.board or NOTHING, carried)


def _worth_acting(looks: Iterator[Look], end_bin: int) -> Iterator[Look]:
    """The last bin always; of those before, which a watch catches up with, the ones in which something stood."""
    stood = False
    for look in looks:
        stands = bool(look.board.verdicts)
        if stands or stood or look.end_bin == end_bin:
            yield look
        stood = stands


def _act(
    watcher: Watcher, lease: Lease, look: Look, carried: Carried, now: datetime, *, passed_by: bool = False
) -> None:
    """Everything that follows from one bin, or nothing of it; little of one that is passed by on the way to now."""
    with transaction.atomic():
        advance(lease, moment(look.end_bin))
        keep_notices(look.board, now=now)
        done = carry_out(look.board, now=now, passed_by=passed_by)
        keep_standings(watcher.memory, look)
        say_late(look, now=now)
    carried.opened += done.opened
    carried.kept += done.kept
