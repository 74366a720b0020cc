"""CPU and memory of the correlation, a minute at a time, at one size of fleet."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from incidents.correlation.simulation.play import play
from incidents.correlation.simulation.recording import tell
from incidents.correlation.simulation.story import WARM_MINUTES

COST_SEED = 1000


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of CPU a tick, facts taken in included; memory in MB that the correlation adds."""

    hosts: int
    quiet_mean: float
    quiet_p99: float
    incident_mean: float
    incident_p99: float
    memory_mb: float
    crashes_a_minute: float


def measure_cost(hosts: int) -> Cost:
    """A quiet stretch and the first hour of a deploy that breaks everything."""
    calm = tell("quiet", seed=COST_SEED, hosts=hosts, minutes=WARM_MINUTES + 180)
    before = resident_mb()
    quiet = play(calm)
    memory = resident_mb() - before
    bad = tell("bad_everywhere", seed=COST_SEED, hosts=hosts, minutes=WARM_MINUTES + 120)
    incident = play(bad)
    onset = bad.truth.onset or 0
    calm_ms = np.array([ms for minute, ms in quiet.milliseconds.items() if minute > WARM_MINUTES])
    loud_ms = np.array([ms for minute, ms in incident.milliseconds.items() if onset < minute <= onset + 60])
    last = bad.crashes().minute > bad.minutes - 30
    return Cost(
        hosts, float(calm_ms.mean()), float(np.percentile(calm_ms, 99)), float(loud_ms.mean()),
        float(np.percentile(loud_ms, 99)), memory, float(last.sum() / 30),
    )  # fmt: skip


def resident_mb() -> float:
    """Memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
