"""A simulated host's SSH server: whatever is asked for, a channel carries JSON lines to the host program."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import asyncssh

from fleet.hostkit.dynohost import LONGEST_LINE, Program
from fleet.lab.simulated.machine import SimulatedMachine

if TYPE_CHECKING:
    Session = asyncssh.SSHServerSession[bytes]
else:
    Session = asyncssh.SSHServerSession

HUGE = 64 << 20
LOOK_SECONDS = 0.25


class Door(asyncssh.SSHServer):
    """One connection: known to its host while it lives."""

    def __init__(self, doors: set[asyncssh.SSHServerConnection], new_session: Callable[[], HostSession]) -> None:
        self._doors, self._new_session = doors, new_session
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """A caller is here."""
        self._connection = conn
        self._doors.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """It is gone; what it asked for goes on."""
        if self._connection is not None:
            self._doors.discard(self._connection)

    def session_requested(self) -> HostSession:
        """The host program, and nothing else."""
        return self._new_session()


class HostSession(Session):
    """One channel. Nothing here blocks or needs a task: waiting is a timer of the loop."""

    def __init__(self, program: Program, machine: SimulatedMachine) -> None:
        self._program, self._machine = program, machine
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._rest = b""

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """The channel is open."""
        self._channel = chan

    def exec_requested(self, command: str) -> bool:  # noqa: ARG002
        """The command is forced: whatever is asked for, this is what runs."""
        return True

    def shell_requested(self) -> bool:
        """The same."""
        return True

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:  # noqa: ARG002
        """Requests, one a line."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.strip():
                self._take(_parse(line))
        if len(self._rest) > LONGEST_LINE:
            self._abort()

    def _take(self, request: Any) -> None:
        faults, verb = self._machine.faults, request.get("verb") if isinstance(request, dict) else None
        dropping = faults.drop is not None and verb == faults.drop_verb and faults.drops_left > 0
        if dropping:
            faults.drops_left -= 1
            if faults.drop == "after":
                self._program.handle(request)
            self._abort()
            return
        if verb == "health":
            self._await_health(request, time.monotonic())
            return
        answer = self._program.handle(request)
        launching = self._machine.dice.expovariate(1 / self._machine.nature.launch_seconds) if verb == "start" else 0.0
        if launching:
            asyncio.get_running_loop().call_later(min(launching, 1.0), self._say, answer)
        else:
            self._say(answer)

    def _await_health(self, request: dict[str, Any], asked_at: float) -> None:
        """Look again when the dyno is due, and now and then before, for it may crash or be stopped meanwhile."""
        seconds = self._machine.seconds_until_health_is_known(request, waited_seconds=time.monotonic() - asked_at)
        if seconds > 0:
            pause = min(seconds, LOOK_SECONDS) + 0.002  # a timer may ring a little early
            asyncio.get_running_loop().call_later(pause, self._await_health, request, asked_at)
        else:
            self._say(self._program.handle(request))

    def _say(self, answer: dict[str, Any]) -> None:
        line = _as_told(answer, self._machine.faults.answers)
        if line and self._channel is not None and not self._channel.is_closing():
            self._channel.write(line)

    def _abort(self) -> None:
        if self._channel is not None:
            self._channel.get_connection().abort()


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _as_told(answer: dict[str, Any], manner: str) -> bytes:
    """The answer as this host tells it, true or not."""
    if manner == "none":
        return b""
    if manner == "garbage":
        return b"\xff\xfe kernel panic - not syncing, password=hunter2\n"
    if manner == "huge":
        return b'{"ok":true,"result":"' + b"x" * HUGE
    told = dict(answer)
    if manner == "wrong_operation":
        told["operation"] = "somebody-elses"
    elif manner == "no_ok":
        del told["ok"]
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"
