"""Unruly everyday crashes: apps differ, hours differ, loops come and go, now and then a host has a bad moment."""

from dataclasses import dataclass

import numpy as np

from incidents.correlation.events import Floats, Ints, Mask
from incidents.correlation.facts import HARD, OOM, OTHER
from incidents.correlation.simulation.fleet import Fleet

RATE = 0.0012  # crashes a dyno and minute, loops apart
HOUR = 60
BLIPS_A_HOST_DAY = 0.05
APP_LOOPS_A_DAY = 3.0


@dataclass(frozen=True, slots=True)
class Crashes:
    """Columns: minute since the start, row of the fleet, kind class."""

    minute: Floats
    row: Ints
    kind: Ints

    def __len__(self) -> int:
        return len(self.minute)

    def where(self, mask: Mask) -> "Crashes":
        """Only those of the mask."""
        return Crashes(self.minute[mask], self.row[mask], self.kind[mask])


def joined(parts: list[Crashes]) -> Crashes:
    """All of them, in order of time."""
    minute = np.concatenate([part.minute for part in parts])
    order = np.argsort(minute, kind="stable")
    row = np.concatenate([part.row for part in parts])[order]
    return Crashes(minute[order], row, np.concatenate([part.kind for part in parts])[order])


def kinds(chance: np.random.Generator, size: int, *, fatal: float) -> Ints:
    """Kind classes: fatal signals with this chance, one in six of the rest out of memory."""
    draw = chance.random(size)
    return np.where(draw < fatal, HARD, np.where(draw < fatal + (1 - fatal) / 6, OOM, OTHER)).astype(np.int64)


def everyday(chance: np.random.Generator, fleet: Fleet, minutes: int, *, noise: float = 1.0) -> list[Crashes]:
    """Everything that a fleet without any fault shows; `noise` multiplies how often."""
    single = _singles(chance, fleet, minutes, noise)
    loops = [_loops(chance, single, minutes), _blips(chance, fleet, minutes, noise)]
    return [single, *loops, *_app_loops(chance, fleet, minutes, noise)]


def _singles(chance: np.random.Generator, fleet: Fleet, minutes: int, noise: float) -> Crashes:
    """Negative binomial counts per host and hour, by a gamma for each, along the curve of the day."""
    hours = -(-minutes // HOUR)
    curve = 1.0 + 0.3 * np.sin(2 * np.pi * (np.arange(hours) / 24 + chance.random()))
    moods = chance.gamma(3.0, 1 / 3.0, (len(fleet), hours)) * curve
    rates = RATE * noise * HOUR * fleet.row_dynos * fleet.temper[fleet.row_app]
    counts = chance.poisson(rates[:, None] * moods[fleet.row_host])
    row, hour = np.nonzero(counts)
    times = counts[row, hour]
    row, hour = np.repeat(row, times), np.repeat(hour, times)
    minute = (hour + chance.random(len(hour))) * HOUR
    keep = minute < minutes
    return Crashes(minute[keep], row[keep], kinds(chance, int(keep.sum()), fatal=0.12))


def _loops(chance: np.random.Generator, single: Crashes, minutes: int) -> Crashes:
    """Some dynos crash again and again once they have begun to."""
    begun = np.flatnonzero(chance.random(len(single)) < 0.03)
    return again(chance, single.minute[begun], single.row[begun], single.kind[begun], minutes)


def again(chance: np.random.Generator, minute: Floats, row: Ints, kind: Ints, minutes: int) -> Crashes:
    """Five to sixty more crashes after each, a minute apart on average."""
    times = chance.integers(5, 60, len(minute))
    gaps = chance.exponential(1.0, int(times.sum()))
    ends = np.cumsum(times)
    before = np.concatenate([[0.0], gaps.cumsum()])[np.concatenate([[0], ends])[:-1]]
    later = np.repeat(minute - before, times) + gaps.cumsum()
    keep = later < minutes
    return Crashes(later[keep], np.repeat(row, times)[keep], np.repeat(kind, times)[keep])


def _blips(chance: np.random.Generator, fleet: Fleet, minutes: int, noise: float) -> Crashes:
    """Moments in which half of the apps of a host die, as when its network goes away."""
    number = chance.poisson(len(fleet) * minutes / 1440 * BLIPS_A_HOST_DAY * noise)
    parts = [
        blip(chance, fleet, int(chance.integers(len(fleet))), float(chance.uniform(0, minutes))) for _ in range(number)
    ]
    return joined([*parts, Crashes(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))])


def blip(chance: np.random.Generator, fleet: Fleet, host: int, minute: float) -> Crashes:
    """One bad moment of one host."""
    first, end = np.searchsorted(fleet.row_host, [host, host + 1])
    row = np.arange(first, end)[chance.random(end - first) < 0.5]
    return Crashes(minute + chance.random(len(row)), row, kinds(chance, len(row), fatal=0.12))


def _app_loops(chance: np.random.Generator, fleet: Fleet, minutes: int, noise: float) -> list[Crashes]:
    """Now and then a new version of some app cannot start for a while, wherever it runs."""
    parts = []
    for _ in range(chance.poisson(APP_LOOPS_A_DAY * noise * minutes / 1440)):
        app = int(chance.choice(fleet.row_app))
        start, length = chance.uniform(0, minutes), chance.uniform(5, 40)
        parts.append(app_loop(chance, fleet, app, start, min(start + length, minutes)))
    return parts


def app_loop(chance: np.random.Generator, fleet: Fleet, app: int, start: float, end: float) -> Crashes:
    """Every dyno of an app crashes about every other minute."""
    rows = np.flatnonzero(fleet.row_app == app)
    counts = chance.poisson(0.5 * (end - start) * fleet.row_dynos[rows])
    row = np.repeat(rows, counts)
    fatal = 0.9 if chance.random() < 0.3 else 0.05
    return Crashes(chance.uniform(start, end, len(row)), row, kinds(chance, len(row), fatal=fatal))
