"""Breadth, not volume: which crashes are news, and how much each one weighs."""

from collections import deque

Pair = tuple[int, int]


class Novelty:
    """Remembers when each app was last new on each host; a crash loop is news once.

    Counts in whole moments (bins), so that the first crash of a moment can stand for all of them.
    """

    def __init__(self, window_seconds: float, *, moment_seconds: float, most_a_moment: float) -> None:
        self.window = max(1, round(window_seconds / moment_seconds))
        self.moment_seconds = moment_seconds
        self.most_a_moment = most_a_moment
        self._moments: dict[Pair, float] = {}
        self._last: dict[Pair, int] = {}
        self._late: dict[Pair, int] = {}  # of crashes that came late, before the last one
        self._hosts_of_app: dict[int, deque[int]] = {}

    def weigh(self, *, host: int, app: int, at: float) -> float:
        """1/k where this is the k-th host of the app within the window; 0 where it is no news."""
        return self.weigh_moment(host, app, int(at // self.moment_seconds))

    def weigh_moment(self, host: int, app: int, moment: int) -> float:
        """The same of a crash of this moment."""
        if not self._is_news((host, app), moment):
            return 0.0
        recent = self._hosts_of_app.setdefault(app, deque())
        while recent and recent[0] <= moment - self.window:
            recent.popleft()
        recent.append(moment)
        return self._tempered((host, moment), 1.0 / len(recent))

    def _is_news(self, pair: Pair, moment: int) -> bool:
        """Whether it is far from the last news of this pair, before or after, and then remembers it."""
        last = self._last.get(pair)
        if last is None or moment - last >= self.window:
            self._last[pair] = moment
            return True
        late = self._late.get(pair)
        if last - moment < self.window or (late is not None and abs(moment - late) < self.window):
            return False
        self._late[pair] = moment
        return True

    def _tempered(self, place: Pair, weight: float) -> float:
        """A moment in which everything on a host dies is one event, not thirty: past a limit news counts a tenth."""
        before = self._moments.get(place, 0.0)
        self._moments[place] = before + weight
        return weight if before < self.most_a_moment else weight / 10

    def forget_before(self, at: float) -> None:
        """Drops what can no longer matter, so that memory stays bounded."""
        oldest = int(at // self.moment_seconds)
        self._last = {pair: last for pair, last in self._last.items() if last > oldest}
        self._late = {pair: late for pair, late in self._late.items() if late > oldest}
        self._moments = {place: weight for place, weight in self._moments.items() if place[1] > oldest}
        for app in [app for app, recent in self._hosts_of_app.items() if recent[-1] <= oldest]:
            del self._hosts_of_app[app]
