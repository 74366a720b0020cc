"""Which hosts a deploy touched, and since when."""

from collections.abc import Set as AbstractSet

import numpy as np

from incidents.correlation.events import Ints
from incidents.correlation.facts import EXPOSING, Deploy, HostDeploy
from incidents.correlation.view import FAR


class Exposure:
    """One deploy with what it did on each host; hosts that it skipped are controls, a failed attempt still touched."""

    def __init__(self, deploy: Deploy) -> None:
        self.deploy = deploy
        self.outcomes: dict[int, str] = {}
        self._hosts_with: dict[str, set[int]] = {}
        self.delays: list[float] = []  # seconds from the beginning on a host to its stamp, where both are told
        self._at = np.full(0, np.inf)
        self._bins: Ints = np.zeros(0, dtype=np.int64)
        self._changed, self._until = True, -np.inf
        self._latest: float | None = None  # of all touches
        self._ahead = False  # whether some of it lies in the future

    def touch(self, host: int, host_deploy: HostDeploy) -> None:
        """Takes in what happened on one host; the first touch counts."""
        before = self.outcomes.get(host)
        if before != "overwrote":
            self._hosts_with.get(before or "", set()).discard(host)
            self._hosts_with.setdefault(host_deploy.outcome, set()).add(host)
            self.outcomes[host] = host_deploy.outcome
        if host_deploy.outcome in EXPOSING:
            at = host_deploy.at if host_deploy.started_at is None else min(host_deploy.started_at, host_deploy.at)
            if host_deploy.started_at is not None:
                self.delays.append(host_deploy.at - at)
            self._grow(host + 1)
            if at < self._at[host]:
                self._at[host], self._changed, self._latest = at, True, None

    def bins(self, hosts: int, bin_seconds: float, *, until: float) -> Ints:
        """The bin of each host's exposure; FAR where there is none yet. Not to be written to."""
        if self._changed or self._ahead or len(self._bins) != hosts or until < self._until:
            self._grow(hosts)
            known = self._at <= until
            self._ahead = bool((np.isfinite(self._at) & ~known).any())
            self._bins = np.full(hosts, FAR, dtype=np.int64)
            self._bins[known[:hosts]] = self._at[:hosts][known[:hosts]] // bin_seconds
            self._changed, self._until = False, until
        return self._bins

    def last_at(self, until: float) -> float | None:
        """When it last touched a host."""
        if self._latest is None:
            self._latest = float(self._at[np.isfinite(self._at)].max(initial=-np.inf))
        if -np.inf < self._latest <= until:
            return self._latest
        known = self._at[self._at <= until]
        return float(known.max()) if len(known) else None

    def over(self, oldest_at: float) -> bool:
        """Whether neither the deploy nor any touch is younger than this."""
        last_at = self.last_at(np.finfo(float).max)
        return max(self.deploy.at, self.deploy.at if last_at is None else last_at) < oldest_at

    def hosts_with(self, outcome: str) -> AbstractSet[int]:
        """The hosts with this outcome. Not to be kept."""
        return self._hosts_with.get(outcome, set())

    def _grow(self, hosts: int) -> None:
        if len(self._at) < hosts:
            room = max(hosts, 2 * len(self._at))
            self._at = np.concatenate([self._at, np.full(room - len(self._at), np.inf)])
