"""The correlation's memory between ticks, filled from the database and rebuilt from it when need be."""

import bisect
from datetime import UTC, datetime, timedelta

from django.conf import settings

from incidents.correlation import facts
from incidents.correlation.correlator import Correlator
from incidents.correlation.settings import Settings
from incidents.correlation.verdict import Board
from incidents.watching.readings import (
    CrashReader,
    DeployReader,
    DynoReader,
    EvidenceReader,
    Fact,
    known_at,
    read_hosts,
)

HISTORY_BINS = 1440
FELL_BEHIND_BINS = 30
FINE_BINS = 60  # before now, when a memory is rebuilt: told bin by bin
COARSE_BINS = 20  # and before that in steps of so many


class Watcher:
    """One process's correlation. Not for several threads at once."""

    def __init__(self) -> None:
        self.correlator: Correlator | None = None
        self._last_at: datetime | None = None
        self._history_from: datetime | None = None

    def look(self, now: datetime) -> Board:
        """Takes in what is new and judges the fleet as of `now`."""
        if self.correlator is None or self._is_behind(now) or self._past_was_loaded():
            return self._rebuild(now)
        correlator = self.correlator
        for fact in self._new_facts(correlator, now):
            tell(correlator, fact)
        self._last_at = now
        return correlator.tick(now.timestamp())

    def forget(self) -> None:
        """Drops the memory: the next look rebuilds it."""
        self.correlator = None

    def _is_behind(self, now: datetime) -> bool:
        last_at = self._last_at or now
        return not timedelta(0) <= now - last_at <= timedelta(seconds=FELL_BEHIND_BINS * settings.TICK_SECONDS)

    def _past_was_loaded(self) -> bool:
        first = self._crashes.first_minute(self._crashes.since)
        return first is not None and self._history_from is not None and first < self._history_from

    def _rebuild(self, now: datetime) -> Board:
        """Plays the recent past from the database through a new correlation, each fact when it could be known."""
        since = now - timedelta(seconds=_history_bins() * settings.TICK_SECONDS)
        self._crashes, self._deploys = CrashReader(since), DeployReader(since)
        self._evidence, self._dynos = EvidenceReader(since), DynoReader()
        correlator = self.correlator = Correlator(correlation_settings())
        played = sorted(self._new_facts(correlator, now), key=known_at)
        first = self._crashes.first_minute(since) or now
        self._history_from = first.replace(second=0, microsecond=0) - timedelta(minutes=1)
        self._last_at = now
        return play(correlator, played, now=now.timestamp())

    def _new_facts(self, correlator: Correlator, now: datetime) -> list[Fact]:
        for name, attributes in read_hosts():
            correlator.set_host(name, attributes)
        for host, app, stack, number in self._dynos.new(now):
            correlator.set_dynos(host, app, stack, number)
        deploys, host_deploys = self._deploys.new(now)
        return [*deploys, *host_deploys, *self._evidence.new(now), *self._crashes.new(now)]


def correlation_settings() -> Settings:
    """The correlation's settings, in bins of the length of a tick."""
    return Settings(bin_seconds=settings.TICK_SECONDS)


def play(correlator: Correlator, played: list[Fact], *, now: float) -> Board:
    """Tells facts in order and ticks between them, coarsely at first; gives the board as of `now`."""
    times = [known_at(fact) for fact in played]
    told = 0
    for at in tick_times(times[0] if times else now, now, settings.TICK_SECONDS):
        end = bisect.bisect_right(times, at)
        for fact in played[told:end]:
            tell(correlator, fact)
        told = end
        correlator.tick(at)
    for fact in played[told:]:
        tell(correlator, fact)
    return correlator.tick(now)


def tick_times(first: float, now: float, bin_seconds: float) -> list[float]:
    """When to tick on the way from the first fact to now, now left out."""
    bins = int((now - first) // bin_seconds)
    backs = [back for back in range(bins, 0, -1) if back <= FINE_BINS or (bins - back) % COARSE_BINS == 0]
    return [now - back * bin_seconds for back in backs]


def tell(correlator: Correlator, fact: Fact) -> None:
    """Hands one fact to the correlation."""
    if isinstance(fact, facts.Crash):
        correlator.add_crash(fact)
    elif isinstance(fact, facts.HostDeploy):
        correlator.add_host_deploy(fact)
    elif isinstance(fact, facts.Deploy):
        correlator.add_deploy(fact)
    else:
        correlator.add_evidence(fact.host, fact.at, fact.kind, fact.text)


def moment(seconds: float) -> datetime:
    """A time of the correlation as a time of the database."""
    return datetime.fromtimestamp(seconds, UTC)


def _history_bins() -> int:
    return max(HISTORY_BINS, correlation_settings().keep_bins)
