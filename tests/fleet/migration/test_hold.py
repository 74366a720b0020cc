"""Who may carry a migration: one holder at a time, and whoever lost it changes nothing any more."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from django.conf import settings
from django.utils import timezone

from fleet.leases import next_fence
from fleet.lifecycle import DynoState, MigrationState, MoveState
from fleet.migration import rows
from fleet.migration.hold import (
    RAISES,
    Hold,
    LeaseLost,
    due_condition,
    give_back,
    raise_fence,
    renew,
    take_hold,
)
from fleet.models import App, Dyno, Host, Migration, Move
from fleet.ssh import NotStarted, Pool, Rejected

STALE = Rejected("stale_fence", "a higher one was seen")


class Refusing:
    """A pool whose hosts have seen higher fences: as many refusals as given, then an answer; keeps what was sent."""

    def __init__(self, *refusals: Rejected) -> None:
        self.refusals, self.fences = list(refusals), list[int]()

    async def call(self, _endpoint: object, *, fence: int, **_words: Any) -> dict[str, Any]:
        self.fences.append(fence)
        await asyncio.sleep(0)
        if self.refusals:
            raise self.refusals.pop(0)
        return {"done": True}


@pytest.fixture
def migration(db: None) -> Migration:
    now = timezone.now()
    old, new = (Host.objects.create(name=name, state="in_service", added_at=now) for name in ("old", "new"))
    dyno = Dyno.objects.create(name="a.1", app=App.objects.create(name="a"), host=old, changed_at=now)
    made = Migration.objects.create(actor="test", created_at=now, state=MigrationState.RUNNING)
    Move.objects.create(migration=made, dyno=dyno, source=old, target=new, position=0)
    return made


def held(migration: Migration, **later: float) -> Hold:
    hold = take_hold(migration.pk, now=timezone.now() + timedelta(**later))
    assert hold is not None
    return hold


def lost_to_another(migration: Migration) -> Hold:
    """A hold that ran out, and that somebody else has taken over since."""
    first = held(migration)
    second = held(migration, seconds=settings.LEASE_SECONDS + 1)
    assert second.fence > first.fence
    assert second.owner != first.owner
    return first


def test_one_holds_it_until_the_lease_runs_out_or_is_given_back(migration: Migration) -> None:
    first, now = held(migration), timezone.now()
    assert take_hold(migration.pk, now=now) is None
    give_back(first)
    second = held(migration)
    give_back(first)  # nothing happens: it is not its own any more
    assert take_hold(migration.pk, now=now) is None
    give_back(second, again_at=now + timedelta(seconds=20))
    assert take_hold(migration.pk, now=now) is None
    assert take_hold(migration.pk, now=now + timedelta(seconds=21)) is not None


def test_a_renewed_lease_lasts_longer_and_tells_what_persons_want(migration: Migration) -> None:
    hold, later = held(migration), timezone.now() + timedelta(seconds=settings.LEASE_SECONDS - 1)
    assert renew(hold, now=later) == MigrationState.RUNNING
    Migration.objects.update(state=MigrationState.PAUSED)
    assert renew(hold, now=later) == MigrationState.PAUSED
    migration.refresh_from_db()
    assert migration.heartbeat_at == later
    assert migration.lease_until == later + timedelta(seconds=settings.LEASE_SECONDS)


def test_whoever_lost_it_can_write_nothing_down(migration: Migration) -> None:
    gone, move = lost_to_another(migration), Move.objects.select_related("dyno", "source", "target").get()
    for act in (
        lambda: renew(gone, now=timezone.now()),
        lambda: raise_fence(gone),
        lambda: rows.begin_move(gone, move),
        lambda: rows.change_move(gone, move, MoveState.STARTED),
        lambda: rows.commit_move(gone, move),
        lambda: rows.finish_move(gone, move),
        lambda: rows.strand_dyno(gone, move),
        lambda: rows.fail_move(gone, move, "why"),
        lambda: rows.pause(gone, "why"),
        lambda: rows.note_wave(gone, 0, 0, 1),
        lambda: rows.settle(gone, give_up_seconds=0),
    ):
        with pytest.raises(LeaseLost, match=f"migration {migration.pk}"):
            act()
    assert Move.objects.values_list("state", "attempts").get() == (MoveState.PLANNED, 0)
    assert Dyno.objects.get().state == DynoState.RUNNING
    assert Migration.objects.get().state == MigrationState.RUNNING


@pytest.mark.parametrize(
    ("state", "move", "dyno", "due"),
    [
        ("running", "planned", "running", True), ("running", "done", "running", True),
        ("planned", "planned", "running", False), ("planned", "planned", "stranded", False),
        ("paused", "planned", "running", False), ("paused", "planned", "stranded", True),
        ("paused", "starting", "running", True), ("paused", "unknown", "running", True),
        ("cancelled", "committed", "running", True), ("cancelled", "cancelled", "running", False),
        ("done", "unknown", "running", True), ("done", "done", "running", False), ("done", "failed", "stranded", False),
    ],
)  # fmt: skip
def test_what_wants_a_holder(migration: Migration, state: str, move: str, dyno: str, due: bool) -> None:
    Migration.objects.update(state=state)
    Move.objects.update(state=move)
    Dyno.objects.update(state=dyno)
    now = timezone.now()
    assert Migration.objects.filter(due_condition(now)).exists() is due
    assert (take_hold(migration.pk, now=now) is not None) is due
    assert not Migration.objects.filter(due_condition(now)).exists()


def test_a_hold_without_connections_says_that_nothing_was_sent(migration: Migration) -> None:
    with pytest.raises(NotStarted, match="no connections"):
        asyncio.run(held(migration).call(Host.objects.all()[0], "facts", seconds=1))


# ---- fences ----


@pytest.fixture
def shared(transactional_db: None, migration: Migration) -> Migration:
    """Rows that the event loop's threads can see."""
    return migration


