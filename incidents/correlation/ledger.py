"""What is open, what was sent, and which host-bins the open verdicts explain."""

from dataclasses import dataclass, field

import numpy as np

from incidents.correlation.events import Ints
from incidents.correlation.settings import Settings
from incidents.correlation.verdict import Notice, Suspect, Verdict
from incidents.correlation.view import FAR, hull

Key = tuple[str, str]


@dataclass(slots=True)
class Entry:
    """A verdict since it was first named; `explains_from` holds the first explained bin of each host (FAR: none)."""

    verdict: Verdict
    opened_bin: int
    supported_bin: int
    explains_from: Ints
    peak: float = 0.0
    stamp_bins: int = 0  # how late the stamps of this deploy come, as far as was seen
    closed_bin: int | None = None


@dataclass(slots=True)
class Ledger:
    """The memory between two ticks."""

    settings: Settings
    entries: dict[Key, Entry] = field(default_factory=dict)
    sent_at: dict[Key, float] = field(default_factory=dict)
    waiting_since: dict[Key, int] = field(default_factory=dict)
    noisy: set[str] = field(default_factory=set)  # deploys whose restarts kill dynos, and no more
    pages: list[Notice] = field(default_factory=list)
    updates: list[Notice] = field(default_factory=list)
    never: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def open_entries(self, kind: str | None = None) -> list[Entry]:
        """The entries that stand, perhaps of one kind."""
        return [e for e in self.entries.values() if e.closed_bin is None and kind in {None, e.verdict.kind}]

    def is_open(self, key: Key) -> bool:
        """Whether this verdict stands."""
        entry = self.entries.get(key)
        return entry is not None and entry.closed_bin is None

    def explained(self, hosts: int, *, apart_from: Key | None = None, deploys: bool = True) -> tuple[Ints, Ints]:
        """First and end bin of what is explained on each host; FAR where nothing is. Perhaps not by deploys."""
        gone = self._nothing(hosts)
        for key, entry in self.entries.items():
            if key != apart_from and (deploys or key[0] != "deploy") and (entry.explains_from < FAR).any():
                first = np.full(hosts, FAR, dtype=np.int64)
                first[: len(entry.explains_from)] = entry.explains_from
                until = FAR - 1 if entry.closed_bin is None else entry.closed_bin
                gone = hull(gone, (first, np.where(first < FAR, until, FAR)))
        return gone

    def explains(self, host: int, end_bin: int, hosts: int) -> bool:
        """Whether the last bin of a host is explained."""
        first, end = self.explained(hosts)
        return bool(first[host] < end_bin <= end[host])

    def _nothing(self, hosts: int) -> tuple[Ints, Ints]:
        """The same arrays each time, so that a reader sees at once that nothing has changed."""
        if len(self.never) != hosts:
            self.never = np.full(hosts, FAR, dtype=np.int64)
        return self.never, self.never

    def waited(self, key: Key, end_bin: int) -> int:
        """For how many bins this has been about to be named."""
        return end_bin - self.waiting_since.setdefault(key, end_bin)

    def forget_waiting(self, still: set[Key]) -> None:
        """What is not about to be named any more starts from nothing next time."""
        self.waiting_since = {key: since for key, since in self.waiting_since.items() if key in still}

    def name(
        self,
        verdict: Verdict,
        *,
        now: float,
        end_bin: int,
        suspects: tuple[Suspect, ...],
        explains_from: Ints,
    ) -> None:
        """Opens a verdict, or keeps it up to date; sends a page or an update where one is due."""
        entry = self.entries.get(verdict.key)
        if entry is None or entry.closed_bin is not None:
            self.entries[verdict.key] = Entry(verdict, end_bin, end_bin, explains_from, verdict.score)
            self._page(verdict, now, suspects)
            return
        before, entry.verdict, entry.explains_from = entry.verdict, verdict, explains_from
        entry.supported_bin, entry.peak = end_bin, max(entry.peak, verdict.score)
        if (before.hosts, before.cohort) != (verdict.hosts, verdict.cohort):
            self.updates.append(Notice(now, verdict, suspects, update=True))

    def _page(self, verdict: Verdict, now: float, suspects: tuple[Suspect, ...]) -> None:
        last_at = self.sent_at.get(verdict.key)
        if last_at is None or now - last_at >= self.settings.page_repeat_seconds:
            self.sent_at[verdict.key] = now
            self.pages.append(Notice(now, verdict, suspects))

    def close(self, key: Key, end_bin: int) -> None:
        """Ends a verdict; what it explained stays explained."""
        self.entries[key].closed_bin = end_bin

    def close_unsupported(self, end_bin: int) -> None:
        """Closes what has been silent long enough, and forgets what no window can see any more."""
        for key, entry in list(self.entries.items()):
            if entry.closed_bin is None and end_bin - entry.supported_bin > self.settings.quiet_bins:
                self.close(key, end_bin)
            if entry.closed_bin is not None and end_bin - entry.closed_bin > self.settings.keep_bins:
                del self.entries[key]

    def take_notices(self) -> tuple[tuple[Notice, ...], tuple[Notice, ...]]:
        """The pages and updates since the last call."""
        taken = tuple(self.pages), tuple(self.updates)
        self.pages, self.updates = [], []
        return taken
