"""What a scan looks at: the crashes of a window, what each host should have shown, and what is explained already."""

from dataclasses import dataclass, replace

import numpy as np

from incidents.correlation.events import Events, Floats, Ints, Mask
from incidents.correlation.facts import ALL_KINDS

FAR = 1 << 40  # a bin that never comes


@dataclass(frozen=True, slots=True)
class View:
    """A window of `length` bins ending at `end_bin` (not included); times of events are counted from its start.

    Its events are in the order of their bins. `expected[group]` is the rate of each host; host-bins from gone_from to
    gone_to (absolute) are left out. What counts the events of a view made by `without` has to pass over those that are
    `left_out`.
    """

    end_bin: int
    length: int
    time: Ints
    events: Events
    expected: Floats
    gone_from: Ints
    gone_to: Ints
    dispersion: Floats

    @property
    def start_bin(self) -> int:
        """The first bin of the window."""
        return self.end_bin - self.length

    def place_of(self, look_back: int) -> int:
        """The place of the first event of the last `look_back` bins."""
        return int(np.searchsorted(self.events.bin, self.end_bin - look_back))

    def of_group(self, group: int) -> Mask:
        """The events of one kind group."""
        return self.events.kind == group if group != ALL_KINDS else np.ones(len(self.time), dtype=bool)

    def without(self, *, first: Ints, end: Ints) -> "View":
        """The same window with further host-bins taken out (hull with those already out)."""
        gone_from, gone_to = hull((self.gone_from, self.gone_to), (first, end))
        return replace(self, gone_from=gone_from, gone_to=gone_to)

    def only_hosts(self, hosts: Mask) -> "View":
        """The same window with all other hosts taken out."""
        never = np.full(len(hosts), FAR)
        return self.without(first=np.where(hosts, never, -FAR), end=never)

    def without_times(self, times: Ints) -> "View":
        """The same window as if nothing had crashed in these bins."""
        weight = np.where(np.isin(self.time, times), 0.0, self.events.weight)
        return replace(self, events=replace(self.events, weight=weight))

    def left_out(self, host: Ints, bins: Ints) -> Ints:
        """The places of those of these host-bins that are left out."""
        if not (self.gone_from < FAR).any():
            return np.zeros(0, dtype=np.int64)
        some = np.flatnonzero(bins >= self.gone_from[host])
        return some[bins[some] < self.gone_to[host[some]]]


def hull(one: tuple[Ints, Ints], other: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """For each host the smallest interval that holds both; an interval that begins at FAR is empty."""
    first = np.minimum(one[0], other[0])
    one_end = np.where(one[0] >= FAR, -FAR, one[1])
    other_end = np.where(other[0] >= FAR, -FAR, other[1])
    end = np.maximum(one_end, other_end)
    return first, np.where(first >= FAR, FAR, end)
