"""Deploys as they roll through a fleet: which hosts, in which order, when, and when the tool says so."""

from dataclasses import dataclass, field

import numpy as np

from incidents.correlation.events import Floats, Mask
from incidents.correlation.simulation.fleet import STACKS, Fleet

TARGETS = ("stack", "agent", "kernel", "config")
NEVER = np.inf


@dataclass(slots=True)
class Rollout:
    """Per host the minute at which it was touched (NEVER: not), and how much later the stamp says it was."""

    name: str
    minute: float
    target: str
    stack: str | None
    touched: Floats
    kind: str = "upgrade"
    late: Floats = field(default_factory=lambda: np.zeros(0))
    starts: bool = False  # whether the tool also says when it began on a host

    @property
    def reached(self) -> Mask:
        """The hosts that it touches."""
        return np.isfinite(self.touched)

    @property
    def stamps(self) -> Floats:
        """Minute of the record of each host."""
        return self.touched + self.late if len(self.late) else self.touched


def roll_out(
    chance: np.random.Generator, fleet: Fleet, minute: float, *, target: str | None = None,
    part: Mask | None = None, lasts: float | None = None,
) -> Rollout:  # fmt: skip
    """A deploy over some hosts, in random, zone or name order."""
    target = target or str(chance.choice(TARGETS))
    stack = str(chance.choice(STACKS)) if target == "stack" else None
    hosts = np.flatnonzero(part) if part is not None else np.arange(len(fleet))
    order = chance.permutation(hosts)
    how = chance.random()
    if how < 0.25:
        order = order[np.argsort(np.array(fleet.attributes["zone"])[order], kind="stable")]
    elif how < 0.4:
        order = hosts
    gaps = chance.exponential(1.0, len(order))
    lasts = float(chance.uniform(20, 110)) if lasts is None else lasts
    touched = np.full(len(fleet), NEVER)
    touched[order] = minute + gaps.cumsum() / max(gaps.sum(), 1e-9) * lasts
    return Rollout("", minute, target, stack, touched)


def innocent(chance: np.random.Generator, fleet: Fleet, minute: float) -> Rollout:
    """One of everyday's deploys; a third of them are for some hosts only."""
    part = None
    if chance.random() < 0.35:
        key = str(chance.choice(list(fleet.attributes)))
        part = fleet.having({key: str(chance.choice(fleet.attributes[key]))})
    return roll_out(chance, fleet, minute, part=part)
