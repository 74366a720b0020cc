"""Everything a tick looks at, as of one moment."""

from dataclasses import dataclass, field

import numpy as np

from incidents.correlation.baseline import Baseline
from incidents.correlation.events import Events, EventStore, Floats, Ints, Mask
from incidents.correlation.exposure import Exposure
from incidents.correlation.facts import Evidence
from incidents.correlation.fleet import Fleet
from incidents.correlation.ledger import Key, Ledger
from incidents.correlation.scan import Fit, scan_tally
from incidents.correlation.settings import Settings
from incidents.correlation.silence import Silence
from incidents.correlation.slices import Slices
from incidents.correlation.tally import Moment, Tally
from incidents.correlation.view import FAR, View
from incidents.correlation.workbench import TallyKey, Workbench

VIEW_BINS = (64, 128)  # a view is of one of these lengths, or of all that is kept, so that few have to be made
ALONE = ""


@dataclass(slots=True)
class Scene:
    """The fleet and its last hours as of `now`; what is asked for twice is made once."""

    now: float
    end_bin: int
    settings: Settings
    fleet: Fleet
    store: EventStore
    baseline: Baseline
    ledger: Ledger
    exposures: dict[str, Exposure]
    evidence: list[Evidence]
    silence: Silence
    workbench: Workbench
    _views: dict[tuple[str | None, Key | None, bool, int], View] = field(default_factory=dict)
    _fits: dict[TallyKey, tuple[Tally, list[Fit]]] = field(default_factory=dict)
    _gone: dict[tuple[Key | None, bool], tuple[Ints, Ints]] = field(default_factory=dict)

    @property
    def slices(self) -> Slices:
        """The slices of the fleet."""
        return self.workbench.slices(self.fleet)

    @property
    def hosts(self) -> int:
        """How many hosts there are."""
        return len(self.fleet.hosts)

    @property
    def is_bin_over(self) -> bool:
        """Whether the last bin has been seen to its end."""
        return self.now >= self.end_bin * self.settings.bin_seconds

    def live(self) -> list[tuple[Exposure, Ints]]:
        """The deploys that touched a host lately, with the bin of each host's exposure."""
        oldest = self.now - self.settings.live_bins * self.settings.bin_seconds
        found = []
        for exposure in self.exposures.values():
            last_at = exposure.last_at(self.now)
            if last_at is not None and last_at >= oldest:
                found.append((exposure, self.bins(exposure)))
        return found

    def bins(self, exposure: Exposure) -> Ints:
        """The bin of each host's exposure as it is known now."""
        return exposure.bins(self.hosts, self.settings.bin_seconds, until=self.now)

    def gone(self, *, apart_from: Key | None = None, whole: bool = False) -> tuple[Ints, Ints]:
        """First and end bin on each host of what verdicts explain (but `apart_from`), and of its silence.

        `whole`: as if no deploy were blamed.
        """
        key = apart_from, whole
        if key not in self._gone:
            explained = self.ledger.explained(self.hosts, apart_from=apart_from, deploys=not whole)
            self._gone[key] = self.silence.left_out(explained)
        return self._gone[key]

    def fits(
        self, exposure: Exposure, exposed: Ints, *, whole: bool = False, own: bool = False
    ) -> tuple[Tally, list[Fit]]:
        """The tables of a deploy, and its fits, best first; `own`: with what it explains itself, and no other."""
        deploy = exposure.deploy
        stack = deploy.stack if deploy.target == "stack" else None
        key = deploy.deploy, None, whole or own
        if key not in self._fits:
            gone = self.gone(apart_from=("deploy", deploy.deploy)) if own else self.gone(whole=whole)
            tally = self._tally(key, exposed, stack, gone, self.settings.delays)
            self._fits[key] = tally, scan_tally(tally, self.baseline.dispersion, self.settings, alone=False)
        return self._fits[key]

    def fits_alone(self, *, whole: bool = False, apart_from: Key | None = None) -> tuple[Tally, list[Fit]]:
        """The same of slices without any deploy."""
        key = ALONE, None if apart_from is None else apart_from[1], whole
        if key not in self._fits:
            always = np.full(self.hosts, -FAR, dtype=np.int64)
            tally = self._tally(key, always, None, self.gone(apart_from=apart_from, whole=whole), (0,))
            self._fits[key] = tally, scan_tally(tally, self.baseline.dispersion, self.settings, alone=True)
        return self._fits[key]

    def _tally(
        self, key: TallyKey, exposed: Ints, stack: str | None, gone: tuple[Ints, Ints],
        delays: tuple[int, ...],
    ) -> Tally:  # fmt: skip
        tally = self.workbench.tally(
            key, fleet=self.fleet, expected=self._expected(stack), delays=delays,
            stack=None if stack is None else self._stack_number(stack), end_bin=self.end_bin,
        )  # fmt: skip
        muted = tuple(self.bins(self.exposures[name]) for name in sorted(self.ledger.noisy & self.exposures.keys()))
        tally.update(Moment(self.end_bin, self.store.all(), self.store.dropped, exposed, *gone, muted))
        return tally

    def _stack_number(self, stack: str) -> int:
        """The number of a stack; -2 where nothing is known of it."""
        number = self.fleet.stacks.known(stack)
        return -2 if number is None else number

    def _expected(self, stack: str | None) -> Floats:
        return self.workbench.expected(self.fleet, self.baseline, self.fleet.stacks.known(stack) if stack else None)

    def view(
        self, *, stack: str | None = None, apart_from: Key | None = None, whole: bool = False, reach: int = 0
    ) -> View:
        """The last `reach` bins (0: the window) without what verdicts explain, as `gone` has it."""
        apart_from = apart_from if apart_from in self.ledger.entries else None
        length = min((bins for bins in VIEW_BINS if 0 < reach <= bins), default=self._longest_view)
        key = (stack, apart_from, whole, length)
        if key not in self._views:
            self._views[key] = self._make_view(stack, self.gone(apart_from=apart_from, whole=whole), length)
        return self._views[key]

    @property
    def _longest_view(self) -> int:
        return self.settings.window_bins + self.settings.lead_bins

    def _make_view(self, stack: str | None, gone: tuple[Ints, Ints], length: int) -> View:
        first = self.end_bin - length
        events = self.store.all().since(self.store.place_of(first))
        use = (events.bin >= first) & (events.bin < self.end_bin)
        if stack:
            use &= (events.stack == self._stack_number(stack)) | (events.stack == -1)
        if self.ledger.noisy:
            use &= ~self._is_restart(events)
        if (gone[0] < FAR).any():
            use &= (events.bin < gone[0][events.host]) | (events.bin >= gone[1][events.host])
        place = np.flatnonzero(use)
        events = events.where(place[np.argsort(events.bin[place], kind="stable")])
        time, dispersion = events.bin - first, self.baseline.dispersion
        return View(self.end_bin, length, time, events, self._expected(stack), *gone, dispersion)

    def _is_restart(self, events: Events) -> Mask:
        """Crashes in the first moments after a deploy that is known to restart dynos and to do no more."""
        restart = np.zeros(len(events.bin), dtype=bool)
        for name in self.ledger.noisy & self.exposures.keys():
            age = events.bin - self.bins(self.exposures[name])[events.host]
            restart |= (age >= 0) & (age < self.settings.burst_bins)
        return restart
