"""What this machine's kernel said that concerns this host's images and dynos."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Pattern, Set, Tuple

from . import linux
from .crashlog import rfc3339

MOST_LINES_KEPT = 20000
KINDS: Tuple[Tuple[str, Pattern[str]], ...] = (
    ("loop_io_error", re.compile(r"(?:I/O error,|Buffer I/O error on) dev (?P<device>loop\d+)")),
    ("fs_error", re.compile(r"EXT4-fs (?:error|warning) \(device (?P<device>loop\d+)\)")),
    ("fs_error", re.compile(r"SQUASHFS error: ")),
    ("suppressed", re.compile(r"^\w+: (?P<count>\d+) callbacks suppressed")),
    (
        "segfault",
        re.compile(
            r"^(?:traps: )?(?P<program>[^\[\]]{1,16})\[(?P<pid>\d+)\]:? (?:segfault at|trap |general protection)"
        ),
    ),
)


class KernelLine(NamedTuple):
    """One line of interest; `device` and `pid` where it names one."""

    number: int
    at: float
    kind: str
    line: str
    device: Optional[str]
    pid: Optional[int]


def parse(record: str, booted_at: float) -> Optional[KernelLine]:
    """A `/dev/kmsg` record (`level,number,microseconds,flags;text`), or None when it is of no interest."""
    head, _, text = record.partition(";")
    fields = head.split(",")
    if len(fields) < 3 or not fields[1].isdigit() or not fields[2].isdigit():
        return None
    line = text.split("\n", 1)[0]
    for kind, pattern in KINDS:
        match = pattern.search(line)
        if match:
            groups = match.groupdict()
            pid = int(groups["pid"]) if groups.get("pid") else None
            return KernelLine(
                int(fields[1]), booted_at + int(fields[2]) / 1e6, kind, line[:400], groups.get("device"), pid
            )
    return None


class KernelLog:
    """Reads the kernel's ring once, and then only what is new."""

    def __init__(self, path: str = "/dev/kmsg") -> None:
        self._path, self._lock = path, threading.Lock()
        self._descriptor: Optional[int] = None
        self._lines: List[KernelLine] = []
        self.last_number = -1

    def lines(self, after: int) -> List[KernelLine]:
        """Every line of interest with a number above `after` that the kernel still had."""
        with self._lock:
            self._read()
            return [line for line in self._lines if line.number > after]

    def _read(self) -> None:
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                return
        booted_at = time.time() - time.monotonic()
        while True:
            try:
                record = os.read(self._descriptor, 8192)
            except BrokenPipeError:  # the ring overtook us: go on with the oldest that is left
                continue
            except OSError:
                break
            if not record:
                break
            self._keep(record.decode("utf-8", "replace"), booted_at)

    def _keep(self, record: str, booted_at: float) -> None:
        number = record.split(",", 2)[1:2]
        if number and number[0].isdigit():
            self.last_number = int(number[0])
        line = parse(record, booted_at)
        if line:
            self._lines.append(line)
            del self._lines[:-MOST_LINES_KEPT]


def own_loops(folder: Path) -> Set[str]:
    """The loop devices under this host's mounts."""
    here = [mount for mount in linux.mounts() if mount.point.startswith(str(folder) + "/")]
    return {Path(mount.source).name for mount in here if mount.source.startswith("/dev/loop")}


def concerning(lines: List[KernelLine], loops: Set[str], pids: Set[int]) -> List[Dict[str, Any]]:
    """The lines surely of this host. One that names nobody counts only if no other loop device is in use here."""
    alone = bool(loops) and set(linux.loops()) <= loops
    found = []
    for line in lines:
        named = line.device is not None or line.pid is not None
        if (line.device in loops or line.pid in pids) if named else alone:
            shown = {"at": rfc3339(line.at), "line": line.line, "kind": line.kind, "number": line.number}
            found.append(dict(shown, device=line.device) if line.device else shown)
    return found
