"""Simulated fleets for trying migrations: some full hosts, some empty ones."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from fleet.actor import SYSTEM
from fleet.collecting import collect_hosts
from fleet.enrolment import enrol_host
from fleet.lab.simulated import IMAGES, Nature, SimulatedLab, SimulatedMachine
from fleet.lab.simulated.demo import put_images, run_dyno
from fleet.models import Host

IMAGE = IMAGES["original"]
CALM = Nature(crashes_per_dyno_hour=0.0)


def migration_fleet(
    folder: Path, *, sources: int, targets: int, dynos: int, nature: Nature = CALM, seed: int = 3
) -> SimulatedLab:
    """Hosts old-1…, with `dynos` dynos dealt out over them, four of an app; and empty hosts new-1…"""
    dice = random.Random(seed)
    names = [f"old-{number}" for number in range(1, sources + 1)] + [
        f"new-{number}" for number in range(1, targets + 1)
    ]
    machines = {name: _machine(name, dice, nature, slots=max(16, 2 * dynos // max(1, targets))) for name in names}
    for number in range(dynos):
        machine = machines[f"old-{number % sources + 1}"]
        app = f"app-{number // 4:03d}"
        run_dyno(machine, app, f"{app}.web.{number % 4 + 1}", image=IMAGE, at=machine.clock() - 3600)
    return SimulatedLab(machines.values(), folder=folder, images=IMAGES, nature=nature)


def _machine(name: str, dice: random.Random, nature: Nature, *, slots: int) -> SimulatedMachine:
    own = random.Random(dice.getrandbits(64))
    words: dict[str, Any] = {"attributes": {"tools": "2.0"}, "memory_mb": slots * 64, "slots": slots}
    machine = SimulatedMachine(name, dice=own, nature=nature, **words)
    put_images(machine, [IMAGE], tools="2.0", at=machine.clock() - 86400)
    return machine


def enrol_fleet(lab: SimulatedLab, *, now: datetime) -> list[Host]:
    """Enrols the lab's hosts and reads them once over SSH; gives the rows, by name."""
    for host in lab.hosts:
        enrol_host(
            name=host.name, address=host.address, port=host.port, ssh_user=host.user, host_key=host.host_key,
            attributes=dict(host.attributes), memory_mb=host.memory_mb, slots=host.slots, actor=SYSTEM, now=now,
        )  # fmt: skip
    collect_hosts(now=now)
    return list(Host.objects.filter(name__in=[host.name for host in lab.hosts]).order_by("name"))


def places(lab: SimulatedLab) -> dict[str, list[str]]:
    """Where each dyno really runs, provisional ones left out."""
    found: dict[str, list[str]] = {}
    for host in lab.hosts:
        machine = lab.host(host.name).machine
        for dyno in list(machine.placed.here.values()):
            if dyno.commit_by is None:
                found.setdefault(dyno.name, []).append(host.name)
    return found


def lost_and_doubled(lab: SimulatedLab, names: Sequence[str]) -> tuple[int, int]:
    """How many of these dynos run nowhere, and how many in two places."""
    counted = Counter({name: len(where) for name, where in places(lab).items()})
    return sum(not counted[name] for name in names), sum(counted[name] > 1 for name in names)
