"""What comes out: verdicts that stand, ranked suspects, and what is to be sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Suspect:
    """One deploy with its best explanation, and why it is or is not blamed."""

    deploy: str
    score: float
    cohort: Mapping[str, str]
    rate_ratio: float
    interval: tuple[float, float]
    lag_seconds: float | None
    hosts_hit: int
    blamed: bool
    for_: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    probability: float = 0.0  # that this deploy is to blame, among all that could be


@dataclass(frozen=True, slots=True)
class Verdict:
    """One named cause. `kind`: deploy, host, app, group or fleet; `subject`: its name (`zone=b` for a group)."""

    kind: str
    subject: str
    since: float
    cohort: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    score: float = 0.0
    rate_ratio: float = 1.0
    interval: tuple[float, float] = (0.0, 0.0)
    lag_seconds: float | None = None
    hosts_hit: int = 0
    controls: int = 0
    for_: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    probability: float = 0.0  # of the cause at the moment of its page

    @property
    def key(self) -> tuple[str, str]:
        """What a page is sent once for."""
        return self.kind, self.subject


@dataclass(frozen=True, slots=True)
class Notice:
    """A page, or the update of one, as it goes out."""

    at: float
    verdict: Verdict
    suspects: tuple[Suspect, ...]
    update: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """The state of the fleet as of `at`."""

    at: float
    verdicts: tuple[Verdict, ...]
    suspects: tuple[Suspect, ...]
    pages: tuple[Notice, ...]
    updates: tuple[Notice, ...]
