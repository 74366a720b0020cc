"""What is normal: each host's own past, shrunk towards the fleet's rate per dyno, and how unruly the fleet is."""

import numpy as np

from incidents.correlation.events import EventStore, Floats, Ints, sums
from incidents.correlation.facts import KIND_CLASSES
from incidents.correlation.settings import Settings

LEAST_DYNOS = 0.5
BLOCK_BINS = 60


class Baseline:
    """A fading memory of weighted crashes per host, stack and kind; host-bins of an incident are left out."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.fading = 0.5 ** (1.0 / settings.baseline_half_life_bins)
        self.first_bin: int | None = None
        self.absorbed_to = 0
        self.crashes: Floats = np.zeros((0, 1, KIND_CLASSES))
        self.bins: Floats = np.zeros(0)
        self.dispersion: Floats = np.ones(3)

    def absorb(self, store: EventStore, *, end_bin: int, shape: tuple[int, int], gone: tuple[Ints, Ints]) -> None:
        """Takes in the bins that have become old enough; `gone` holds first and end bin of each host's incident."""
        if self.first_bin is None:
            self.first_bin = self.absorbed_to = end_bin - 1
        self._grow(shape)
        until = end_bin - self.settings.baseline_lag_bins
        while self.absorbed_to < until:
            stop = min(until, (self.absorbed_to // BLOCK_BINS + 1) * BLOCK_BINS)
            self._absorb_bins(store, self.absorbed_to, stop, gone)
            self.absorbed_to = stop

    def starts_at(self, first_bin: int) -> None:
        """Says when the data begins, where that is known before the first tick."""
        if self.first_bin is None:
            self.first_bin = self.absorbed_to = first_bin

    def expected(self, dynos: Floats, *, stack: int | None, group: int) -> Floats:
        """Expected weighted crashes per host and bin, for one stack (or all) and one kind group (0: all kinds)."""
        columns = slice(None) if stack is None else [stack, -1]
        kinds = slice(None) if group == 0 else slice(group, group + 1)
        known = dynos[:, columns].sum(axis=1)
        inventory = known[known > 0]
        known = np.where(known > 0, known, LEAST_DYNOS if len(inventory) else 1.0)
        seen = self.crashes[:, columns][:, :, kinds].sum(axis=(1, 2))
        total, bins = seen.sum(), (known * self.bins).sum()
        if total <= 0 or bins <= 0:
            even: Floats = known / known.sum()
            return even
        prior = self.settings.prior_crashes
        shrunk: Floats = known * (seen + prior) / (known * self.bins + prior * bins / total)
        return shrunk

    def _grow(self, shape: tuple[int, int]) -> None:
        """Room for new hosts and stacks; the last column (no stack known) stays last."""
        hosts, stacks = shape
        if self.crashes.shape[:2] == shape:
            return
        grown = np.zeros((hosts, stacks, KIND_CLASSES))
        old_hosts, old_stacks = self.crashes.shape[:2]
        grown[:old_hosts, : old_stacks - 1] = self.crashes[:, :-1]
        grown[:old_hosts, -1] = self.crashes[:, -1]
        self.crashes = grown
        self.bins = np.concatenate([self.bins, np.zeros(hosts - len(self.bins))])

    def _absorb_bins(self, store: EventStore, first: int, stop: int, gone: tuple[Ints, Ints]) -> None:
        events = store.between(first, stop)
        counted = (events.bin < gone[0][events.host]) | (events.bin >= gone[1][events.host])
        events = events.where(counted)
        left_out = np.clip(np.minimum(gone[1], stop) - np.maximum(gone[0], first), 0, None)
        if stop % BLOCK_BINS == 0:
            self._measure_dispersion(store, stop, left_out)
        fade = self.fading ** (stop - first)
        self.crashes *= fade
        self.bins = self.bins * fade + (stop - first - left_out)
        np.add.at(self.crashes, (events.host, events.stack, events.kind), events.weight)

    def _measure_dispersion(self, store: EventStore, stop: int, left_out: Ints) -> None:
        """Pearson's dispersion of one hour's sums per host, the strongest host left out; slow to change."""
        events = store.between(stop - BLOCK_BINS, stop)
        for group in range(3):
            chosen = events if group == 0 else events.where(events.kind == group)
            seen = sums(chosen.host, chosen.weight, len(self.bins))[left_out == 0]
            expected = (self.crashes[:, :, slice(None) if group == 0 else [group]]).sum(axis=(1, 2))[left_out == 0]
            if seen.sum() < self.settings.prior_crashes or expected.sum() <= 0 or len(seen) < 10:
                continue
            prior = expected.mean()
            expected = (expected + prior) * seen.sum() / (expected + prior).sum()
            terms = np.sort((seen - expected) ** 2 / expected)[:-1]
            measured = float(np.clip(terms.mean(), 1.0, self.settings.most_dispersion))
            self.dispersion[group] += 0.2 * (measured - self.dispersion[group])
