"""A simulated host's own record of crashes, with the kernel's lines beside it, read from a cursor."""

from __future__ import annotations

import hashlib
import json
import random
from collections import deque
from typing import Any

from fleet.hostkit.crashlog import rfc3339, signal_name
from fleet.hostkit.dynohost import Json, Refused
from fleet.lab.past import EXIT_STATUSES
from fleet.lab.simulated.dynos import SimulatedDyno
from fleet.lab.simulated.kernel import KernelLine, KernelLog

DAMAGED_EXITS = (139,) * 16 + (135,) * 3 + (132,)  # SIGSEGV mostly, SIGBUS, SIGILL
MOST_CRASHES, CRASHES_KEPT = 1000, 20_000


class CrashLog:
    """The last crashes, numbered from 1; `note` decides how a dyno dies and what the kernel says of it."""

    def __init__(self, host: str, boot_id: str, kernel: KernelLog, dice: random.Random) -> None:
        self._host, self._boot_id, self._kernel, self._dice = host, boot_id, kernel, dice
        self._crashes: deque[tuple[int, Json]] = deque(maxlen=CRASHES_KEPT)
        self._count = 0

    def note(self, dyno: SimulatedDyno, at: float, damaged: bool) -> int:
        """Keep one crash; gives its exit status."""
        status = self._dice.choice(DAMAGED_EXITS if damaged else EXIT_STATUSES)
        signal = signal_name(status)
        if signal:
            self._kernel.crashed(at, signal=signal, program=dyno.program, pid=dyno.pid or 0)
        if damaged:
            self._kernel.failed_to_read(at, dyno.mount, dyno.program)
        self._count += 1
        self._crashes.append((self._count, self._crash(dyno, at, status, signal)))
        return status

    def _crash(self, dyno: SimulatedDyno, at: float, status: int, signal: str | None) -> Json:
        identity = f"{self._boot_id}|{self._host}|{dyno.name}|{dyno.pid}|{dyno.started_at:.6f}|{status}"
        return {
            "type": "crash",
            "id": hashlib.sha256(identity.encode()).hexdigest()[:32],
            "at": rfc3339(at),
            "host": self._host,
            "app": dyno.app,
            "dyno": dyno.name,
            "program": dyno.program,
            "signal": signal,
            "exit_status": status,
            "source": "exit_status",
            "pid": dyno.pid,
            "stack": dyno.stack,
            "image": dyno.image,
            "ran_seconds": round(at - dyno.started_at, 3),
        }

    def read(self, cursor: Any, limit: Any) -> Json:
        """Up to `limit` crashes, and the kernel's lines, after the cursor."""
        if type(limit) is not int or not 0 < limit <= MOST_CRASHES:
            raise Refused("bad_request", f"limit must be a whole number from 1 to {MOST_CRASHES}")
        crash, number = self._from_cursor(cursor)
        found = [entry for entry in self._crashes if entry[0] > crash][:limit]
        lines = self._kernel.after(number, MOST_CRASHES)
        crash, number = found[-1][0] if found else crash, lines[-1].number if lines else number
        new_cursor = json.dumps([crash, number, self._boot_id[:8]], separators=(",", ":"))
        return {
            "crashes": [entry for _, entry in found],
            "kernel": [_shown(line) for line in lines],
            "cursor": new_cursor,
        }

    def _from_cursor(self, cursor: Any) -> tuple[int, int]:
        if cursor is None:
            return 0, -1
        try:
            crash, number, boot = json.loads(cursor)
            return (int(crash), int(number)) if boot == self._boot_id[:8] else (0, -1)
        except (TypeError, ValueError) as problem:
            raise Refused("bad_request", "this cursor is not one of ours") from problem


def _shown(line: KernelLine) -> Json:
    shown = {"at": rfc3339(line.at), "line": line.line, "kind": line.kind, "number": line.number}
    return {**shown, "device": line.device} if line.device else shown
