"""The host's own record of crashes: appended by shims, read from a cursor, kept in a few bounded files."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any, Dict, List, Tuple

from .disk import locked

SEGMENT_BYTES = 1 << 20
SEGMENTS_KEPT = 8


def rfc3339(seconds: float) -> str:
    """The time in UTC, to the microsecond."""
    moment = dt.datetime.fromtimestamp(seconds, dt.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def signal_name(exit_status: int) -> Any:
    """The signal behind an exit status of 128+n, or None."""
    try:
        return signal.Signals(exit_status - 128).name if exit_status > 128 else None
    except ValueError:
        return None


def append_crash(root: Path, spec: Dict[str, Any], *, pid: int, started: float, exit_status: int) -> None:
    """Write one crash down, durably; its id is made of what makes it this crash and no other."""
    ended = dt.datetime.now(dt.timezone.utc).timestamp()
    identity = "{}|{}|{}|{:.6f}|{}".format(spec["host"], spec["dyno"], pid, started, exit_status)
    crash = {
        "type": "crash",
        "id": hashlib.sha256(identity.encode()).hexdigest()[:32],
        "at": rfc3339(ended),
        "host": spec["host"],
        "app": spec["app"],
        "dyno": spec["dyno"],
        "program": os.path.basename(spec["command"][0]),  # noqa: PTH119 - a path inside the dyno
        "signal": signal_name(exit_status),
        "exit_status": exit_status,
        "source": "exit_status",
        "pid": pid,
        "stack": spec["stack"],
        "image": spec["image"],
        "ran_seconds": round(ended - started, 3),
    }
    folder = root / "crashes"
    with locked(folder / "lock"), _segment_to_write(folder).open("ab", buffering=0) as stream:
        stream.write(json.dumps(crash, separators=(",", ":")).encode() + b"\n")
        os.fsync(stream.fileno())


def _segments(folder: Path) -> List[int]:
    return sorted(int(path.stem) for path in folder.glob("*.ndjson") if path.stem.isdigit())


def _segment_to_write(folder: Path) -> Path:
    numbers = _segments(folder) or [1]
    newest = folder / "{}.ndjson".format(numbers[-1])
    if newest.exists() and newest.stat().st_size > SEGMENT_BYTES:
        newest = folder / "{}.ndjson".format(numbers[-1] + 1)
        for number in numbers[: 1 - SEGMENTS_KEPT]:
            (folder / "{}.ndjson".format(number)).unlink(missing_ok=True)
    return newest


def read_crashes(root: Path, segment: int, offset: int, limit: int) -> Tuple[List[Dict[str, Any]], int, int]:
    """Up to `limit` crashes from that place on, and the place after the last of them."""
    found: List[Dict[str, Any]] = []
    for number in [number for number in _segments(root / "crashes") if number >= segment]:
        offset = offset if number == segment else 0
        segment = number
        with (root / "crashes" / "{}.ndjson".format(number)).open("rb") as stream:
            stream.seek(offset)
            for line in stream:
                if len(found) >= limit or not line.endswith(b"\n"):
                    return found, segment, offset
                offset += len(line)
                found.append(json.loads(line))
    return found, segment, offset
