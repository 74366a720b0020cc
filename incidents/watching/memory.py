"""What a watcher remembers: the correlation as of a bin's end, and up to where each table was read."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.conf import settings

from incidents.correlation.correlator import Correlator
from incidents.correlation.settings import Settings
from incidents.correlation.verdict import Board
from incidents.watching.late import Late, scores
from incidents.watching.readings import (
    CrashReader,
    DeployReader,
    DynoReader,
    EvidenceReader,
    HostReader,
    Told,
    first_recorded,
    tell,
)
from incidents.watching.silence import SilenceReader

HISTORY_BINS = 1440


@dataclass(frozen=True, slots=True)
class Look:
    """What stood at the end of a bin, the scores of the bin before, and what came late in this one."""

    end_bin: int
    board: Board
    before: Mapping[str, float]
    late: Late | None


@dataclass
class Memory:
    """`judged_bin`: the bin whose end was judged last. Not for several threads at once."""

    since: datetime
    correlator: Correlator = field(default_factory=lambda: Correlator(correlation_settings()))
    waiting: list[Told] = field(default_factory=list)
    judged_bin: int | None = None
    saved_bin: int | None = None
    standings_bin: int | None = None
    recorded_from: datetime | None = None
    board: Board | None = None

    def __post_init__(self) -> None:
        self.crashes, self.deploys = CrashReader(self.since), DeployReader(self.since)
        self.evidence, self.hosts, self.dynos = EvidenceReader(self.since), HostReader(), DynoReader()
        self.silence = SilenceReader()
        self.recorded_from = first_recorded(self.since)

    def read(self, now: datetime) -> None:
        """Takes in what is new in the database; it counts from the bin in which it was known."""
        oldest = oldest_at(now)
        found = [
            *self.hosts.new(), *self.dynos.new(now), *self.deploys.new(now, oldest=oldest),
            *self.evidence.new(now, oldest=oldest), *self.crashes.new(now, oldest=oldest),
            *self.silence.new(now),
        ]  # fmt: skip
        self.waiting = sorted([*self.waiting, *found], key=lambda told: told.order)

    def judge(self, end_bin: int) -> Look:
        """Tells what was known before the end of this bin, and judges the fleet as of then."""
        end = end_bin * settings.TICK_SECONDS
        place = bisect_left(self.waiting, end, key=lambda told: told.known_at)
        told, self.waiting = self.waiting[:place], self.waiting[place:]
        late_seconds = correlation_settings().late_bins * settings.TICK_SECONDS
        came_late = [one for one in told if one.is_late(late_seconds)] if self.judged_bin is not None else []
        for one in told:
            tell(self.correlator, one.fact)
        before = scores(self.board)
        self.board, self.judged_bin = self.correlator.tick(end), end_bin
        return Look(end_bin, self.board, before, Late.of(came_late))

    def first_bin(self) -> int | None:
        """The bin in which the first fact with a time was known."""
        known = [told.known_at for told in self.waiting if told.known_at > 0]
        return int(known[0] // settings.TICK_SECONDS) if known else None

    def is_outdated(self, now: datetime) -> bool:
        """Whether a recording of an earlier past was loaded since."""
        first = first_recorded(oldest_at(now))
        return first is not None and (self.recorded_from is None or first < self.recorded_from)


def oldest_at(now: datetime) -> datetime:
    """What happened before this is not looked at."""
    bins = max(HISTORY_BINS, correlation_settings().keep_bins)
    return now - timedelta(seconds=bins * settings.TICK_SECONDS)


def correlation_settings() -> Settings:
    """The correlation's settings, in bins of the length of a tick."""
    return Settings(bin_seconds=settings.TICK_SECONDS)


def moment(end_bin: int) -> datetime:
    """The end of a bin."""
    return datetime.fromtimestamp(end_bin * settings.TICK_SECONDS, UTC)


def bin_of(at: datetime) -> int:
    """The last bin that had ended by then."""
    return int(at.timestamp() // settings.TICK_SECONDS)
