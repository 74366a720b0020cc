"""The hold on a migration: its lease, its fence, and calls to hosts that carry it."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q

from fleet.leases import lease_end, new_lease, next_fence
from fleet.lifecycle import DynoState, MigrationState, MoveState
from fleet.models import Host, Migration
from fleet.models.querysets import due
from fleet.offloop import in_thread
from fleet.reach import endpoint_of
from fleet.ssh import NotStarted, Pool, Rejected

IN_FLIGHT = (MoveState.STARTING, MoveState.STARTED, MoveState.HEALTHY, MoveState.COMMITTED, MoveState.UNKNOWN)
RAISES = 5


class LeaseLost(Exception):  # noqa: N818 - what happened
    """Somebody else carries the migration now; leave everything as it is."""


@dataclass
class Hold:
    """One holding of a migration. `owner` is new each time, so a row that names it is proof that nobody took over."""

    migration_id: int
    owner: str
    fence: int
    pool: Pool | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def call(
        self, host: Host, verb: str, operation: str | None = None, *, seconds: float, **arguments: Any
    ) -> dict[str, Any]:
        """One call with our fence, raised where something else acted on the host meanwhile. Raises LeaseLost."""
        if self.pool is None:
            raise NotStarted("There are no connections yet.")
        for _ in range(RAISES):
            fence = self.fence
            try:
                return await self.pool.call(
                    endpoint_of(host),
                    verb=verb,
                    operation=operation,
                    fence=fence,
                    deadline_seconds=seconds,
                    arguments=arguments,
                )
            except Rejected as refusal:
                if refusal.code != "stale_fence":
                    raise
            await self._raise_over(fence)
        raise NotStarted(f"{host.name}: others act on it at the same time; its fence was {RAISES} times ahead of ours.")

    async def _raise_over(self, fence: int) -> None:
        async with self._turn:
            if self.fence == fence:
                self.fence = await in_thread(raise_fence, self)


def due_condition(now: datetime) -> Q:
    """Condition on migrations that want a holder and have none."""
    stranded = Q(moves__state=MoveState.PLANNED, moves__dyno__state=DynoState.STRANDED)
    begun = Q(moves__state__in=IN_FLIGHT) | stranded & ~Q(state=MigrationState.PLANNED)
    return due(now) & (Q(state=MigrationState.RUNNING) | begun)


def take_hold(migration_id: int, *, now: datetime) -> Hold | None:
    """The hold, or None where somebody has it or nothing is left to do."""
    lease = new_lease(now)
    free = Migration.objects.filter(pk__in=Migration.objects.filter(due_condition(now), pk=migration_id).values("pk"))
    taken = free.filter(due(now)).update(
        lease_owner=lease.owner, lease_until=lease.until_at, heartbeat_at=now, fence=lease.fence
    )
    return Hold(migration_id, lease.owner, lease.fence) if taken else None


def renew(hold: Hold, *, now: datetime) -> str:
    """Says that the holder lives; gives the migration's state. Raises LeaseLost."""
    _change(hold, lease_until=lease_end(now), heartbeat_at=now)
    return str(Migration.objects.values_list("state", flat=True).get(pk=hold.migration_id))


def raise_fence(hold: Hold) -> int:
    """A higher fence for the same holder. Raises LeaseLost."""
    fence = next_fence()
    _change(hold, fence=fence)
    return fence


def give_back(hold: Hold, *, again_at: datetime | None = None) -> None:
    """Ends the hold; `again_at` keeps others off until then. Nothing happens to one that was lost."""
    _mine(hold).update(lease_owner="", lease_until=again_at)


def lock(hold: Hold) -> None:
    """Inside a transaction: keeps others from taking over before it ends. Raises LeaseLost."""
    if not _mine(hold).select_for_update(no_key=True).values_list("pk", flat=True).first():
        raise LeaseLost(f"migration {hold.migration_id}")


def _mine(hold: Hold) -> Any:
    return Migration.objects.filter(pk=hold.migration_id, lease_owner=hold.owner)


def _change(hold: Hold, **changes: Any) -> None:
    if not _mine(hold).update(**changes):
        raise LeaseLost(f"migration {hold.migration_id}")
