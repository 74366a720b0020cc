"""A made-up fleet: hosts whose attributes hang together, dynos of apps of uneven popularity, their crashes."""

from dataclasses import dataclass

import numpy as np

STACKS = ("cedar-14", "heroku-16")
FATAL = (("SIGSEGV", 139), ("SIGABRT", 134), ("SIGBUS", 135))


@dataclass(frozen=True, slots=True)
class Host:
    """A host with its dynos: {app number: count}."""

    name: str
    attributes: dict[str, str]
    dynos: dict[int, int]


@dataclass(frozen=True, slots=True)
class Crash:
    """A crash in minutes since the start."""

    minute: float
    host: int
    app: int
    fatal: bool
    killed: bool = False


def make_hosts(chance: np.random.Generator, hosts: int, dynos: int) -> list[Host]:
    """Tools depend on when a host was provisioned; zones and kernels are independent of it."""
    apps = 6 * hosts + 100
    popularity = 1.0 / np.arange(1, apps + 1) ** 0.8
    popularity /= popularity.sum()
    made = []
    for number in range(hosts):
        age = chance.choice(["old", "mid", "new"], p=[0.45, 0.3, 0.25])
        tools = {"old": "1.9", "mid": str(chance.choice(["1.9", "2.0"])), "new": "2.1"}[str(age)]
        attributes = {
            "provisioned": str(age),
            "tools": tools,
            "zone": str(chance.choice(list("abcd"))),
            "kernel": str(chance.choice(["k1", "k2", "k3"], p=[0.5, 0.3, 0.2])),
        }
        count = max(3, int(chance.normal(dynos, dynos / 6)))
        drawn, counts = np.unique(chance.choice(apps, size=count, p=popularity), return_counts=True)
        made.append(Host(f"h{number:05d}", attributes, {int(a): int(c) for a, c in zip(drawn, counts, strict=True)}))
    return made


def stack_of(app: int) -> str:
    """The stack of an app, the same in every fleet."""
    return STACKS[0] if (app * 2654435761) % 100 < 60 else STACKS[1]


def usual_crashes(chance: np.random.Generator, hosts: list[Host], minutes: int, rate: float) -> list[Crash]:
    """Unruly everyday crashes: apps differ, loops come and go, now and then a host or an hour has a bad moment."""
    crashes: list[Crash] = []
    hour = 1.0 + 0.3 * np.sin(2 * np.pi * (np.arange(minutes) / 1440.0 + chance.random()))
    temper: dict[int, float] = {}
    for number, host in enumerate(hosts):
        for app, count in host.dynos.items():
            if app not in temper:
                temper[app] = float(chance.gamma(0.4, 2.5))
            for minute in _moments(chance, minutes, rate * count * temper[app] * float(hour.mean())):
                crashes += _maybe_loop(chance, minute, number, app, minutes)
        for minute in _moments(chance, minutes, 1.0 / (20 * 1440)):
            crashes += host_blip(chance, minute, number, host)
    return crashes


def _moments(chance: np.random.Generator, minutes: int, rate: float) -> list[float]:
    return [float(x) for x in chance.uniform(0, minutes, chance.poisson(rate * minutes))]


def _maybe_loop(chance: np.random.Generator, minute: float, host: int, app: int, minutes: int) -> list[Crash]:
    again = int(chance.integers(5, 60)) if chance.random() < 0.03 else 1
    times = minute + np.concatenate([[0.0], chance.exponential(1.0, again - 1).cumsum()])
    return [one_crash(chance, float(t), host, app, fatal=0.2) for t in times if t < minutes]


def host_blip(chance: np.random.Generator, minute: float, number: int, host: Host) -> list[Crash]:
    """A moment in which many apps of one host die, as when its network goes away."""
    return [
        one_crash(chance, minute + float(chance.random()), number, app, fatal=0.2)
        for app in host.dynos
        if chance.random() < 0.5
    ]


def one_crash(chance: np.random.Generator, minute: float, host: int, app: int, *, fatal: float) -> Crash:
    """A crash that is fatal with this probability."""
    return Crash(minute, host, app, bool(chance.random() < fatal), bool(chance.random() < 0.08))