def call_many(hold: Hold, pool: Refusing, times: int = 1) -> list[Any]:
    host, hold.pool = Host(name="h1"), cast("Pool", pool)

    async def all_at_once() -> list[Any]:
        calls = (hold.call(host, "stop", f"o{number}", seconds=1) for number in range(times))
        return list(await asyncio.gather(*calls, return_exceptions=True))

    return asyncio.run(all_at_once())


def test_a_host_that_saw_a_higher_fence_is_asked_with_a_higher_one(shared: Migration) -> None:
    hold, ahead = held(shared), next_fence()
    pool = Refusing(STALE, STALE)
    assert call_many(hold, pool) == [{"done": True}]
    assert pool.fences == sorted(set(pool.fences))
    assert pool.fences[1] > ahead
    shared.refresh_from_db()
    assert shared.fence == hold.fence == pool.fences[-1]


def test_many_calls_refused_at_once_raise_the_fence_once(shared: Migration) -> None:
    hold = held(shared)
    before, pool = hold.fence, Refusing(*[STALE] * 5)
    assert call_many(hold, pool, times=5) == [{"done": True}] * 5
    assert pool.fences == [before] * 5 + [hold.fence] * 5


def test_a_host_that_refuses_for_ever_is_given_up_and_other_refusals_are_not_repeated(shared: Migration) -> None:
    hold, pool = held(shared), Refusing(*[STALE] * RAISES)
    (came,) = call_many(hold, pool)
    assert isinstance(came, NotStarted)
    assert f"{RAISES} times ahead" in str(came)
    pool = Refusing(Rejected("tainted", "no"))
    (came,) = call_many(hold, pool)
    assert isinstance(came, Rejected)
    assert len(pool.fences) == 1


def test_a_fence_is_not_raised_by_one_who_lost_the_migration(shared: Migration) -> None:
    gone = lost_to_another(shared)
    shared.refresh_from_db()
    theirs: tuple[int, datetime | None] = (shared.fence, shared.lease_until)
    (came,) = call_many(gone, Refusing(STALE))
    assert isinstance(came, LeaseLost)
    shared.refresh_from_db()
    assert (shared.fence, shared.lease_until) == theirs
