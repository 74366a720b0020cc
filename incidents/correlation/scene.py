"""Everything a tick looks at, as of one moment."""

from dataclasses import dataclass, field

import numpy as np

from incidents.correlation.baseline import Baseline
from incidents.correlation.events import Events, EventStore, Ints, Mask
from incidents.correlation.exposure import Exposure
from incidents.correlation.facts import Evidence
from incidents.correlation.fleet import Fleet
from incidents.correlation.ledger import Key, Ledger
from incidents.correlation.settings import Settings
from incidents.correlation.slices import Slices, all_slices
from incidents.correlation.view import View


@dataclass(slots=True)
class Scene:
    """The fleet and its last hours as of `now`; views are made once per stack and set of explained host-bins."""

    now: float
    end_bin: int
    settings: Settings
    fleet: Fleet
    store: EventStore
    baseline: Baseline
    ledger: Ledger
    exposures: dict[str, Exposure]
    evidence: list[Evidence]
    _views: dict[tuple[str | None, Key | None, bool], View] = field(default_factory=dict)
    _slices: Slices | None = None

    @property
    def slices(self) -> Slices:
        """The slices of the fleet."""
        if self._slices is None:
            self._slices = all_slices(self.fleet, self.settings)
        return self._slices

    @property
    def hosts(self) -> int:
        """How many hosts there are."""
        return len(self.fleet.hosts)

    def live(self) -> list[tuple[Exposure, Ints]]:
        """The deploys that touched a host lately, with the bin of each host's exposure."""
        oldest = self.now - self.settings.live_bins * self.settings.bin_seconds
        found = []
        for exposure in self.exposures.values():
            last_at = exposure.last_at(self.now)
            if last_at is not None and last_at >= oldest:
                found.append((exposure, exposure.bins(self.hosts, self.settings.bin_seconds, until=self.now)))
        return found

    def view(self, *, stack: str | None = None, apart_from: Key | None = None, whole: bool = False) -> View:
        """The window without what verdicts explain (but `apart_from`); `whole`: but without taking out deploys."""
        key = (stack, apart_from, whole)
        if key not in self._views:
            self._views[key] = self._make_view(stack, apart_from, whole=whole)
        return self._views[key]

    def _make_view(self, stack: str | None, apart_from: Key | None, *, whole: bool) -> View:
        length = self.settings.window_bins
        events = self.store.between(self.end_bin - length, self.end_bin)
        number = self.fleet.stacks.known(stack) if stack else None
        if stack:
            events = events.where((events.stack == (-2 if number is None else number)) | (events.stack == -1))
        events = events.where(~self._is_restart(events))
        nothing = Ledger(self.settings).explained(self.hosts)
        view = View(
            self.end_bin, length, events.bin - (self.end_bin - length), events, self._expected(number), *nothing,
            self.baseline.dispersion,
        )  # fmt: skip
        first, end = self.ledger.explained(self.hosts, apart_from=apart_from, deploys=not whole)
        return view.without(first=first, end=end)

    def _is_restart(self, events: Events) -> Mask:
        """Crashes in the first moments after a deploy that is known to restart dynos and to do no more."""
        restart = np.zeros(len(events.bin), dtype=bool)
        for name in self.ledger.noisy & self.exposures.keys():
            exposed = self.exposures[name].bins(self.hosts, self.settings.bin_seconds, until=self.now)
            age = events.bin - exposed[events.host]
            restart |= (age >= 0) & (age < self.settings.burst_bins)
        return restart

    def _expected(self, stack: int | None) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        dynos = self.fleet.dynos
        return np.stack([self.baseline.expected(dynos, stack=stack, group=group) for group in range(3)])
