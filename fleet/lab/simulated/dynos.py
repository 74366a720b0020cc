"""PURE. Simulated dynos: each life is worked out from the clock when somebody looks, so idle hosts cost nothing."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from fleet.lab.simulated.files import Mount
from fleet.lab.simulated.settings import Faults, Nature

State = Literal["running", "crashed", "stopped"]
Event = Literal["crash", "restart", "expire"]
NEVER = float("inf")


@dataclass(slots=True, eq=False)
class SimulatedDyno:
    """One dyno as its host knows it."""

    name: str
    app: str
    stack: str
    image: str
    memory_mb: int
    program: str
    operation: str
    mount: Mount
    placed_at: float
    port: int
    commit_by: float | None = None
    state: State = "running"
    pid: int | None = None
    started_at: float = 0.0
    healthy_at: float = NEVER
    restarts: int = 0
    pause_seconds: float = 0.0
    last_exit: int | None = None
    plan: int = 0  # grows with each change of what is to come, so that older plans are passed over

    def is_healthy(self, now: float) -> bool:
        """Whether it answers on its port."""
        return self.state == "running" and now >= self.healthy_at


@dataclass(slots=True)
class Dynos:
    """The dynos of one host. `on_crash(dyno, at, damaged)` notes a crash and gives its exit status."""

    nature: Nature
    faults: Faults
    dice: random.Random
    on_crash: Callable[[SimulatedDyno, float, bool], int]
    here: dict[str, SimulatedDyno] = field(default_factory=dict)
    _coming: list[tuple[float, int, Event, SimulatedDyno, int]] = field(default_factory=list)
    _serial: itertools.count[int] = field(default_factory=itertools.count)
    _pids: itertools.count[int] = field(default_factory=lambda: itertools.count(2000))
    _ports: itertools.count[int] = field(default_factory=lambda: itertools.count(20000))

    def advance(self, now: float) -> None:
        """Let everything happen that was to happen until `now`, in order."""
        while self._coming and self._coming[0][0] <= now:
            at, _, event, dyno, plan = heapq.heappop(self._coming)
            if dyno.state == "stopped" or (event != "expire" and plan != dyno.plan):
                continue
            if event == "crash":
                self._crash(dyno, at)
            elif event == "restart":
                self._launch(dyno, at)
            elif dyno.commit_by is not None:
                self.end(dyno)

    def place(self, now: float, *, healthy: bool = False, **words: Any) -> SimulatedDyno:
        """Start a dyno; `healthy` for one that has been up for long."""
        dyno = SimulatedDyno(
            placed_at=now, port=next(self._ports), pause_seconds=self.nature.first_pause_seconds, **words
        )
        self.here[dyno.name] = dyno
        if dyno.commit_by is not None:
            self._plan(dyno.commit_by, "expire", dyno)
        self._launch(dyno, now)
        if healthy:
            dyno.healthy_at = now
        return dyno

    def end(self, dyno: SimulatedDyno) -> None:
        """Stop it and clear it away."""
        dyno.state, dyno.pid = "stopped", None
        if self.here.get(dyno.name) is dyno:
            del self.here[dyno.name]

    def images_changed(self, now: float) -> None:
        """Pages under running dynos read otherwise now: when each will crash is drawn anew."""
        for dyno in self.here.values():
            if dyno.state == "running":
                self._draw_crash(dyno, now)

    def _launch(self, dyno: SimulatedDyno, at: float) -> None:
        nature, faults = self.nature, self.faults
        dyno.state, dyno.pid, dyno.started_at = "running", next(self._pids), at
        seconds = self.dice.uniform(nature.start_least_seconds, nature.start_most_seconds) + faults.slow_start_seconds
        dyno.healthy_at = NEVER if faults.never_healthy else at + seconds
        self._draw_crash(dyno, at)

    def _draw_crash(self, dyno: SimulatedDyno, at: float) -> None:
        dyno.plan += 1
        rate = self._normal_rate() + self._damage_rate(dyno)
        if rate > 0:
            self._plan(at + self.dice.expovariate(rate), "crash", dyno)

    def _normal_rate(self) -> float:
        return self.nature.crashes_per_dyno_hour / 3600

    def _damage_rate(self, dyno: SimulatedDyno) -> float:
        return 2 * dyno.mount.bad_share / self.nature.damaged_mean_seconds

    def _crash(self, dyno: SimulatedDyno, at: float) -> None:
        damage = self._damage_rate(dyno)
        damaged = self.dice.random() * (damage + self._normal_rate()) < damage
        dyno.last_exit = self.on_crash(dyno, at, damaged)
        if at - dyno.started_at > self.nature.steady_seconds:
            dyno.pause_seconds = self.nature.first_pause_seconds
        dyno.state, dyno.pid, dyno.healthy_at = "crashed", None, NEVER
        dyno.restarts += 1
        dyno.plan += 1
        self._plan(at + dyno.pause_seconds, "restart", dyno)
        dyno.pause_seconds = min(self.nature.longest_pause_seconds, dyno.pause_seconds * 1.6)

    def _plan(self, at: float, event: Event, dyno: SimulatedDyno) -> None:
        heapq.heappush(self._coming, (at, next(self._serial), event, dyno, dyno.plan))
