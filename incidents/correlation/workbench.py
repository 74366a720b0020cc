"""What is kept from tick to tick so that only what changed is computed again: slices, expectations, tallies."""

import numpy as np

from incidents.correlation.baseline import Baseline
from incidents.correlation.events import Floats
from incidents.correlation.facts import KIND_CLASSES
from incidents.correlation.fleet import Attribute, Fleet
from incidents.correlation.settings import Settings
from incidents.correlation.slices import Slices, all_slices
from incidents.correlation.tally import Tally
from incidents.correlation.view import FAR

TallyKey = tuple[str, str | None, bool]


class Workbench:
    """Forgets everything where the hosts, their attributes or the stacks change."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._attributes: tuple[Attribute, ...] = ()
        self._shape = 0, 0
        self._period = -1
        self._slices: Slices | None = None
        self._expected: dict[int | None, Floats] = {}
        self._tallies: dict[TallyKey, Tally] = {}
        self._bases: dict[TallyKey, tuple[int, Floats]] = {}  # since when each tally has which expectations

    def __getstate__(self) -> dict[str, object]:
        """Without the tables, which are counted again from the events when they are asked for."""
        return self.__dict__ | {"_tallies": {}}

    def prepare(self, fleet: Fleet, *, end_bin: int) -> None:
        """Drops what no longer holds."""
        shape = len(fleet.hosts), len(fleet.stacks)
        if shape != self._shape or fleet.attributes is not self._attributes:
            self._shape, self._attributes, self._slices, self._period = shape, fleet.attributes, None, -1
            self._tallies, self._bases = {}, {}
        if end_bin // self.settings.expectation_bins != self._period:
            self._period = end_bin // self.settings.expectation_bins
            self._expected = {}

    def slices(self, fleet: Fleet) -> Slices:
        """The slices of the fleet."""
        if self._slices is None:
            self._slices = all_slices(fleet, self.settings)
        return self._slices

    def expected(self, fleet: Fleet, baseline: Baseline, stack: int | None) -> Floats:
        """Rate of each host by [group, host], renewed now and then."""
        if stack not in self._expected:
            rates = [baseline.expected(fleet.dynos, stack=stack, group=group) for group in range(KIND_CLASSES)]
            self._expected[stack] = np.stack(rates)
        return self._expected[stack]

    def tally(
        self, key: TallyKey, *, fleet: Fleet, expected: Floats, delays: tuple[int, ...], stack: int | None, end_bin: int
    ) -> Tally:
        """The tables of one exposure; each takes new expectations in a bin of its own: no tick is a long one."""
        since, base = self._bases.get(key, (-FAR, expected))
        if end_bin - since >= self.settings.expectation_bins:
            since, base = self._bases[key] = end_bin, expected
        tally = self._tallies.get(key)
        if tally is None or tally.stack != stack:
            tally = self._tallies[key] = Tally(self.settings, self.slices(fleet), base, delays, stack)
        tally.renew(base)
        return tally

    def forget(self, live: set[str]) -> None:
        """Drops the tables of deploys that are over."""
        self._tallies = {key: tally for key, tally in self._tallies.items() if key[0] in live}
        self._bases = {key: base for key, base in self._bases.items() if key[0] in live}
