"""PURE. Which dyno goes where, in which order, and what it says of room, risk and time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median_low
from typing import Any

from fleet.migration.facts import DynoFact, HostFact, Limits
from fleet.migration.rooms import Room, best_room
from fleet.wording import count

MOST_ADDED = 20
NO_GAIN = 2  # so many more hosts that take no more dynos: further ones will not either


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """One dyno, its new host, and its place in the order."""

    dyno: DynoFact
    target_id: int
    target: str
    position: int
    wave: int


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What does not fit: how many dynos, how much is missing, and how many dynos could move with k more hosts."""

    dynos: tuple[str, ...]
    memory_mb: int
    slots: int
    adding: tuple[tuple[int, int], ...]
    host_memory_mb: int
    host_slots: int

    def as_data(self) -> dict[str, Any]:
        """As pages show it."""
        added = [{"hosts": hosts, "dynos_that_fit": dynos} for hosts, dynos in self.adding]
        return asdict(self) | {"dynos": list(self.dynos), "count": len(self.dynos), "adding": added}

    def told(self) -> str:
        """As it is said to a person."""
        added = [f"{count(hosts, 'more host')} would take {fit}" for hosts, fit in self.adding]
        missing = f"{count(self.slots, 'slot')} and {self.memory_mb} MB are missing"
        return (
            f"There is no room for {count(len(self.dynos), 'dyno')} on fresh hosts: {missing}. "
            f"Of hosts with {count(self.host_slots, 'slot')} and {self.host_memory_mb} MB, {', '.join(added)}."
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """The moves in their order. `whole_apps_at_risk`: every dyno of those apps is on the hosts to be emptied."""

    moves: tuple[PlannedMove, ...]
    shortfall: Shortfall | None
    whole_apps_at_risk: tuple[str, ...]
    stopped_first: tuple[str, ...]
    stranded: tuple[str, ...]
    lower_bound_seconds: float
    free_slots_before: int
    free_slots_after: int
    limits: Limits
    avoid: tuple[int, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """As a runbook's step and pages show it."""
        return {
            "moves": [
                {"dyno": move.dyno.name, "app": move.dyno.app.name, "source": move.dyno.host, "target": move.target}
                for move in self.moves
            ],
            "shortfall": self.shortfall.as_data() if self.shortfall else None,
            "apps_at_risk": list(self.whole_apps_at_risk),
            "stopped_first": list(self.stopped_first),
            "stranded": list(self.stranded),
            "lower_bound_seconds": round(self.lower_bound_seconds, 1),
            "capacity": {"before": self.free_slots_before, "after": self.free_slots_after},
            "warnings": list(self._warnings()),
            "irreversible": ["Each dyno is stopped on its old host once the new one is committed."],
        }

    def _warnings(self) -> Iterable[str]:
        if self.shortfall:
            yield f"There is no room for {count(len(self.shortfall.dynos), 'dyno')} on fresh hosts."
        if self.whole_apps_at_risk:
            yield f"Every dyno of these apps is on the hosts to be emptied: {', '.join(self.whole_apps_at_risk)}."
        if self.stopped_first:
            yield f"Must not run twice, so they stop before they start: {', '.join(self.stopped_first)}."
        if self.stranded:
            yield f"Stopped already, and run nowhere now, so they go first: {', '.join(self.stranded)}."


def plan_moves(
    *, dynos: Sequence[DynoFact], hosts: Sequence[HostFact], limits: Limits, avoid: Iterable[int] = ()
) -> Plan:
    """A fresh host for each dyno, or a shortfall. The same facts give the same plan."""
    avoided = frozenset(avoid) | {dyno.host_id for dyno in dynos}
    fresh = [host for host in hosts if host.is_fresh and host.id not in avoided]
    places, left_over = _place(dynos, fresh, packed=False)
    if left_over:
        places, left_over = min((places, left_over), _place(dynos, fresh, packed=True), key=lambda both: len(both[1]))
    ordered = _ordered(dynos, places)
    free = sum(max(0, host.slots - host.used_slots) for host in fresh)
    seconds = [(dyno.app.id, limits.start_seconds) for dyno in ordered]
    targets = len(set(places.values()))
    return Plan(
        moves=_in_waves(ordered, places, {host.id: host.name for host in fresh}, limits),
        shortfall=_shortfall(dynos, fresh, left_over, hosts) if left_over else None,
        whole_apps_at_risk=_whole_apps(dynos),
        stopped_first=tuple(dyno.name for dyno in ordered if not (dyno.app.may_overlap or dyno.is_stranded)),
        stranded=tuple(sorted(dyno.name for dyno in dynos if dyno.is_stranded)),
        lower_bound_seconds=lower_bound(seconds, slots=targets * limits.starts_per_host, per_app=limits.moves_per_app),
        free_slots_before=free,
        free_slots_after=free - len(ordered),
        limits=limits,
        avoid=tuple(sorted(avoid)),
    )


def lower_bound(seconds: Sequence[tuple[int, float]], *, slots: int, per_app: int) -> float:
    """No schedule of (app, seconds) ends sooner: all work over all slots, the longest one, each app over its limit."""
    if not seconds:
        return 0.0
    by_app: dict[int, float] = defaultdict(float)
    for app_id, each in seconds:
        by_app[app_id] += each
    work = sum(by_app.values()) / max(1, slots)
    longest = max(each for _, each in seconds)
    return max(work, longest, max(by_app.values()) / max(1, per_app))


def _place(
    dynos: Sequence[DynoFact], fresh: Sequence[HostFact], *, packed: bool
) -> tuple[dict[int, int], list[DynoFact]]:
    """Target ids by dyno id, those hardest to place first; and the dynos that did not fit."""
    rooms = [Room.of(host) for host in fresh]
    places: dict[int, int] = {}
    left_over = []
    for dyno in sorted(dynos, key=lambda dyno: (not dyno.is_stranded, -dyno.memory_mb, -dyno.app.dynos, dyno.name)):
        room = best_room(rooms, app_id=dyno.app.id, memory_mb=dyno.memory_mb, packed=packed)
        if room is None:
            left_over.append(dyno)
        else:
            room.take(dyno.app.id, dyno.memory_mb)
            places[dyno.id] = room.host_id
    return places, left_over


def _ordered(dynos: Sequence[DynoFact], places: dict[int, int]) -> list[DynoFact]:
    """Apps with the most left to move go first, so that the limit per app does not hold up the end."""
    by_app: dict[int, list[DynoFact]] = defaultdict(list)
    for dyno in sorted(dynos, key=lambda dyno: dyno.name):
        if dyno.id in places:
            by_app[dyno.app.id].append(dyno)
    ranked = [(place - len(group), dyno.name, dyno) for group in by_app.values() for place, dyno in enumerate(group)]
    return [dyno for _, _, dyno in sorted(ranked, key=lambda entry: entry[:2])]


def _in_waves(
    ordered: Sequence[DynoFact], places: dict[int, int], names: dict[int, str], limits: Limits
) -> tuple[PlannedMove, ...]:
    canaries = _canaries(ordered, places, limits.canary)
    rest = [dyno for dyno in ordered if dyno not in canaries]
    size = limits.wave_size or max(1, len(rest))
    first = 1 if canaries else 0
    waves = [(0, dyno) for dyno in canaries] + [(first + place // size, dyno) for place, dyno in enumerate(rest)]
    return tuple(
        PlannedMove(dyno, places[dyno.id], names[places[dyno.id]], position, wave)
        for position, (wave, dyno) in enumerate(waves)
    )


def _canaries(ordered: Sequence[DynoFact], places: dict[int, int], wanted: int) -> list[DynoFact]:
    """The first few, of different apps and onto different hosts as far as that goes; none where that would be all.

    Those that run nowhere are all among them, always: nothing is risked by starting them, and they wait for nobody.
    """
    chosen = [dyno for dyno in ordered if dyno.is_stranded]
    if len(ordered) <= wanted:
        return chosen
    while len(chosen) < wanted:
        apps, targets = Counter(dyno.app.id for dyno in chosen), Counter(places[dyno.id] for dyno in chosen)
        others = [dyno for dyno in ordered if dyno not in chosen]
        chosen.append(min(others, key=lambda dyno: (targets[places[dyno.id]], apps[dyno.app.id])))
    return chosen


def _whole_apps(dynos: Sequence[DynoFact]) -> tuple[str, ...]:
    here = Counter(dyno.app for dyno in dynos)
    return tuple(sorted(app.name for app, dynos_here in here.items() if dynos_here >= app.dynos))


def _shortfall(
    dynos: Sequence[DynoFact], fresh: Sequence[HostFact], left_over: Sequence[DynoFact], hosts: Sequence[HostFact]
) -> Shortfall:
    """What is missing, and what adding hosts of the usual size would give, as far as each number of them gains."""
    memory = median_low([host.memory_mb for host in fresh or hosts] or [0])
    slots = median_low([host.slots for host in fresh or hosts] or [0])
    adding: list[tuple[int, int]] = []
    for more in range(1, MOST_ADDED + 1):
        added = [HostFact(-number, f"added {number}", memory, slots) for number in range(1, more + 1)]
        fit = max(len(_place(dynos, [*fresh, *added], packed=packed)[0]) for packed in (False, True))
        if not adding or fit > adding[-1][1]:
            adding.append((more, fit))
        if fit == len(dynos) or more - adding[-1][0] == NO_GAIN:
            break
    missing = sum(dyno.memory_mb for dyno in left_over)
    return Shortfall(tuple(dyno.name for dyno in left_over), missing, len(left_over), tuple(adding), memory, slots)
