"""What the mover writes down, each a short transaction that only the holder of the migration can make."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from fleet import journal
from fleet.actor import SYSTEM
from fleet.lifecycle import DynoState, HostState, MigrationState, MoveState
from fleet.live import FLEET, announce
from fleet.migration.census import UNFINISHED, is_stranded
from fleet.migration.hold import Hold, lock
from fleet.models import Crash, Dyno, Host, Migration, Move
from fleet.states import State
from fleet.wording import count, plural


@contextmanager
def held(hold: Hold) -> Iterator[datetime]:
    """A transaction in which nobody can take the migration over. Raises LeaseLost."""
    with transaction.atomic():
        lock(hold)
        yield timezone.now()


def begin_move(hold: Hold, move: Move) -> bool:
    """Takes a planned move up; False where it was withdrawn, or where its target takes no dynos any more.

    A dyno that turned up on another host meanwhile is left there.
    """
    with held(hold) as now:
        if not Dyno.objects.filter(pk=move.dyno_id, host_id=move.source_id).exists():
            gone = f"It is no longer on {move.source.name}."
            Move.objects.filter(pk=move.pk).advance(MoveState.CANCELLED, finished_at=now, message=gone)
            return False
        if not Host.objects.taking_dynos().filter(pk=move.target_id).exists():
            return False
        changes = {"attempts": F("attempts") + 1, "started_at": Coalesce("started_at", now), "message": ""}
        rows = Move.objects.filter(pk=move.pk, state=MoveState.PLANNED)
        began = rows.advance(MoveState.STARTING, target_id=move.target_id, **changes)
    look_at(move)
    move.dyno.refresh_from_db(fields=["state"])
    return bool(began)


def change_move(hold: Hold, move: Move, to: State, **changes: Any) -> None:
    """Brings a move to its next state."""
    with held(hold):
        Move.objects.filter(pk=move.pk).advance(to, **changes)
    look_at(move)


def note_move(hold: Hold, move: Move, message: str) -> None:
    """Says anew why a move is where it is."""
    with held(hold):
        Move.objects.filter(pk=move.pk).update(message=message)
    look_at(move)


def look_at(move: Move) -> None:
    """Brings the row in memory up to date, its relations left as they are: the event loop must not fetch them."""
    move.refresh_from_db(fields=["state", "attempts", "started_at", "finished_at", "message"])


def target_still_takes_dynos(move: Move) -> bool:
    """Whether nobody tainted the target meanwhile."""
    return Host.objects.taking_dynos().filter(pk=move.target_id).exists()


def commit_move(hold: Hold, move: Move) -> None:
    """From here on the dyno is the new host's."""
    with held(hold) as now:
        Move.objects.filter(pk=move.pk).advance(MoveState.COMMITTED, message="")
        Dyno.objects.filter(pk=move.dyno_id).update(
            host_id=move.target_id, state=DynoState.RUNNING, started_at=now, changed_at=now
        )
    look_at(move)


def finish_move(hold: Hold, move: Move) -> None:
    """The old host runs it no more; an old host that runs nothing any more is drained."""
    with held(hold) as now:
        Move.objects.filter(pk=move.pk).advance(MoveState.DONE, finished_at=now, message="")
        _drain(hold, [move.source_id], now)
    look_at(move)


def strand_dyno(hold: Hold, move: Move) -> None:
    """The old host runs it no more, and nobody else does yet: from here on every plan puts it first."""
    with held(hold) as now:
        Dyno.objects.filter(pk=move.dyno_id, host_id=move.source_id).advance(DynoState.STRANDED, changed_at=now)
    move.dyno.refresh_from_db(fields=["state"])


def fail_move(hold: Hold, move: Move, why: str) -> None:
    """Given up."""
    nowhere = "It had to stop before it could start, and runs nowhere now."
    message = f"{why} {nowhere}" if is_stranded(move.dyno) else why
    with held(hold) as now:
        Move.objects.filter(pk=move.pk).advance(MoveState.FAILED, finished_at=now, message=message[:2000])
        _tell(hold, f"The move of {move.dyno.name} failed: {message}", now, dyno=move.dyno.name)
    look_at(move)


def put_back(moves: Iterable[Move]) -> list[Move]:
    """Those of these failed moves that a person put back into the queue meanwhile, each with its new target."""
    failed = [move.pk for move in moves if move.state == MoveState.FAILED]
    if not failed:
        return []
    return list(Move.objects.filter(pk__in=failed, state=MoveState.PLANNED).select_related("target"))


