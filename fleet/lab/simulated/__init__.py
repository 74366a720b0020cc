"""Simulated hosts over real SSH, anywhere: crashes follow from what became of the images, by a real clock."""

from fleet.lab.simulated.demo import IMAGES, STACK, demo_fleet
from fleet.lab.simulated.host import SimulatedHost
from fleet.lab.simulated.lab import SimulatedLab
from fleet.lab.simulated.machine import SimulatedMachine
from fleet.lab.simulated.settings import Faults, Nature

__all__ = ["IMAGES", "STACK", "Faults", "Nature", "SimulatedHost", "SimulatedLab", "SimulatedMachine", "demo_fleet"]
