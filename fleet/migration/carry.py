"""Carries one move from whatever state it is in to its end: start, healthy, commit, then stop on the old host.

Every request is named after the move and its attempt: whoever takes over can ask again, and never acts twice.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from fleet.lifecycle import MoveState
from fleet.migration import rows
from fleet.migration.census import is_stranded, memory_of
from fleet.migration.facts import Limits
from fleet.migration.hold import Hold
from fleet.models import Host, Move
from fleet.offloop import in_thread
from fleet.ssh import CallError, NotStarted, Rejected, Unknown

logger = logging.getLogger(__name__)
START_SECONDS = 20.0
START_PATIENCE_SECONDS = 12.0
HEALTH_CHUNK_SECONDS = 5.0
CALL_SECONDS = 15.0
ENDED = {"absent", "ended"}  # a dyno that was not committed in time
LEFT_ALONE = {"tainted", "no_image", "no_capacity", "exists_elsewise"}  # says nothing against the host's health


class Desk(Protocol):
    """Who hands out targets and knows what came of attempts."""

    def healthy(self, move: Move) -> None:
        """Its start on the target is over: the place in the queue there is free."""
        ...

    def another_target(self, move: Move, *, sick: bool) -> Host | None:
        """After a failed attempt: where to try next, or None where it should be given up."""
        ...


class Carrier:
    """Carries moves, one call of `carry` each."""

    def __init__(self, hold: Hold, limits: Limits, desk: Desk) -> None:
        self.hold, self.limits, self.desk = hold, limits, desk
        self.begun: set[int] = set()  # moves whose present attempt began here: nobody before us can have sent it
        self._steps: dict[str, Callable[[Move], Awaitable[None]]] = {
            MoveState.STARTING: self._start,
            MoveState.STARTED: self._await_health,
            MoveState.HEALTHY: self._commit,
            MoveState.COMMITTED: self._stop_old,
        }

    async def carry(self, move: Move) -> None:
        """Goes on until the move has ended, waits for a new turn, or nobody can say what became of it."""
        if move.state == MoveState.UNKNOWN:
            await self._find_out(move)
        while (step := self._steps.get(move.state)) is not None:
            await step(move)

    async def _start(self, move: Move) -> None:
        if not (move.dyno.app.may_overlap or await self._stop_first(move)):
            return
        try:
            await self._insist(
                move.target,
                "start",
                self._name(move, "start"),
                patience_seconds=START_PATIENCE_SECONDS,
                dyno=_description(move),
                commit_within_seconds=self.limits.commit_within_seconds,
            )
        except Rejected as refusal:
            # One that may be asked again may have placed it all the same, such as one that came up too late.
            sick, undo = refusal.code not in LEFT_ALONE, refusal.retry
            await self._give_way(move, f"{move.target.name}: {refusal}", sick=sick, undo=undo)
        except CallError as problem:
            # What may have started there ends by itself, for nobody will commit it; but not at once.
            never_sent = isinstance(problem, NotStarted) and move.pk in self.begun
            if never_sent or move.dyno.app.may_overlap:
                await self._give_way(move, str(problem), sick=True, undo=isinstance(problem, Unknown))
            else:
                await self._leave_unknown(move, str(problem))
        else:
            await in_thread(rows.change_move, self.hold, move, MoveState.STARTED)

    async def _stop_first(self, move: Move) -> bool:
        """Whether the old host runs it no more, as has to be where an app allows only one."""
        if is_stranded(move.dyno):
            return True
        try:
            await self._insist(move.source, "stop", self._name(move, "stop"), **self._stopping(move))
        except Rejected as refusal:
            await self._give_way(move, f"{move.source.name}: {refusal}", sick=False)
        except CallError as problem:
            await self._leave_unknown(move, str(problem))
        else:
            await in_thread(rows.strand_dyno, self.hold, move)
        return is_stranded(move.dyno)

    async def _await_health(self, move: Move) -> None:
        until = time.monotonic() + self.limits.healthy_seconds
        told: dict[str, Any] = {"state": "not asked"}
        while time.monotonic() < until:
            try:
                told = await self.hold.call(
                    move.target,
                    "health",
                    seconds=HEALTH_CHUNK_SECONDS + CALL_SECONDS,
                    dyno=move.dyno.name,
                    wait_seconds=HEALTH_CHUNK_SECONDS,
                )
            except CallError as problem:
                told = {"state": str(problem)}
                await asyncio.sleep(0.5)
            if told.get("healthy") is True or told.get("state") in {"stopped", "absent"}:
                break
            await asyncio.sleep(0.05)
        if told.get("healthy") is not True:
            why = f"{move.target.name}: not healthy within {self.limits.healthy_seconds:g} s, but {told.get('state')}."
            await self._give_way(move, why, sick=True, undo=True)
        elif not await in_thread(rows.target_still_takes_dynos, move):
            await self._give_way(move, f"{move.target.name} was tainted meanwhile.", sick=False, undo=True)
        else:
            await in_thread(rows.change_move, self.hold, move, MoveState.HEALTHY)
            self.desk.healthy(move)

    async def _commit(self, move: Move) -> None:
        try:
            await self._insist(move.target, "commit", self._name(move, "commit"), dyno=move.dyno.name)
        except Rejected as refusal:
            has_ended = refusal.code in ENDED
            await self._give_way(move, f"{move.target.name}: {refusal}", sick=not has_ended, undo=not has_ended)
        except CallError as problem:
            await self._leave_unknown(move, str(problem))
        else:
            await in_thread(rows.commit_move, self.hold, move)

    async def _stop_old(self, move: Move) -> None:
        if move.dyno.app.may_overlap:
            try:
                await self._insist(move.source, "stop", self._name(move, "stop"), **self._stopping(move))
            except CallError as problem:
                why = (
                    f"It runs on {move.target.name}, but {move.source.name} does not say that it has stopped: {problem}"
                )
                await self._leave_unknown(move, why)
                return
        await in_thread(rows.finish_move, self.hold, move)

    async def _find_out(self, move: Move) -> None:
        """Asks the target what became of the latest attempt, and goes on from there."""
        await in_thread(move.dyno.refresh_from_db, fields=["host"])
        if move.dyno.host_id == move.target_id:
            await in_thread(rows.change_move, self.hold, move, MoveState.COMMITTED)
            return
        try:
            committed = await self._became(move, "commit")
            started = committed or await self._became(move, "start")
        except CallError as problem:
            await in_thread(rows.note_move, self.hold, move, str(problem)[:2000])
            return
        to = MoveState.HEALTHY if committed else MoveState.STARTED if started else MoveState.STARTING
        await in_thread(rows.change_move, self.hold, move, to)

    async def _became(self, move: Move, verb: str) -> bool:
        """Whether the host knows of that request: then asking again only gives its answer."""
        told = await self.hold.call(move.target, "operation", self._name(move, verb), seconds=CALL_SECONDS)
        return told.get("state") != "absent"

    async def _give_way(self, move: Move, why: str, *, sick: bool, undo: bool = False) -> None:
        """Plans the next attempt elsewhere, or gives the move up."""
        logger.info("move %s of %s gives way: %s", move.pk, move.dyno.name, why)
        if undo and not await self._undo(move) and not move.dyno.app.may_overlap:
            await self._leave_unknown(move, why)  # it may be running there still
            return
        target = self.desk.another_target(move, sick=sick)
        if target is None:
            await in_thread(rows.fail_move, self.hold, move, why)
        else:
            await in_thread(rows.change_move, self.hold, move, MoveState.PLANNED, target=target, message=why[:2000])
            move.target = target

    async def _undo(self, move: Move) -> bool:
        """Ends a provisional dyno early; should that not reach it, it ends by itself, but later."""
        try:
            await self.hold.call(
                move.target, "stop", self._name(move, "undo"), seconds=CALL_SECONDS, **self._stopping(move)
            )
        except CallError as problem:
            logger.info("%s ends by itself on %s: %s", move.dyno.name, move.target.name, problem)
            return False
        return True

    async def _leave_unknown(self, move: Move, why: str) -> None:
        await in_thread(rows.change_move, self.hold, move, MoveState.UNKNOWN, message=why[:2000])

    async def _insist(
        self, host: Host, verb: str, operation: str, *, patience_seconds: float | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """Asks, by the same name, until the host has said yes or no, or our patience is over.

        Raises Rejected; NotStarted only where no call of ours can have reached the host; Unknown else.
        """
        patience = self.limits.unknown_seconds if patience_seconds is None else patience_seconds
        until, pause, maybe_sent = time.monotonic() + patience, 0.1, False
        while True:
            try:
                return await self.hold.call(host, verb, operation, seconds=START_SECONDS, **arguments)
            except Rejected as refusal:
                if not refusal.retry or time.monotonic() > until:
                    raise
            except CallError as problem:
                maybe_sent = maybe_sent or isinstance(problem, Unknown)
                if time.monotonic() > until:
                    raise Unknown(str(problem)) if maybe_sent else NotStarted(str(problem)) from None
            await asyncio.sleep(pause)
            pause = min(3.0, pause * 2)

    def _stopping(self, move: Move) -> dict[str, Any]:
        return {"dyno": move.dyno.name, "grace_seconds": self.limits.grace_seconds}

    @staticmethod
    def _name(move: Move, verb: str) -> str:
        return f"move-{move.pk}-{verb}-{move.attempts}"


def _description(move: Move) -> dict[str, Any]:
    dyno = move.dyno
    return {
        "dyno": dyno.name,
        "app": dyno.app.name,
        "stack": dyno.stack.name if dyno.stack else "",
        "image": dyno.image.digest if dyno.image else "",
        "memory_mb": memory_of(dyno),
    }
