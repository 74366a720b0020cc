"""The kinds of labs there are."""

from collections.abc import Callable
from pathlib import Path

from fleet.lab.base import Lab
from fleet.lab.real.lab import RealLab
from fleet.lab.simulated.demo import demo_fleet

LABS: dict[str, Callable[[Path], Lab]] = {
    "simulated": lambda folder: demo_fleet(folder=folder),
    "real": RealLab,
}
