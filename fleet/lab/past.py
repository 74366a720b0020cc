"""PURE. A quiet past for a lab fleet: the normal crashes of its dynos before anybody watched, by the lab's own rate."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

EXIT_STATUSES = (1, 1, 1, 2, 134, 137)
SIGNALS = {134: "SIGABRT", 137: "SIGKILL"}


@dataclass(frozen=True)
class PlacedDyno:
    """A dyno, where it runs, and of which app it is."""

    dyno: str
    app: str
    host: str


def quiet_past(
    dynos: Sequence[PlacedDyno], *, until: datetime, seconds: float, crashes_per_dyno_hour: float, seed: int
) -> Iterator[dict[str, Any]]:
    """Crash records, in order of time, of a Poisson process over all dynos during `seconds` before `until`."""
    dice = random.Random(seed)
    rate = crashes_per_dyno_hour * len(dynos) / 3600
    elapsed = 0.0
    while rate > 0:
        elapsed += -math.log(1.0 - dice.random()) / rate
        if elapsed >= seconds:
            return
        yield _crash(dice.choice(dynos), until - timedelta(seconds=seconds - elapsed), dice.choice(EXIT_STATUSES))


def _crash(dyno: PlacedDyno, at: datetime, status: int) -> dict[str, Any]:
    moment = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {
        "type": "crash",
        "at": moment,
        "received_at": moment,
        "host": dyno.host,
        "app": dyno.app,
        "dyno": dyno.dyno,
        "signal": SIGNALS.get(status),
        "exit_status": status,
    }
