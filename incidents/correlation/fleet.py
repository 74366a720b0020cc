"""Names turned into numbers: hosts, their attributes, apps, stacks and dynos."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from incidents.correlation.events import Floats, Ints


class Names:
    """Gives each name a number, in order of arrival."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def number(self, name: str) -> int:
        """The number of a name, new or known."""
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self.names)
            self.names.append(name)
        return found

    def known(self, name: str) -> int | None:
        """The number of a name, or None."""
        return self._numbers.get(name)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the fleet: its values, and for each host the index of its value (-1: none)."""

    key: str
    values: tuple[str, ...]
    codes: Ints


class Fleet:
    """What is known of the hosts; arrays are rebuilt only after a change."""

    def __init__(self) -> None:
        self.hosts, self.apps, self.stacks = Names(), Names(), Names()
        self._attributes: dict[int, dict[str, str]] = {}
        self._dynos: dict[tuple[int, int], tuple[int, int]] = {}
        self._stack_of_app: dict[int, int] = {}
        self._tables: tuple[tuple[Attribute, ...], Floats] | None = None

    def set_host(self, name: str, attributes: Mapping[str, str]) -> None:
        """Adds a host or replaces its attributes."""
        host = self.hosts.number(name)
        if self._attributes.get(host) != attributes:
            self._attributes[host] = dict(attributes)
            self._tables = None

    def set_dynos(self, host: str, app: str, stack: str | None, count: int) -> None:
        """How many dynos of an app run on a host."""
        host_number, app_number = self.hosts.number(host), self.apps.number(app)
        stack_number = -1 if stack is None else self.stacks.number(stack)
        self._stack_of_app[app_number] = stack_number
        if self._dynos.get((host_number, app_number)) != (stack_number, count):
            self._dynos[host_number, app_number] = (stack_number, count)
            self._tables = None

    def see_host(self, name: str) -> int:
        """The number of a host that may be new."""
        number = self.hosts.number(name)
        if number not in self._attributes:
            self.set_host(name, {})
        return number

    def stack_number(self, app: int, stack: str | None, host: int) -> int:
        """The stack of a crash: what it says, else what the inventory says, else -1."""
        if stack is not None:
            return self.stacks.number(stack)
        known = self._dynos.get((host, app))
        return known[0] if known else self._stack_of_app.get(app, -1)

    def attributes_of(self, host: int) -> Mapping[str, str]:
        """The attributes of a host."""
        return self._attributes.get(host, {})

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """All attributes, in order of their names."""
        return self._built()[0]

    @property
    def dynos(self) -> Floats:
        """Dynos per host (row) and stack (column; the last one is: no stack known)."""
        return self._built()[1]

    def _built(self) -> tuple[tuple[Attribute, ...], Floats]:
        if self._tables is None or self._tables[1].shape != (len(self.hosts), len(self.stacks) + 1):
            self._tables = (self._build_attributes(), self._build_dynos())
        return self._tables

    def _build_attributes(self) -> tuple[Attribute, ...]:
        keys = sorted({key for attributes in self._attributes.values() for key in attributes})
        return tuple(self._build_attribute(key) for key in keys)

    def _build_attribute(self, key: str) -> Attribute:
        of_host = [self._attributes.get(host, {}).get(key) for host in range(len(self.hosts))]
        values = sorted({value for value in of_host if value is not None})
        codes = {value: code for code, value in enumerate(values)}
        return Attribute(key, tuple(values), np.array([-1 if v is None else codes[v] for v in of_host], dtype=np.int64))

    def _build_dynos(self) -> Floats:
        table = np.zeros((len(self.hosts), len(self.stacks) + 1))
        for (host, _), (stack, count) in self._dynos.items():
            table[host, stack] += count
        return table
