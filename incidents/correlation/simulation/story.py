"""A story of a fleet while it is written: deploys, crashes, and the truth about them."""

from dataclasses import dataclass, field

import numpy as np

from incidents.correlation.events import Floats, Mask
from incidents.correlation.simulation.everyday import Crashes, joined, kinds
from incidents.correlation.simulation.fleet import Fleet
from incidents.correlation.simulation.rollouts import NEVER, Rollout, innocent, roll_out

WARM_MINUTES = 240
DEPLOYS_A_DAY = 12


@dataclass(slots=True)
class Fault:
    """A deploy to blame, with the minute of the damage per host (NEVER: none), and when it begins to show."""

    rollout: Rollout
    hurt: Floats
    shows: Floats
    onset: float
    cohort: dict[str, str]


@dataclass(slots=True)
class Truth:
    """What should be named. `also`: what may be named too; nobody is to be paged where the verdict is None or app."""

    verdict: str | None = None
    subject: str | None = None
    onset: float | None = None
    faults: list[Fault] = field(default_factory=list)
    also: frozenset[tuple[str, str]] = frozenset()
    recall_minutes: float = 60.0


@dataclass(slots=True)
class Story:
    """`hazard`: crashes per dyno and minute on a damaged host, times `hazards`."""

    chance: np.random.Generator
    fleet: Fleet
    minutes: int
    hazard: float
    rollouts: list[Rollout] = field(default_factory=list)
    parts: list[Crashes] = field(default_factory=list)
    truth: Truth = field(default_factory=Truth)
    hazards: float = 1.0

    def roll_out(
        self, minute: float, *, target: str | None = None, part: Mask | None = None, lasts: float | None = None
    ) -> Rollout:
        """A deploy of this story."""
        rollout = roll_out(self.chance, self.fleet, minute, target=target, part=part, lasts=lasts)
        self.rollouts.append(rollout)
        return rollout

    def innocents(self, *, restarting: float = 0.0) -> None:
        """Everyday's deploys; some of them restart dynos."""
        for minute in self.chance.uniform(0, self.minutes, self.chance.poisson(DEPLOYS_A_DAY * self.minutes / 1440)):
            rollout = innocent(self.chance, self.fleet, float(minute))
            self.rollouts.append(rollout)
            if self.chance.random() < restarting:
                self.restart(rollout)

    def damage(
        self, hurt: Floats, *, stack: str | None = None, until: float | Floats = NEVER, ripen: float = 0.0
    ) -> float:
        """Dynos on hosts hurt at these minutes die by the hazard; each begins up to `ripen` later. Gives the onset."""
        rows = np.flatnonzero(np.isfinite(hurt)[self.fleet.row_host] & self.fleet.rows_of(stack))
        host = self.fleet.row_host[rows]
        start = hurt[host] + (self.chance.exponential(ripen, len(rows)) if ripen else 0.0)
        end = np.minimum(self.minutes, np.broadcast_to(np.asarray(until, dtype=float), hurt.shape)[host])
        length = np.maximum(0.0, end - start)
        counts = self.chance.poisson(self.hazard * self.hazards * self.fleet.row_dynos[rows] * length)
        minute = np.repeat(start, counts) + self.chance.random(int(counts.sum())) * np.repeat(length, counts)
        self.parts.append(Crashes(minute, np.repeat(rows, counts), kinds(self.chance, len(minute), fatal=0.75)))
        return float(minute.min()) if len(minute) else NEVER

    def restart(self, rollout: Rollout, *, share: float = 0.02) -> None:
        """A deploy that restarts dynos: a few of them die within two minutes."""
        reached = rollout.reached[self.fleet.row_host] & self.fleet.rows_of(rollout.stack)
        rows = np.flatnonzero(reached & (self.chance.random(len(self.fleet.row_app)) < share))
        minute = rollout.touched[self.fleet.row_host[rows]] + self.chance.uniform(0, 2, len(rows))
        keep = minute < self.minutes
        self.parts.append(Crashes(minute[keep], rows[keep], kinds(self.chance, int(keep.sum()), fatal=0.1)))

    def blame(
        self, rollout: Rollout, cohort: dict[str, str] | None = None, *,
        delay: float = 0.0, ripen: float = 0.0, until: float | Floats = NEVER,
    ) -> Fault:  # fmt: skip
        """This deploy damages the hosts of a cohort that it touches; the truth is told so."""
        cohort = cohort or {}
        hurt = np.where(self.fleet.having(cohort), rollout.touched, NEVER)
        onset = self.damage(hurt + delay, stack=rollout.stack, ripen=ripen, until=until)
        fault = Fault(rollout, hurt, hurt + delay, onset, cohort)
        self.truth.faults.append(fault)
        self.truth.verdict, self.truth.onset = "deploy", min(onset, self.truth.onset or NEVER)
        return fault

    def crashes(self) -> Crashes:
        """All crashes in order of time."""
        return joined(self.parts)
