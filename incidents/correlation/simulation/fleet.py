"""A made-up fleet: hosts whose attributes hang together, dynos of apps of uneven popularity."""

from dataclasses import dataclass

import numpy as np

from incidents.correlation.events import Floats, Ints, Mask

STACKS = ("cedar-14", "heroku-16")
FIRST_STACK_SHARE = 60  # of 100 apps
DYNOS_A_HOST = 30


@dataclass(frozen=True, slots=True)
class Fleet:
    """`attributes[key][host]` is a value; a row is one app on one host, rows in order of hosts."""

    names: tuple[str, ...]
    attributes: dict[str, tuple[str, ...]]
    row_host: Ints
    row_app: Ints
    row_dynos: Ints
    temper: Floats  # per app: how much more or less often it crashes than most

    def __len__(self) -> int:
        return len(self.names)

    def having(self, cohort: dict[str, str]) -> Mask:
        """The hosts with these attributes."""
        mask = np.ones(len(self), dtype=bool)
        for key, value in cohort.items():
            mask &= np.array(self.attributes[key]) == value
        return mask

    def rows_of(self, stack: str | None) -> Mask:
        """The rows of one stack, or all."""
        return np.ones(len(self.row_app), dtype=bool) if stack is None else stack_numbers(self.row_app) == _place(stack)


def make_fleet(chance: np.random.Generator, hosts: int, dynos: int = DYNOS_A_HOST) -> Fleet:
    """Tools and kernel follow from when a host was provisioned; zone and type do not."""
    provisioned = chance.choice(["old", "mid", "new"], hosts, p=[0.45, 0.3, 0.25])
    later = chance.random(hosts)
    tools = np.select([provisioned == "old", provisioned == "new", later < 0.5], ["1.9", "2.1", "1.9"], "2.0")
    usual = np.select([provisioned == "old", provisioned == "mid"], ["k1", "k2"], "k3")
    kernel = np.where(chance.random(hosts) < 0.8, usual, "k4")
    attributes = {
        "provisioned": _texts(provisioned),
        "tools": _texts(tools),
        "kernel": _texts(kernel),
        "zone": _texts(chance.choice(list("abcd"), hosts)),
        "itype": _texts(chance.choice(["x1", "x2", "x3"], hosts, p=[0.5, 0.3, 0.2])),
    }
    names = tuple(f"h{number:05d}" for number in range(hosts))
    return Fleet(names, attributes, *_place_dynos(chance, hosts, dynos))


def _place_dynos(chance: np.random.Generator, hosts: int, dynos: int) -> tuple[Ints, Ints, Ints, Floats]:
    """Dynos drawn by Zipf-like popularity; how many of which app on which host, and the tempers of the apps."""
    apps = 6 * hosts + 100
    popularity = 1.0 / np.arange(1, apps + 1) ** 0.8
    counts = np.maximum(3, chance.normal(dynos, dynos / 6, hosts)).astype(np.int64)
    drawn = chance.choice(apps, size=int(counts.sum()), p=popularity / popularity.sum())
    cell, number = np.unique(np.repeat(np.arange(hosts), counts) * apps + drawn, return_counts=True)
    return cell // apps, cell % apps, number.astype(np.int64), chance.gamma(0.5, 2.0, apps)


def stack_numbers(apps: Ints) -> Ints:
    """The stack of each app, the same in every fleet."""
    return np.where((apps * 2654435761) % 100 < FIRST_STACK_SHARE, 0, 1).astype(np.int64)


def stack_of(app: int) -> str:
    """The stack of one app."""
    return STACKS[int(stack_numbers(np.array([app]))[0])]


def _place(stack: str) -> int:
    return STACKS.index(stack)


def _texts(values: np.ndarray[tuple[int], np.dtype[np.str_]]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
