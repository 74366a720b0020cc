"""PURE. Room on fresh hosts: what is left of it, and which host is best for the next dyno."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from fleet.migration.facts import HostFact


@dataclass(slots=True)
class Room:
    """What is left on one host, with the dynos promised to it taken off."""

    host_id: int
    host: str
    memory_mb: int
    slots: int
    apps: Counter[int] = field(default_factory=Counter)
    promised: int = 0

    @classmethod
    def of(cls, host: HostFact) -> Room:
        """The room of a host as it stands."""
        left = (host.memory_mb - host.used_memory_mb, host.slots - host.used_slots)
        return cls(host.id, host.name, *left, Counter(host.apps))

    def fits(self, memory_mb: int) -> bool:
        """Whether one more dyno goes in."""
        return self.slots > 0 and self.memory_mb >= memory_mb

    def take(self, app_id: int, memory_mb: int) -> None:
        """Promise room to a dyno."""
        self.memory_mb -= memory_mb
        self.slots -= 1
        self.apps[app_id] += 1
        self.promised += 1

    def give_back(self, app_id: int, memory_mb: int) -> None:
        """The dyno goes elsewhere."""
        self.memory_mb += memory_mb
        self.slots += 1
        self.apps[app_id] -= 1
        self.promised -= 1


def best_room(
    rooms: Iterable[Room], *, app_id: int, memory_mb: int, without: Collection[int] = (), packed: bool = False
) -> Room | None:
    """Where the fewest of its app are, then where the fewest starts wait; or (`packed`) just where it fits tightest."""
    fitting = [room for room in rooms if room.host_id not in without and room.fits(memory_mb)]

    def rank(room: Room) -> tuple[int, int, int, str]:
        spread = (0, 0) if packed else (room.apps[app_id], room.promised)
        return (*spread, room.memory_mb - memory_mb, room.host)

    return min(fitting, key=rank, default=None)
