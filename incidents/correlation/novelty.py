"""Breadth, not volume: which crashes are news, and how much each one weighs."""

from collections import deque


class Novelty:
    """Remembers when each app was last new on each host; a crash loop is news once."""

    def __init__(self, window_seconds: float, *, moment_seconds: float, most_a_moment: float) -> None:
        self.window_seconds = window_seconds
        self.moment_seconds = moment_seconds
        self.most_a_moment = most_a_moment
        self._moments: dict[tuple[int, int], float] = {}
        self._last_at: dict[tuple[int, int], float] = {}
        self._hosts_of_app: dict[int, deque[float]] = {}

    def weigh(self, *, host: int, app: int, at: float) -> float:
        """1/k where this is the k-th host of the app within the window; 0 where it is no news."""
        last_at = self._last_at.get((host, app))
        if last_at is not None and at - last_at < self.window_seconds:
            return 0.0
        self._last_at[host, app] = at
        recent = self._hosts_of_app.setdefault(app, deque())
        while recent and recent[0] <= at - self.window_seconds:
            recent.popleft()
        recent.append(at)
        return self._tempered(host, at, 1.0 / len(recent))

    def _tempered(self, host: int, at: float, weight: float) -> float:
        """A moment in which everything on a host dies is one event, not thirty: past a limit news counts a tenth."""
        moment = host, int(at // self.moment_seconds)
        before = self._moments.get(moment, 0.0)
        self._moments[moment] = before + weight
        return weight if before < self.most_a_moment else weight / 10

    def forget_before(self, at: float) -> None:
        """Drops what can no longer matter, so that memory stays bounded."""
        self._last_at = {key: last for key, last in self._last_at.items() if last > at}
        oldest = int(at // self.moment_seconds)
        self._moments = {moment: weight for moment, weight in self._moments.items() if moment[1] > oldest}
        for app in [app for app, recent in self._hosts_of_app.items() if recent[-1] <= at]:
            del self._hosts_of_app[app]
