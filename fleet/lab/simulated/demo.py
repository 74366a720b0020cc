"""The demo's fleet: hosts built with old tools, hosts built with new ones, and fresh hosts with room."""

from __future__ import annotations

import hashlib
import itertools
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from fleet.lab.simulated.files import ALGORITHMS
from fleet.lab.simulated.lab import SimulatedLab
from fleet.lab.simulated.machine import SimulatedMachine
from fleet.lab.simulated.settings import Nature
from fleet.lab.simulated.wanted import program_of

STACK = "cedar-14"
IMAGES = {
    word: "sha256:" + hashlib.sha256(f"{STACK} {word}".encode()).hexdigest()
    for word in ("previous", "original", "upgrade")
}
MEMORY_MB, SLOTS, DYNO_MB = 1024, 16, 64
LOADED, FRESH = 10, 2  # dynos on a host
OLD_TOOLS, NEW_TOOLS, LAGGING, ROOMY = 4, 5, 2, 6  # hosts; the lagging ones are among those of new tools
PROVISIONED = {"1.9": ("2016-04", "2016-06", "2016-06", "2016-07"), "2.0": ("2016-07", "2016-09", "2016-11")}
KERNELS, ZONES = ("4.4.0-47", "4.4.0-53"), ("a", "b", "c")
DAY = 86400.0
APPS = [
    "accounts",
    "atlas",
    "billing",
    "blog",
    "booking",
    "catalog",
    "chat",
    "checkout",
    "comments",
    "docs",
    "feeds",
    "forms",
    "gallery",
    "invoices",
    "ledger",
    "mailer",
    "maps",
    "metrics",
    "orders",
    "payments",
    "profiles",
    "reports",
    "search",
    "shop",
    "wiki",
]


def demo_fleet(seed: int = 7, *, folder: Path | None = None, nature: Nature | None = None) -> SimulatedLab:
    """15 hosts: 4 of tools 1.9 and 5 of 2.0 with ten dynos each, and 6 fresh ones; the same for the same seed."""
    dice, nature = random.Random(seed), nature or Nature()
    names = _dyno_names(dice)
    machines = [
        _machine(f"h{number:02d}", attributes, names, dice, nature, lagging=lagging)
        for number, (attributes, lagging) in enumerate(_attributes(dice), start=1)
    ]
    return SimulatedLab(machines, folder=folder or Path(tempfile.mkdtemp(prefix="lab-")), images=IMAGES, nature=nature)


def _attributes(dice: random.Random) -> Iterator[tuple[dict[str, str], bool]]:
    """Each host's attributes, and whether its dynos still run on the previous image."""
    deployed = ["1.9"] * OLD_TOOLS + ["2.0"] * NEW_TOOLS
    dice.shuffle(deployed)
    new_ones = [place for place, tools in enumerate(deployed) if tools == "2.0"]
    counts = {tools: itertools.count() for tools in PROVISIONED}
    for place, tools in enumerate(deployed):
        months = PROVISIONED[tools]
        provisioned = months[next(counts[tools]) % len(months)]
        yield _described(place, tools, provisioned), place in new_ones[-LAGGING:]
    for place in range(ROOMY):
        yield _described(len(deployed) + place, "2.0", "fresh"), False


def _described(place: int, tools: str, provisioned: str) -> dict[str, str]:
    zone, kernel = ZONES[place % len(ZONES)], KERNELS[place // 2 % len(KERNELS)]
    return {"zone": zone, "kernel": kernel, "tools": tools, "provisioned": provisioned}


def _dyno_names(dice: random.Random) -> Iterator[tuple[str, str]]:
    """App and dyno, the apps dealt out in turn, so that the dynos of one app are on many hosts."""
    counts = {app: itertools.count(1) for app in APPS}
    while True:
        for app in dice.sample(APPS, len(APPS)):
            yield app, f"{app}.web.{next(counts[app])}"


def _machine(
    name: str,
    attributes: dict[str, str],
    names: Iterator[tuple[str, str]],
    dice: random.Random,
    nature: Nature,
    *,
    lagging: bool,
) -> SimulatedMachine:
    own = random.Random(dice.getrandbits(64))
    machine = SimulatedMachine(name, attributes=attributes, memory_mb=MEMORY_MB, slots=SLOTS, dice=own, nature=nature)
    fresh = attributes["provisioned"] == "fresh"
    age = own.uniform(1, 2) * DAY if fresh else own.uniform(20, 60) * DAY
    images = ["original", "upgrade"] if fresh else ["previous"] if lagging else ["original"]
    put_images(machine, [IMAGES[word] for word in images], tools=attributes["tools"], at=time.time() - age)
    for app, dyno in itertools.islice(names, FRESH if fresh else LOADED):
        run_dyno(machine, app, dyno, image=IMAGES[images[0]], at=time.time() - age / 2)
    return machine


def put_images(machine: SimulatedMachine, images: Sequence[str], *, tools: str, at: float) -> None:
    """Images that were brought by that version of the tools at that time."""
    for image in images:
        file = machine.files.create(STACK, image, at)
        file.checksums[ALGORITHMS[tools]] = file.digest(ALGORITHMS[tools])


def run_dyno(machine: SimulatedMachine, app: str, dyno: str, *, image: str, at: float) -> None:
    """A dyno that has been up since `at`; what is to come for it is counted from now."""
    file = machine.files.files[STACK, image]
    placed = machine.placed.place(
        machine.clock(),
        healthy=True,
        name=dyno,
        app=app,
        stack=STACK,
        image=image,
        memory_mb=DYNO_MB,
        program=program_of(app),
        operation=f"placed-{dyno}",
        mount=machine.files.mounted(file, at),
    )
    placed.placed_at = placed.started_at = at
