"""Drives many moves at once in one event loop: within the limits, in waves, with a gate between them."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable

from django.conf import settings
from django.utils import timezone

from fleet.collecting import read_and_keep
from fleet.lifecycle import MigrationState, MoveState
from fleet.live import announce
from fleet.migration import rows
from fleet.migration.carry import CALL_SECONDS, Carrier
from fleet.migration.census import fresh_hosts, is_stranded, memory_of
from fleet.migration.facts import Limits
from fleet.migration.hold import IN_FLIGHT, Hold, LeaseLost, renew
from fleet.migration.rooms import Room, best_room
from fleet.models import Host, Migration, Move
from fleet.offloop import in_thread
from fleet.ssh import CallError, Pool
from fleet.wording import count

BEAT_SECONDS = 1.0
LOOK_AT_CRASHES_SECONDS = 5.0
STARTING = (MoveState.STARTING, MoveState.STARTED)
FEWEST_ERRORS = 4


class Drive:
    """One holder's work on one migration. Read from rows by whoever makes it, in a thread that may use the database."""

    def __init__(self, hold: Hold) -> None:
        self.hold = hold
        self.migration = Migration.objects.get(pk=hold.migration_id)
        self.limits = Limits.from_data(self.migration.limits)
        related = ("dyno__app", "dyno__stack", "dyno__image", "source", "target")
        self.moves = list(self.migration.moves.select_related(*related).order_by("wave", "position"))
        avoid = {*self.migration.limits.get("avoid", []), *(move.source_id for move in self.moves)}
        self.rooms = {fact.id: Room.of(fact) for fact in fresh_hosts(avoid)}
        self.hosts = Host.objects.in_bulk([*self.rooms, *(move.target_id for move in self.moves)])
        self.queue = [move for move in self.moves if move.state == MoveState.PLANNED]
        self.state = str(self.migration.state)
        self.starting: Counter[int] = Counter()
        self.moving: Counter[int] = Counter()
        self.failures: Counter[int] = Counter()  # of targets, in a row
        self.errors: Counter[int] = Counter()  # of moves
        self.tried: dict[int, set[int]] = defaultdict(set)
        self.carrier = Carrier(hold, self.limits, self)
        begun = [move.wave for move in self.moves if move.state != MoveState.PLANNED or move.attempts]
        self.wave = max(begun, default=min((move.wave for move in self.moves), default=0))  # the last that may begin
        self._places: dict[int, int] = {}  # which place to start in each move takes up
        self._changed = asyncio.Event()
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self, pool: Pool) -> None:
        """Carries what is under way to its end, and begins what may begin. Raises LeaseLost."""
        self.hold.pool = pool
        is_lost = False
        try:
            async with asyncio.TaskGroup() as group:
                beat = group.create_task(self._beat())
                await self._fence_off([move for move in self.moves if move.state in IN_FLIGHT])
                await self._carry_all(group)
                beat.cancel()
        except* LeaseLost:
            is_lost = True
        if is_lost:
            raise LeaseLost(f"migration {self.hold.migration_id}")

    # ---- what carriers ask for ----

    def healthy(self, move: Move) -> None:
        """A place at the target is free; what comes after the start does not count there."""
        self._free_place(move)
        self.failures[move.target_id] = 0
        self._changed.set()

    def another_target(self, move: Move, *, sick: bool) -> Host | None:
        """Where to try next. A target that fails too often in a row is left alone from then on."""
        self.errors[move.pk] += 1
        self.failures[move.target_id] += sick
        self.tried[move.pk].add(move.target_id)
        is_over = self.errors[move.pk] >= self.limits.attempts
        room = None if is_over else self._best(move, self.tried[move.pk]) or self._best(move, {move.target_id})
        return self._promise(move, room)

    # ---- who begins when ----

    async def _carry_all(self, group: asyncio.TaskGroup) -> None:
        for move in self.moves:
            if move.state in IN_FLIGHT:
                self._begin(group, move)
        while True:
            self._launch(group)
            if self._tasks:
                await self._changed.wait()
                self._changed.clear()
            elif not self.queue or not await (self._next_wave() if self._is_running() else self._give_up_stranded()):
                return

    def _launch(self, group: asyncio.TaskGroup) -> None:
        """Begins whatever the limits allow: first where it was planned, then where a place is idle."""
        for elsewhere in (False, True):
            if not any(map(self._is_idle, self.rooms)):
                return
            for move in [move for move in self.queue if self._may_begin(move)]:
                if self.moving[move.dyno.app_id] < self.limits.moves_per_app and self._has_place(move, elsewhere):
                    self.queue.remove(move)
                    self._begin(group, move)

    def _is_running(self) -> bool:
        return self.state == MigrationState.RUNNING

    def _may_begin(self, move: Move) -> bool:
        """A dyno that runs nowhere waits for no wave, and for no pause either."""
        return is_stranded(move.dyno) or (self._is_running() and move.wave <= self.wave)

    def _has_place(self, move: Move, elsewhere: bool) -> bool:
        if not elsewhere or self._is_usable(move.target_id):
            if self._is_idle(move.target_id):
                return True
            if not elsewhere:
                return False
        planned = self.rooms.get(move.target_id)
        together = planned.apps[move.dyno.app_id] - 1 if planned and self._is_usable(move.target_id) else None
        busy = {host_id for host_id in self.rooms if not self._is_idle(host_id)} | self.tried[move.pk]
        room = self._best(move, busy)
        if room is None and together is None:
            room = self._best(move, busy - self.tried[move.pk])
        if room is None or (together is not None and room.apps[move.dyno.app_id] > together):
            return False
        self._retarget(move, room)
        return True

    def _begin(self, group: asyncio.TaskGroup, move: Move) -> None:
        self.moving[move.dyno.app_id] += 1
        if move.state in {MoveState.PLANNED, *STARTING}:
            self._places[move.pk] = move.target_id
            self.starting[move.target_id] += 1
        self._tasks[move.pk] = group.create_task(self._carry(move))

    async def _carry(self, move: Move) -> None:
        """One turn of a move; one that has to try again stands in the queue afterwards."""
        try:
            if move.state != MoveState.PLANNED:
                await self.carrier.carry(move)
            elif await in_thread(rows.begin_move, self.hold, move):
                self.carrier.begun.add(move.pk)
                await self.carrier.carry(move)
            else:
                await self._not_begun(move)
        finally:
            self._free_place(move)
            self.moving[move.dyno.app_id] -= 1
            del self._tasks[move.pk]
            self._changed.set()
        if move.state == MoveState.PLANNED:
            self.queue.append(move)
        await self._watch_errors()

    async def _not_begun(self, move: Move) -> None:
        """Its target takes no dynos any more, or a person withdrew it."""
        await in_thread(move.refresh_from_db, fields=["state"])
        if move.state != MoveState.PLANNED:
            return
        self.rooms.pop(move.target_id, None)
        if (room := self._best(move, {move.target_id})) is None:
            await in_thread(rows.fail_move, self.hold, move, "No fresh host has room for it.")
        else:
            self._retarget(move, room)

    def _free_place(self, move: Move) -> None:
        if (host_id := self._places.pop(move.pk, None)) is not None:
            self.starting[host_id] -= 1

    def _is_usable(self, host_id: int) -> bool:
        return host_id in self.rooms and self.failures[host_id] < self.limits.target_failures

    def _is_idle(self, host_id: int) -> bool:
        return self._is_usable(host_id) and self.starting[host_id] < self.limits.starts_per_host

    def _best(self, move: Move, without: Iterable[int]) -> Room | None:
        sick = {host_id for host_id in self.rooms if not self._is_usable(host_id)}
        dyno = move.dyno
        return best_room(self.rooms.values(), app_id=dyno.app_id, memory_mb=memory_of(dyno), without={*without, *sick})

    def _retarget(self, move: Move, room: Room) -> None:
        self._promise(move, room)
        move.target = self.hosts[room.host_id]

    def _promise(self, move: Move, room: Room | None) -> Host | None:
        """Room on the new target, none any more on the old one."""
        if (old := self.rooms.get(move.target_id)) is not None:
            old.give_back(move.dyno.app_id, memory_of(move.dyno))
        if room is None:
            return None
        room.take(move.dyno.app_id, memory_of(move.dyno))
        return self.hosts[room.host_id]

    # ---- waves, gates, budgets ----

    async def _next_wave(self) -> bool:
        """Nothing is under way, and something waits: a wave has ended, or the rest has no place to go."""
        following = min(move.wave for move in self.queue)
        if following > self.wave:
            if not await self._pass_gate(self.wave):
                return False
            self.wave = following
        if not any(self._is_usable(move.target_id) or self._best(move, ()) for move in self.queue):
            await self._give_up(list(self.queue))
        return True

    async def _give_up_stranded(self) -> bool:
        """While nothing else may begin: those that run nowhere and have no place to go; a person is to know."""
        await self._give_up([move for move in self.queue if is_stranded(move.dyno)])
        return False

    async def _give_up(self, moves: Iterable[Move]) -> None:
        for move in moves:
            self.queue.remove(move)
            await in_thread(rows.fail_move, self.hold, move, "No fresh host is left for it.")

    async def _pass_gate(self, wave: int) -> bool:
        """Whether the moved dynos fare well where they are; the hosts are asked, after a while of watching."""
        await asyncio.sleep(self.limits.gate_seconds)
        crashes, moved = await self._count_crashes()
        if crashes > self.limits.gate_crashes:
            await self._pause(_crashed(crashes, moved))
        elif self.state == MigrationState.RUNNING:
            await in_thread(rows.note_wave, self.hold, wave, crashes, moved)
            return True
        return False

    async def _count_crashes(self) -> tuple[int, int]:
        targets = {move.target_id for move in self.moves if move.state == MoveState.DONE}
        if self.hold.pool is not None:
            hosts = await in_thread(lambda: list(Host.objects.filter(pk__in=targets)))
            await read_and_keep(self.hold.pool, hosts)
        return await in_thread(rows.crashes_of_moved, self.migration)

    async def _watch_errors(self) -> None:
        allowed = max(FEWEST_ERRORS, self.limits.error_share * len(self.moves))
        if self.errors.total() > allowed and self.state == MigrationState.RUNNING:
            await self._pause(f"{count(self.errors.total(), 'attempt')} failed; {allowed:g} are allowed.")

    async def _pause(self, why: str) -> None:
        self.state = str(MigrationState.PAUSED)
        await in_thread(rows.pause, self.hold, why)

    # ---- holding ----

    async def _beat(self) -> None:
        """Renews the lease, sees what persons want, tells open pages of moves, and looks whether moved dynos crash."""
        looked = asyncio.get_running_loop().time()
        told = [move.state for move in self.moves]
        while True:
            await asyncio.sleep(min(BEAT_SECONDS, settings.LEASE_SECONDS / 4))
            self.state = await in_thread(renew, self.hold, now=timezone.now())
            if self.state == MigrationState.CANCELLED:
                self.queue[:] = filter(self._may_begin, self.queue)
            self._take_back(await in_thread(rows.put_back, self.moves))
            if (states := [move.state for move in self.moves]) != told:
                told = states
                await in_thread(announce, self.migration.reference)
            if asyncio.get_running_loop().time() - looked > LOOK_AT_CRASHES_SECONDS:
                looked = asyncio.get_running_loop().time()
                await self._watch_crashes()
            self._changed.set()

    def _take_back(self, planned: Iterable[Move]) -> None:
        """Moves that a person has tried again stand in the queue once more, as if they had never been tried."""
        moves = {move.pk: move for move in self.moves}
        for row in planned:
            move = moves[row.pk]
            move.state, move.message, move.target = row.state, row.message, row.target
            if (room := self.rooms.get(move.target_id)) is not None:
                room.take(move.dyno.app_id, memory_of(move.dyno))
            self.errors.pop(move.pk, None)
            self.tried.pop(move.pk, None)
            self.queue.append(move)

    async def _watch_crashes(self) -> None:
        crashes, moved = await in_thread(rows.crashes_of_moved, self.migration)
        if self.state == MigrationState.RUNNING and crashes > max(FEWEST_ERRORS, self.limits.crash_share * moved):
            await self._pause(_crashed(crashes, moved))

    async def _fence_off(self, moves: Iterable[Move]) -> None:
        """Shows our fence to every host with one of these moves in hand, so that none listens to an earlier holder."""
        hosts = {host.pk: host for move in moves for host in (move.source, move.target)}
        await asyncio.gather(*(self._show_fence(host) for host in hosts.values()))

    async def _show_fence(self, host: Host) -> None:
        try:
            await self.hold.call(host, "facts", seconds=CALL_SECONDS)
        except CallError:
            # It hears nobody now; what it is asked later carries our fence all the same.
            self.failures[host.pk] += 1


def _crashed(crashes: int, moved: int) -> str:
    return f"{count(crashes, 'crash', 'crashes')} of {count(moved, 'moved dyno')} on their new hosts."
