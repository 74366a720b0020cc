"""Breadth, not volume: which crashes are news, and how much each one weighs."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile

APPS = 1 << 32  # a pair of host and app in one number
SWEEPS = 60  # an app that went silent is dropped within so many forgettings


class Novelty:
    """Remembers when each app was last new on each host; a crash loop is news once.

    Counts in whole moments (bins), so that the first crash of a moment can stand for all of them.
    """

    def __init__(self, window_seconds: float, *, moment_seconds: float, most_a_moment: float) -> None:
        self.window = max(1, round(window_seconds / moment_seconds))
        self.moment_seconds = moment_seconds
        self.most_a_moment = most_a_moment
        self._moments: dict[int, dict[int, float]] = {}  # what each host has weighed in a moment
        self._last: dict[int, int] = {}  # of each pair, in the order of the news
        self._late: dict[int, int] = {}  # of crashes that came late, before the last one
        self._hosts_of_app: dict[int, deque[int]] = {}

    def weigh(self, *, host: int, app: int, at: float) -> float:
        """1/k where this is the k-th host of the app within the window; 0 where it is no news."""
        moment = int(at // self.moment_seconds)
        return next((weight for _, weight in self.news([host], [app], [moment])), 0.0)

    def news(self, hosts: Sequence[int], apps: Sequence[int], moments: Sequence[int]) -> Iterator[tuple[int, float]]:
        """Of crashes in order: the place and the weight of each that is news."""
        for place in self._fresh([host * APPS + app for host, app in zip(hosts, apps, strict=True)], moments):
            moment = moments[place]
            yield place, self._tempered(moment, hosts[place], 1.0 / self._breadth(apps[place], moment))

    def _fresh(self, pairs: Sequence[int], moments: Sequence[int]) -> Iterator[int]:
        """The places of those that are far from the last news of their pair, before or after; they are remembered."""
        last_of, window = self._last, self.window
        for place, pair in enumerate(pairs):
            moment, last = moments[place], last_of.get(pair)
            if last is None:
                last_of[pair] = moment
            elif moment - last >= window:
                del last_of[pair]
                last_of[pair] = moment
            elif last - moment < window or not self._is_late_news(pair, moment):
                continue
            yield place

    def _is_late_news(self, pair: int, moment: int) -> bool:
        late = self._late.get(pair)
        if late is not None and abs(moment - late) < self.window:
            return False
        self._late[pair] = moment
        return True

    def _breadth(self, app: int, moment: int) -> int:
        """On how many hosts the app is new within the window, with this one."""
        recent = self._hosts_of_app.get(app)
        if recent is None:
            recent = self._hosts_of_app[app] = deque()
        oldest = moment - self.window
        while recent and recent[0] <= oldest:
            recent.popleft()
        recent.append(moment)
        return len(recent)

    def _tempered(self, moment: int, host: int, weight: float) -> float:
        """A moment in which everything on a host dies is one event, not thirty: past a limit news counts a tenth."""
        weighed = self._moments.get(moment)
        if weighed is None:
            weighed = self._moments[moment] = {}
        before = weighed.get(host, 0.0)
        weighed[host] = before + weight
        return weight if before < self.most_a_moment else weight / 10

    def forget_before(self, at: float) -> None:
        """Drops what can no longer matter, so that memory stays bounded; little at a time where it is asked often."""
        oldest = int(at // self.moment_seconds)
        for pair in list(takewhile(lambda pair: self._last[pair] <= oldest, self._last)):
            del self._last[pair]
        if self._late:
            self._late = {pair: late for pair, late in self._late.items() if late > oldest}
        for moment in [moment for moment in self._moments if moment <= oldest]:
            del self._moments[moment]
        for app in list(islice(self._hosts_of_app, 1 + len(self._hosts_of_app) // SWEEPS)):
            recent = self._hosts_of_app.pop(app)
            if recent[-1] > oldest:
                self._hosts_of_app[app] = recent