def note_wave(hold: Hold, wave: int, crashes: int, done: int) -> None:
    """Writes down that a wave has passed its gate."""
    with held(hold) as now:
        name = "The canary wave" if wave == 0 else f"Wave {wave}"
        measured = count(crashes, "crash", "crashes")
        text = f"{name} is done: {count(done, 'dyno')} moved so far, {measured} of them measured since. Going on."
        _tell(hold, text, now, wave=wave, crashes=crashes)


def pause(hold: Hold, why: str) -> None:
    """Pauses the migration by itself, with the reason."""
    with held(hold) as now:
        running = Migration.objects.filter(pk=hold.migration_id, state=MigrationState.RUNNING)
        if running.advance(MigrationState.PAUSED, trouble=why):
            _tell(hold, f"The migration paused by itself: {why}", now)


def settle(hold: Hold, *, give_up_seconds: float) -> bool:
    """Ends the migration where nothing is left to do; gives whether it has ended."""
    with held(hold) as now:
        moves = list(
            Move.objects.filter(migration_id=hold.migration_id).values_list("state", "started_at", "source_id")
        )
        unknown = [began for state, began, _ in moves if state == MoveState.UNKNOWN]
        waiting = [began for began in unknown if began and (now - began).total_seconds() < give_up_seconds]
        waits = f"{count(len(unknown), 'move')} {plural(len(unknown), 'waits', 'wait')}"
        trouble = f"{waits} for hosts that do not answer." if unknown else ""
        migration = Migration.objects.filter(pk=hold.migration_id)
        live = [state for state, _, _ in moves if state in UNFINISHED and state != MoveState.UNKNOWN]
        if live or waiting:
            migration.update(trouble=trouble or F("trouble"))
            return False
        _drain(hold, {source for _, _, source in moves}, now)
        sources = Host.objects.filter(pk__in={source for _, _, source in moves}, state=HostState.DRAINING)
        sources.advance(HostState.TAINTED)
        if migration.filter(state=MigrationState.RUNNING).advance(
            MigrationState.DONE, finished_at=now, trouble=trouble
        ):
            states = [state for state, _, _ in moves]
            numbers = {state: states.count(state) for state in sorted(set(states))}
            text = f"The migration is done: {numbers.get('done', 0)} of {count(len(moves), 'dyno')} moved."
            failed = f" {count(numbers['failed'], 'move')} failed." if numbers.get("failed") else ""
            _tell(hold, f"{text}{failed} {trouble}".strip(), now, numbers=numbers)
    return True


def crashes_of_moved(migration: Migration) -> tuple[int, int]:
    """How often moved dynos crashed on their new hosts, or since a person let it go on; and how many dynos they are."""
    done = list(migration.moves.filter(state=MoveState.DONE).values_list("dyno__name", "target_id", "finished_at"))
    if not done:
        return 0, 0
    since = min(finished for _, _, finished in done if finished)
    if resumed := migration.limits.get("resumed_at"):
        since = max(since, datetime.fromisoformat(resumed))
    crashes = Crash.objects.filter(
        at__gte=since, host_id__in={target for _, target, _ in done}, dyno__in=[name for name, _, _ in done]
    )
    return crashes.count(), len(done)


def _drain(hold: Hold, source_ids: Any, now: datetime) -> None:
    """Marks those of the hosts as drained that were being emptied and are empty."""
    draining = Host.objects.filter(pk__in=source_ids, state=HostState.DRAINING)
    for host in draining.exclude(pk__in=Dyno.objects.placed().filter(host__in=source_ids).values("host_id")):
        leaving = Move.objects.filter(source=host, state__in=UNFINISHED).exists()
        if not leaving and Host.objects.filter(pk=host.pk).advance(HostState.DRAINED):
            _tell(hold, f"{host.name} is drained: it runs no dynos any more.", now, host=host.name)
            announce(FLEET)


def _tell(hold: Hold, text: str, now: datetime, **data: Any) -> None:
    reference = Migration.objects.values_list("reference", flat=True).get(pk=hold.migration_id)
    told = {"migration": hold.migration_id, **data}
    journal.record(reference=reference, kind="migration", text=text, actor=SYSTEM, occurred_at=now, data=told)
