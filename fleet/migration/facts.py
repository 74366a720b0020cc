"""PURE. What a plan is made from: limits, apps, dynos and hosts as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast and how far a migration may go. `wave_size` 0: after the canary everything at once."""

    starts_per_host: int = 4
    moves_per_app: int = 8
    canary: int = 4
    wave_size: int = 0
    gate_seconds: float = 4.0
    gate_crashes: int = 1  # of moved dynos; more than that pause the migration
    crash_share: float = 0.25  # of moved dynos that may crash while it widens, before it pauses
    healthy_seconds: float = 60.0
    commit_within_seconds: float = 120.0
    grace_seconds: float = 5.0
    attempts: int = 4
    error_share: float = 0.2  # of all moves: failed attempts beyond that pause the migration
    target_failures: int = 3  # in a row, then no more dynos go there
    unknown_seconds: float = 40.0  # how long a silent host is asked in one go
    give_up_seconds: float = 300.0  # after that a migration ends with that move unknown
    start_seconds: float = 2.0  # what a start is reckoned at, for the bound shown before anything is measured

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Limits:
        """Limits as they were stored; words that are none of theirs are passed over."""
        return cls(**{field.name: data[field.name] for field in fields(cls) if field.name in data})


@dataclass(frozen=True, slots=True)
class AppFact:
    """An app, and how many dynos of it run anywhere."""

    id: int
    name: str
    dynos: int
    may_overlap: bool = True


@dataclass(frozen=True, slots=True)
class DynoFact:
    """A dyno to be moved away from `host_id`. `is_stranded`: it was stopped there already, and runs nowhere."""

    id: int
    name: str
    app: AppFact
    host_id: int
    host: str
    memory_mb: int
    is_stranded: bool = False


@dataclass(frozen=True, slots=True)
class HostFact:
    """A host with what is taken up on it. `is_fresh`: it may be a target. `apps` counts dynos by app id."""

    id: int
    name: str
    memory_mb: int
    slots: int
    used_memory_mb: int = 0
    used_slots: int = 0
    is_fresh: bool = True
    apps: Mapping[int, int] = field(default_factory=dict)
