"""The tables of the scan for one exposure, kept from tick to tick: only what changed is counted again.

Rows are bins, cells are [slice, group, delay]. `inside`: weighted crashes on exposed hosts; `total`: all crashes, by
[group]; the expected share inside follows from the rates of the exposed hosts. Running sums over the rows make each
look-back one subtraction. It equals `tabulate` of the same moment, which is its test.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from incidents.correlation.events import Events, Floats, Ints, Mask, sums
from incidents.correlation.facts import KIND_CLASSES
from incidents.correlation.settings import Settings
from incidents.correlation.slices import Slices
from incidents.correlation.view import FAR

ROOM_BINS = 64  # rows ahead of the window: after so many bins the tables move on
OUT, NOT_EXPOSED = -2, -1
Classes = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Moment:
    """What a tally is brought up to: events with the number of the first one, and per host when it counts for what.

    Host-bins from gone_from to gone_to are left out; so are the first bins after each of the `muted` exposures.
    """

    end_bin: int
    events: Events
    dropped: int
    exposed: Ints
    gone_from: Ints
    gone_to: Ints
    muted: tuple[Ints, ...] = ()


class Tally:
    """One exposure's tables. `expected`: rates by [group, host]; `stack`: only its crashes, and unknown ones."""

    def __init__(
        self, settings: Settings, slices: Slices, expected: Floats, delays: tuple[int, ...], stack: int | None
    ) -> None:
        self.settings, self.slices, self.delays, self.stack = settings, slices, delays, stack
        self.rows, self.longest = settings.window_bins + ROOM_BINS, max(delays)
        self._delays = np.array(delays)
        self.base_bin = self.end_bin = -FAR
        self._cells = len(slices), KIND_CLASSES, len(delays)
        self._moment: Moment
        self._take(expected)

    def update(self, moment: Moment) -> None:
        """Brings the tables up to a moment."""
        fresh = self.base_bin == -FAR or len(moment.muted) != len(self._moment.muted)
        if fresh:
            self._begin(moment)
        moved = fresh or self._stale or moment.end_bin - self.base_bin >= self.rows
        if moved:
            self._move(moment.end_bin - self.settings.window_bins)
        before, self._moment, self.end_bin = self._moment, moment, moment.end_bin
        hosts = len(moment.exposed)
        rated, since = _changes(_rate_pairs(before, moment), hosts)
        muted, muted_since = _changes(list(zip(before.muted, moment.muted, strict=True)), hosts)
        first = min(before.end_bin, self._count(moment, rated | muted, min(since, muted_since)))
        if moved:
            first = self.base_bin
            self._rate(moment, np.arange(hosts))
        elif since < FAR:
            first = min(first, self._rate_anew(before, moment, np.flatnonzero(rated), since))
        self._sum_from(max(0, first - self.base_bin))

    def renew(self, expected: Floats) -> None:
        """Takes other expectations, from the next update on."""
        if expected is not self.expected:
            self._take(expected)

    def _take(self, expected: Floats) -> None:
        self.expected, self._fleet_rate, self._stale = expected, expected.sum(axis=1), True

    def mean_ages(self) -> Floats:
        """Mean age in bins of the exposed hosts of each slice."""
        mean: Floats = self.end_bin - self.base_bin - self._exposed_bins / np.maximum(self.exposed_hosts, 1)
        return mean

    def look_back_sums(self) -> tuple[Floats, Floats, Floats]:
        """Crashes inside, crashes due inside by [look-back, slice, group, delay], and all by [look-back, group]."""
        end = self.end_bin - self.base_bin
        start = np.maximum(0, end - np.array(self.settings.look_backs))
        inside = self._inside_sums[end] - self._inside_sums[start]
        due = self._due_sums[end] - self._due_sums[start]
        return inside, due, self._total_sums[end] - self._total_sums[start]

    def totals(self) -> Floats:
        """All crashes of each bin of the window."""
        end = self.end_bin - self.base_bin
        totals: Floats = self.total[max(0, end - self.settings.window_bins) : end, 0]
        return totals

    def strip(self, number: int, group: int, delay: int, look_back: int) -> tuple[Floats, Floats, Floats]:
        """Per bin of a look-back: crashes inside, expected share inside, all crashes. `delay` is a place."""
        end = self.end_bin - self.base_bin
        rows = np.arange(max(0, end - look_back), end)
        level = self._levels[rows + self.longest - self.delays[delay], number, group]
        rest = np.maximum(self._fleet_rate[group] - self._lost[rows, group], 1e-12)
        missing = 0.0 if self._missing_steps is None else self._missing[rows, number, group, delay]
        share = np.clip((level - missing) / rest, 0.0, 1.0)
        return self.inside[rows, number, group, delay], share, self.total[rows, group]

    def _begin(self, moment: Moment) -> None:
        """Forgets everything; all events of the window are counted by the next update."""
        self.base_bin = moment.end_bin - self.settings.window_bins
        self.total = np.zeros((self.rows, KIND_CLASSES))
        self.inside = np.zeros((self.rows, *self._cells))
        self._total_sums = np.zeros((self.rows + 1, KIND_CLASSES))
        self._inside_sums = np.zeros((self.rows + 1, *self._cells))
        self._due_sums = np.zeros((self.rows + 1, *self._cells))
        self._classes = np.zeros(0, dtype=np.int8)
        self._dropped = moment.dropped
        self._marks: deque[tuple[int, int]] = deque(maxlen=self.rows)  # how many events were known by which tick
        never = np.full(self.expected.shape[1], FAR, dtype=np.int64)
        self._moment = Moment(self.base_bin, moment.events, 0, never, never, never, (never,) * len(moment.muted))

    def _move(self, base_bin: int) -> None:
        """Moves the rows on, so that the window begins at `base_bin`, and forgets the rates."""
        by = base_bin - self.base_bin
        for table in (self.total, self.inside) if by else ():
            table[: self.rows - by] = table[by:].copy()
            table[max(0, self.rows - by) :] = 0.0
        self.base_bin, self._stale = base_bin, False
        slices, groups, _ = self._cells
        self._steps = np.zeros((self.rows + self.longest, slices, groups))
        self._missing_steps: Floats | None = None
        self._missing = np.zeros((1, 1, 1, 1))
        self._lost_steps = np.zeros((self.rows + 1, groups))
        self._lost = np.zeros((self.rows, groups))
        self.exposed_hosts = np.zeros(slices)
        self._exposed_bins = np.zeros(slices)

    def _drop(self, dropped: int) -> None:
        gone = dropped - self._dropped
        if gone:
            self._classes = self._classes[gone:]
            self._dropped = dropped

    def _count(self, moment: Moment, changed: Mask, since: int) -> int:
        """Counts new events, and anew those of hosts changed since a bin; returns the first bin that is other now."""
        self._drop(moment.dropped)
        events, known = moment.events, len(self._classes)
        new = events.since(known)
        first = self._classify(new, moment)
        touched = self._add(new, first, new.weight)
        if known and since < FAR:
            touched = min(touched, self._count_again(moment, changed, self._place_of(since)))
        self._classes = np.concatenate([self._classes, first])
        self._marks.append((moment.end_bin, self._dropped + len(self._classes)))
        return touched

    def _place_of(self, first_bin: int) -> int:
        """A place before which there are only events of earlier bins: none is of a bin after that of its tick."""
        earlier = (place for end_bin, place in reversed(self._marks) if end_bin < first_bin)
        return max(0, next(earlier, 0) - self._dropped)

    def _count_again(self, moment: Moment, changed: Mask, place: int) -> int:
        """Takes out events from a place on that are of another class now, and counts them by that."""
        again = place + np.flatnonzero(changed[moment.events.host[place : len(self._classes)]])
        classes = self._classify(moment.events.where(again), moment)
        other = classes != self._classes[again]
        again, classes = again[other], classes[other]
        events, old = moment.events.where(again), self._classes[again]
        self._classes[again] = classes
        return min(self._add(events, old, -events.weight), self._add(events, classes, events.weight))

    def _classify(self, events: Events, moment: Moment) -> Classes:
        """For each event the place of the longest delay that its age allows, NOT_EXPOSED, or OUT."""
        age = events.bin - moment.exposed[events.host]
        classes = np.searchsorted(self._delays, age, side="right") - 1
        out = (events.bin >= moment.gone_from[events.host]) & (events.bin < moment.gone_to[events.host])
        if self.stack is not None:
            out |= (events.stack != self.stack) & (events.stack != -1)
        for exposed in moment.muted:
            since = events.bin - exposed[events.host]
            out |= (since >= 0) & (since < self.settings.burst_bins)
        return np.where(out, OUT, classes).astype(np.int8)

    def _add(self, events: Events, classes: Classes, weights: Floats) -> int:
        """Adds events at their rows (takes them away where weights are negative); returns the first bin touched."""
        use = (classes > OUT) & (events.bin >= self.base_bin) & (events.bin < self.base_bin + self.rows)
        if not use.any():
            return self.end_bin
        if not use.all():
            events, classes, weights = events.where(use), classes[use], weights[use]
        first, last = int(events.bin.min()), int(events.bin.max())
        bins, row = last - first + 1, events.bin - first
        rows = slice(first - self.base_bin, last + 1 - self.base_bin)
        kinds = sums(row * KIND_CLASSES + events.kind, weights, bins * KIND_CLASSES).reshape(bins, KIND_CLASSES)
        self.total[rows, 0] += kinds.sum(axis=1)
        self.total[rows, 1:] += kinds[:, 1:]
        exposed = np.flatnonzero(classes >= 0)
        if len(exposed):
            self._add_inside(
                events.host[exposed], events.kind[exposed], row[exposed], classes[exposed], weights[exposed], rows
            )
        return first

    def _add_inside(self, host: Ints, kind: Ints, row: Ints, classes: Classes, weights: Floats, rows: slice) -> None:
        shape = (rows.stop - rows.start, *self._cells)
        codes = self.slices.codes[:, host]
        cell = ((row * shape[1] + codes) * KIND_CLASSES + kind) * shape[3] + classes
        member = codes >= 0
        table = sums(cell[member], np.broadcast_to(weights, codes.shape)[member], math.prod(shape)).reshape(shape)
        for younger in range(shape[3] - 2, -1, -1):
            table[..., younger] += table[..., younger + 1]
        self.inside[rows, :, 0] += table[:, :, 0] + table[:, :, 1] + table[:, :, 2]
        self.inside[rows, :, 1:] += table[:, :, 1:]

    def _rate_anew(self, before: Moment, moment: Moment, hosts: Ints, since: int) -> int:
        """Takes the rates of changed hosts out and in again; returns the first bin that is another than before."""
        self._step(before, hosts, -1.0)
        self._rate(moment, hosts)
        return max(self.base_bin, since)

    def _rate(self, moment: Moment, hosts: Ints) -> None:
        """Adds the rates of hosts, and brings the levels up to date."""
        self._step(moment, hosts, 1.0)
        self._levels = self._steps.cumsum(axis=0)
        if self._missing_steps is not None:
            self._lost = self._lost_steps.cumsum(axis=0)[:-1]
            self._missing = self._missing_steps.cumsum(axis=0)[:-1]

    def _step(self, moment: Moment, hosts: Ints, sign: float) -> None:
        """Adds (or takes away) the rates of hosts: from their exposure on, less what is left out."""
        touched = hosts[moment.exposed[hosts] < FAR]
        row, code, place = self._spread(
            moment.exposed[touched] - self.base_bin + self.longest, touched, len(self._steps) - 1
        )
        self._add_steps(self._steps, row, code, self.expected[:, touched][:, place] * sign)
        self.exposed_hosts += sign * np.bincount(code, minlength=len(self.slices))
        exposed = (moment.exposed[touched] - self.base_bin).astype(float)[place]
        self._exposed_bins += sign * sums(code, exposed, len(self.slices))
        gone = hosts[moment.gone_from[hosts] < FAR]
        if len(gone):
            self._step_gone(moment, gone, sign)

    def _step_gone(self, moment: Moment, hosts: Ints, sign: float) -> None:
        """Adds (or takes away) what is left out: of the fleet, and of what is exposed there, by delay."""
        if self._missing_steps is None:
            self._missing_steps = np.zeros((self.rows + 1, *self._cells))
        first = np.clip(moment.gone_from[hosts] - self.base_bin, 0, self.rows)
        end = np.clip(moment.gone_to[hosts] - self.base_bin, 0, self.rows)
        for group in range(KIND_CLASSES):
            rates = self.expected[group, hosts] * sign
            self._lost_steps[:, group] += sums(first, rates, self.rows + 1) - sums(end, rates, self.rows + 1)
        since = np.clip(moment.exposed[hosts] - self.base_bin, -self.longest, self.rows)
        _, code, place = self._spread(end, hosts, self.rows)
        rates = self.expected[:, hosts][:, place] * sign
        for number, delay in enumerate(self.delays):
            begun = np.minimum(np.maximum(since + delay, first), end)
            self._add_steps(self._missing_steps[..., number], begun[place], code, rates)
            self._add_steps(self._missing_steps[..., number], end[place], code, -rates)

    def _spread(self, rows: Ints, hosts: Ints, last: int) -> tuple[Ints, Ints, Ints]:
        """For each slice of each host: its row (kept within 0 and `last`), the slice, and the place of the host."""
        partition, place = np.nonzero(self.slices.codes[:, hosts] >= 0)
        return np.clip(rows, 0, last)[place], self.slices.codes[partition, hosts[place]], place

    def _add_steps(self, steps: Floats, row: Ints, code: Ints, rates: Floats) -> None:
        """Adds rates by [group, place] at their row and slice; mostly these are few rows."""
        if len(row):
            first = int(row.min())
            shape = int(row.max()) + 1 - first, len(self.slices), KIND_CLASSES
            cell = ((row - first) * shape[1] + code) * KIND_CLASSES + np.arange(KIND_CLASSES)[:, None]
            steps[first : first + shape[0]] += sums(cell.ravel(), rates.ravel(), math.prod(shape)).reshape(shape)

    def _sum_from(self, row: int) -> None:
        """Brings the running sums up to date from a row on."""
        end = self.end_bin - self.base_bin
        if row >= end:
            return
        tables = (self._inside_sums, self.inside[row:end]), (self._total_sums, self.total[row:end])
        for running, values in (*tables, (self._due_sums, self._due(row, end))):
            for place, added in enumerate(values, row):  # much faster than a cumulative sum over the first axis
                np.add(running[place], added, out=running[place + 1])

    def _due(self, row: int, end: int) -> Floats:
        """Crashes due inside, of rows up to an end."""
        rest = np.maximum(self._fleet_rate - self._lost[row:end], 1e-12)[:, None, :]
        due, total = np.empty((end - row, *self._cells)), self.total[row:end][:, None, :]
        for number, delay in enumerate(self.delays):
            back = self.longest - delay
            share = self._levels[row + back : end + back] / rest
            if self._missing_steps is not None:
                share = np.clip(share - self._missing[row:end, :, :, number] / rest, 0.0, 1.0)
            due[..., number] = share * total
        return due


def _rate_pairs(old: Moment, moment: Moment) -> list[tuple[Ints, Ints]]:
    return [(old.exposed, moment.exposed), (old.gone_from, moment.gone_from), (old.gone_to, moment.gone_to)]


def _changes(pairs: list[tuple[Ints, Ints]], hosts: int) -> tuple[Mask, int]:
    """Hosts of which something else is known than before, be it only since when, and the first bin concerned."""
    changed, earliest = np.zeros(hosts, dtype=bool), FAR
    for one, other in pairs:
        differ = np.zeros(0, dtype=bool) if one is other else one != other
        if differ.any():
            changed |= differ
            earliest = min(earliest, int(np.minimum(one[differ], other[differ]).min()))
    return changed, earliest
