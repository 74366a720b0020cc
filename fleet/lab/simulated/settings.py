"""PURE. What can be set about a simulated fleet, and the faults a test can give to one host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Answers = Literal["true", "garbage", "wrong_operation", "no_ok", "huge", "none"]


@dataclass(frozen=True, slots=True)
class Nature:
    """How the simulated hosts behave when nothing is wrong with them, and how damage shows. Means in seconds."""

    crashes_per_dyno_hour: float = 0.6  # of a healthy dyno
    start_least_seconds: float = 0.5  # until a started dyno is healthy
    start_most_seconds: float = 3.0
    launch_seconds: float = 0.05  # until a started dyno has a process, on average
    damaged_mean_seconds: float = 20.0  # between crashes of a dyno, half of whose pages read wrongly
    first_pause_seconds: float = 2.0  # between a crash and the restart; grows while it keeps crashing
    longest_pause_seconds: float = 12.0
    steady_seconds: float = 20.0  # a dyno that ran this long has its short pause back


@dataclass(slots=True)
class Faults:
    """What is wrong with one host now. Connections are refused or hung by the lab, which owns the listener."""

    answers: Answers = "true"
    drop: Literal["before", "after"] | None = None  # the connection, before or after the effect of `drop_verb`
    drop_verb: str = "start"
    drops_left: int = 1
    slow_start_seconds: float = 0.0
    failing_starts: float = 0.0  # share of starts that are refused
    never_healthy: bool = False
