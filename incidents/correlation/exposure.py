"""Which hosts a deploy touched, and since when."""

import numpy as np

from incidents.correlation.events import Ints
from incidents.correlation.facts import EXPOSING, Deploy, HostDeploy
from incidents.correlation.view import FAR


class Exposure:
    """One deploy with what it did on each host; hosts that it skipped are controls, a failed attempt still touched."""

    def __init__(self, deploy: Deploy) -> None:
        self.deploy = deploy
        self._at: dict[int, float] = {}
        self.outcomes: dict[int, str] = {}

    def touch(self, host: int, host_deploy: HostDeploy) -> None:
        """Takes in what happened on one host; the first touch counts."""
        if self.outcomes.get(host) != "overwrote":
            self.outcomes[host] = host_deploy.outcome
        if host_deploy.outcome in EXPOSING:
            at = host_deploy.at if host_deploy.started_at is None else min(host_deploy.started_at, host_deploy.at)
            self._at[host] = min(at, self._at.get(host, at))

    def bins(self, hosts: int, bin_seconds: float, *, until: float) -> Ints:
        """The bin of each host's exposure; FAR where there is none yet."""
        table = np.full(hosts, FAR, dtype=np.int64)
        touched = [(host, at) for host, at in self._at.items() if at <= until]
        for host, at in touched:
            table[host] = int(at // bin_seconds)
        return table

    def last_at(self, until: float) -> float | None:
        """When it last touched a host."""
        return max((at for at in self._at.values() if at <= until), default=None)

    def over(self, oldest_at: float) -> bool:
        """Whether neither the deploy nor any touch is younger than this."""
        return max([self.deploy.at, *self._at.values()]) < oldest_at

    def hosts_with(self, outcome: str) -> set[int]:
        """The hosts with this outcome."""
        return {host for host, seen in self.outcomes.items() if seen == outcome}
