"""Names turned into numbers: hosts, their attributes, apps, stacks and dynos."""

from collections.abc import Iterator, Mapping, Sequence
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

    def numbers(self, names: Sequence[str]) -> list[int]:
        """The numbers of names, new or known."""
        found = zip(names, self.many_known(names), strict=True)
        return [self.number(name) if number is None else number for name, number in found]

    def known(self, name: str) -> int | None:
        """The number of a name, or None."""
        return self._numbers.get(name)

    def many_known(self, names: Sequence[str]) -> Iterator[int | None]:
        """The number of each name, or None."""
        return map(self._numbers.get, names)


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
        self._of_many_stacks: set[int] = set()  # apps that run, or ran, on more than one
        self._by_attribute: tuple[Attribute, ...] | None = None
        self._table = np.zeros((0, 1))  # dynos by host and stack; the first column is: no stack known

    def set_host(self, name: str, attributes: Mapping[str, str]) -> None:
        """Adds a host or replaces its attributes."""
        host = self.hosts.number(name)
        if self._attributes.get(host) != attributes:
            self._attributes[host] = dict(attributes)
            self._by_attribute = None

    def set_dynos(self, host: str, app: str, stack: str | None, count: int) -> None:
        """How many dynos of an app run on a host."""
        host_number, app_number = self.hosts.number(host), self.apps.number(app)
        stack_number = -1 if stack is None else self.stacks.number(stack)
        if self._stack_of_app.setdefault(app_number, stack_number) != stack_number:
            self._of_many_stacks.add(app_number)
            self._stack_of_app[app_number] = stack_number
        before = self._dynos.get((host_number, app_number))
        if before != (stack_number, count):
            self._dynos[host_number, app_number] = (stack_number, count)
            self._grow()
            if before:
                self._table[host_number, before[0] + 1] -= before[1]
            self._table[host_number, stack_number + 1] += count

    def see_host(self, name: str) -> int:
        """The number of a host that may be new."""
        number = self.hosts.number(name)
        if number not in self._attributes:
            self.set_host(name, {})
        return number

    def see_hosts(self, names: Sequence[str]) -> list[int]:
        """The numbers of hosts of which some may be new."""
        found = zip(names, self.hosts.many_known(names), strict=True)
        return [self.see_host(name) if number is None else number for name, number in found]

    def stack_number(self, app: int, stack: str | None, host: int) -> int:
        """The stack of a crash: what it says, else what the inventory says, else -1."""
        if stack is not None:
            return self.stacks.number(stack)
        known = self._dynos.get((host, app)) if app in self._of_many_stacks else None
        return known[0] if known else self._stack_of_app.get(app, -1)

    def attributes_of(self, host: int) -> Mapping[str, str]:
        """The attributes of a host."""
        return self._attributes.get(host, {})

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """All attributes, in order of their names; the same object until one changes."""
        if self._by_attribute is None:
            keys = sorted({key for attributes in self._attributes.values() for key in attributes})
            self._by_attribute = tuple(self._build_attribute(key) for key in keys)
        return self._by_attribute

    @property
    def dynos(self) -> Floats:
        """Dynos per host (row) and stack (column; the last one is: no stack known)."""
        self._grow()
        table: Floats = np.roll(self._table[: len(self.hosts), : len(self.stacks) + 1], -1, axis=1)
        return table

    def _grow(self) -> None:
        hosts, stacks = self._table.shape
        if hosts < len(self.hosts) or stacks <= len(self.stacks):
            room = max(len(self.hosts), 2 * hosts) if hosts < len(self.hosts) else hosts
            table = np.zeros((room, len(self.stacks) + 1))
            table[:hosts, :stacks] = self._table
            self._table = table

    def _build_attribute(self, key: str) -> Attribute:
        of_host = [self._attributes.get(host, {}).get(key) for host in range(len(self.hosts))]
        values = sorted({value for value in of_host if value is not None})
        codes = {value: code for code, value in enumerate(values)}
        return Attribute(key, tuple(values), np.array([-1 if v is None else codes[v] for v in of_host], dtype=np.int64))
