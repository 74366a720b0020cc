"""Migrations as persons and runbooks deal with them, and the entry of the worker that carries them out."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from fleet import journal
from fleet.actor import Actor
from fleet.lifecycle import DynoState, HostState, MigrationState, MoveState
from fleet.live import FLEET, announce
from fleet.migration import rows
from fleet.migration.census import dynos_to_move, fresh_hosts
from fleet.migration.drive import Drive
from fleet.migration.facts import Limits
from fleet.migration.hold import LeaseLost, due_condition, give_back, take_hold
from fleet.migration.plan import Plan, plan_moves
from fleet.models import Host, Migration, Move
from fleet.reach import reach_hosts
from fleet.ssh import NotStarted
from fleet.states import State
from fleet.tasks.nudges import nudge, nudge_on_commit
from fleet.wording import count, plural

logger = logging.getLogger(__name__)
ASK_AGAIN = timedelta(seconds=20)


class NotPossible(ValueError):  # noqa: N818 - says what is wrong
    """A migration is not in a state for that; the text says so to a person."""


def propose(
    *,
    sources: Sequence[Host],
    avoid: Collection[int] = (),
    limits: Limits | None = None,
    only: Collection[int] | None = None,
) -> Plan:
    """The plan for emptying these hosts, without a word written down. `avoid`: ids of hosts that are exposed.

    `only`: ids of the dynos that it is about.
    """
    shunned = {*avoid, *(host.pk for host in sources)}
    dynos = [dyno for dyno in dynos_to_move(sources) if only is None or dyno.id in only]
    return plan_moves(dynos=dynos, hosts=fresh_hosts(shunned), limits=limits or Limits(), avoid=avoid)


@transaction.atomic
def create_migration(
    *, plan: Plan, reference: str, actor: Actor, now: datetime, limits: Limits | None = None
) -> Migration:
    """Writes a plan down. Raises NotPossible where another migration has one of its dynos in hand."""
    words = asdict(limits or plan.limits) | {"avoid": list(plan.avoid)}
    migration = Migration.objects.create(reference=reference, limits=words, actor=actor.name, created_at=now)
    try:
        with transaction.atomic():
            Move.objects.bulk_create(
                Move(
                    migration=migration,
                    dyno_id=move.dyno.id,
                    source_id=move.dyno.host_id,
                    target_id=move.target_id,
                    position=move.position,
                    wave=move.wave,
                )
                for move in plan.moves
            )
    except IntegrityError:
        raise NotPossible("Some of these dynos are being moved already; look at the plan again.") from None
    return migration


@transaction.atomic
def start_migration(*, migration: Migration, actor: Actor, now: datetime) -> None:
    """Lets a planned migration begin; its tainted sources are draining from then on."""
    _advance(migration, MigrationState.RUNNING, [MigrationState.PLANNED], started_at=now)
    sources = Host.objects.filter(moves_away__migration=migration, state=HostState.TAINTED)
    Host.objects.filter(pk__in=list(sources.values_list("pk", flat=True))).advance(HostState.DRAINING)
    announce(FLEET)
    _tell(migration, f"Began to move {count(migration.moves.count(), 'dyno')} to fresh hosts.", actor, now)
    nudge_on_commit("fleet.tasks.acting.drive", [migration.pk])


@transaction.atomic
def pause_migration(*, migration: Migration, actor: Actor, now: datetime) -> None:
    """Begins no new moves; those under way are brought to their end."""
    _advance(migration, MigrationState.PAUSED, [MigrationState.RUNNING], trouble=f"Paused by {actor.name}.")
    _tell(migration, "Paused the migration.", actor, now)


@transaction.atomic
def resume_migration(*, migration: Migration, actor: Actor, now: datetime) -> None:
    """Goes on. Crashes and errors are counted anew, for a person has seen the old ones."""
    migration.refresh_from_db()
    limits = migration.limits | {"resumed_at": now.isoformat()}
    _advance(migration, MigrationState.RUNNING, [MigrationState.PAUSED], trouble="", limits=limits)
    _tell(migration, "Let the migration go on.", actor, now)
    nudge_on_commit("fleet.tasks.acting.drive", [migration.pk])


@transaction.atomic
def cancel_migration(*, migration: Migration, actor: Actor, now: datetime) -> None:
    """Moves that have not begun never will; those under way, or that left a dyno nowhere, are brought to their end."""
    live = [MigrationState.PLANNED, MigrationState.RUNNING, MigrationState.PAUSED]
    _advance(migration, MigrationState.CANCELLED, live, finished_at=now)
    waiting = migration.moves.filter(state=MoveState.PLANNED).exclude(dyno__state=DynoState.STRANDED)
    withdrawn = waiting.advance(MoveState.CANCELLED, finished_at=now)
    stay = f"{count(withdrawn, 'dyno')} {plural(withdrawn, 'stays', 'stay')}"
    _tell(migration, f"Cancelled the migration; {stay} where they are.", actor, now)
    nudge_on_commit("fleet.tasks.acting.drive", [migration.pk])


@transaction.atomic
def retry_failed(*, migration: Migration, actor: Actor, now: datetime) -> Migration:
    """Tries failed moves again: in this migration while it lives, else in a new one, which is given back.

    Raises NotPossible, with what is missing where there is no room for all of them.
    """
    migration.refresh_from_db()
    plan = _plan_again(migration)
    if migration.state in {MigrationState.RUNNING, MigrationState.PAUSED}:
        _plan_in_place(migration, plan)
        if migration.state == MigrationState.PAUSED:
            resume_migration(migration=migration, actor=actor, now=now)
        nudge_on_commit("fleet.tasks.acting.drive", [migration.pk])
        return migration
    again = create_migration(plan=plan, reference=migration.reference, actor=actor, now=now)
    start_migration(migration=again, actor=actor, now=now)
    return again


def _plan_again(migration: Migration) -> Plan:
    """Where the dynos of failed moves would go now. Raises NotPossible."""
    failed = migration.moves.filter(state=MoveState.FAILED)
    if not failed.exists():
        raise NotPossible("No move of this migration failed.")
    plan = propose(
        sources=list(Host.objects.filter(moves_away__in=failed).distinct()),
        avoid=migration.limits.get("avoid", []),
        limits=Limits.from_data(migration.limits),
        only=set(failed.values_list("dyno_id", flat=True)),
    )
    if plan.shortfall:
        raise NotPossible(f"{plan.shortfall.told()} Nothing was begun.")
    if not plan.moves:
        raise NotPossible("None of the dynos whose moves failed is still there to be moved; nothing was begun.")
    return plan


def _plan_in_place(migration: Migration, plan: Plan) -> None:
    """Puts failed moves back into the queue, each with its new target. Raises NotPossible."""
    try:
        with transaction.atomic():
            for move in plan.moves:
                failed = migration.moves.filter(dyno=move.dyno.id, state=MoveState.FAILED)
                failed.advance(MoveState.PLANNED, target_id=move.target_id, finished_at=None, message="")
    except IntegrityError:
        raise NotPossible("Some of these dynos are being moved by another migration; nothing was begun.") from None


def due_migrations(now: datetime) -> QuerySet[Migration]:
    """Migrations that want carrying, and that nobody holds."""
    return Migration.objects.filter(due_condition(now)).distinct()


def drive_migration(migration_id: int) -> None:
    """Carries a migration as far as it goes; may be called at any time, by any number of workers."""
    hold = take_hold(migration_id, now=timezone.now())
    if hold is None:
        return
    again_at: datetime | None = timezone.now() + ASK_AGAIN
    try:
        drive = Drive(hold)
        reach_hosts(drive.run)
        rows.settle(hold, give_up_seconds=drive.limits.give_up_seconds)
        if not Move.objects.filter(migration=migration_id, state=MoveState.UNKNOWN).exists():
            again_at = None
    except LeaseLost as lost:
        logger.warning("%s was taken over by another worker", lost)
    except NotStarted as problem:
        Migration.objects.filter(pk=migration_id).update(trouble=str(problem))
    finally:
        give_back(hold, again_at=again_at)
    if due_migrations(timezone.now()).filter(pk=migration_id).exists():  # somebody asked for more while we had it
        nudge("fleet.tasks.acting.drive", [migration_id])


def _advance(migration: Migration, to: State, before: Sequence[State], **changes: object) -> None:
    """Brings the row there from one of those states. Raises NotPossible."""
    rows_before = Migration.objects.filter(pk=migration.pk, state__in=before)
    changed = rows_before.advance(to, **changes)
    migration.refresh_from_db()
    if not changed:
        raise NotPossible(f"The migration is {migration.state} already; nothing was changed.")


def _tell(migration: Migration, text: str, actor: Actor, now: datetime) -> None:
    data = {"migration": migration.pk}
    journal.record(reference=migration.reference, kind="migration", text=text, actor=actor, occurred_at=now, data=data)
