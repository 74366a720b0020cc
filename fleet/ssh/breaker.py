"""A circuit breaker for one host: after failures in a row it keeps callers away for a jittered, growing time."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet.ssh.limits import Limits

_jitter = secrets.SystemRandom().uniform


@dataclass(slots=True)
class Breaker:
    """Counts failures; reads no clock: `now` is the caller's monotonic time in seconds."""

    limits: Limits
    jitter: Callable[[float, float], float] = _jitter
    failures: int = 0
    opens_again_at: float = 0.0
    last_failure: str = field(default="")

    def seconds_to_wait(self, now: float) -> float:
        """How long this host is still left alone; 0 when it may be tried."""
        return max(0.0, self.opens_again_at - now)

    def failed(self, now: float, failure: str) -> None:
        """One more failure in a row."""
        self.failures += 1
        self.last_failure = failure
        beyond = self.failures - self.limits.failures_to_open
        if beyond >= 0:
            longest = min(self.limits.backoff_most_seconds, self.limits.backoff_seconds * 2.0 ** min(beyond, 16))
            self.opens_again_at = now + self.jitter(longest / 2, longest)

    def succeeded(self) -> None:
        """The host answered: all is forgiven."""
        self.failures, self.opens_again_at, self.last_failure = 0, 0.0, ""
