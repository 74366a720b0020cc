"""PURE. What came late, and what that changed: the past is corrected, and it is said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fleet.wording import count
from incidents.correlation import facts
from incidents.correlation.verdict import Board
from incidents.wording import figure

NOTICEABLE_SCORE = 1.0


@dataclass(frozen=True, slots=True)
class Late:
    """Crashes and host deploys that came late in one bin; times are epoch seconds."""

    crashes: int
    host_deploys: int
    first_at: float
    last_at: float
    known_at: float
    hosts: frozenset[str]
    deploys: frozenset[str]

    @classmethod
    def of(cls, told: Sequence[Any]) -> "Late | None":
        """From facts with their times (`known_at`, `at`, `fact`); None where there are none."""
        if not told:
            return None
        host_deploys = [one.fact for one in told if isinstance(one.fact, facts.HostDeploy)]
        ats = [one.at for one in told]
        return cls(
            crashes=len(told) - len(host_deploys),
            host_deploys=len(host_deploys),
            first_at=min(ats),
            last_at=max(ats),
            known_at=max(one.known_at for one in told),
            hosts=frozenset(one.fact.host for one in told),
            deploys=frozenset(fact.deploy for fact in host_deploys),
        )

    @property
    def words(self) -> str:
        """Such as "12 crashes and 3 host deploys from 02:10 to 02:14 UTC arrived at 02:31"."""
        what = [count(self.crashes, "crash", "crashes")] if self.crashes else []
        what += [count(self.host_deploys, "host deploy")] if self.host_deploys else []
        first, last, known = (clock(at) for at in (self.first_at, self.last_at, self.known_at))
        span = f"from {first} to {last}" if first != last else f"of {first}"
        return f"{' and '.join(what)} {span} UTC arrived at {known}"


def clock(at: float) -> str:
    """Hours and minutes in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M")


def scores(board: Board | None) -> dict[str, float]:
    """The score of every deploy on a board, blamed or suspected."""
    if board is None:
        return {}
    return {s.deploy: s.score for s in board.suspects} | {v.subject: v.score for v in board.verdicts}


def changes(before: Mapping[str, float], after: Mapping[str, float], concerned: frozenset[str]) -> dict[str, str]:
    """For each subject that what came late bears on: how its score changed, where anybody would notice."""
    told = {}
    for subject in sorted(concerned & (before.keys() | after.keys())):
        old, new = before.get(subject, 0.0), after.get(subject, 0.0)
        if abs(new - old) >= NOTICEABLE_SCORE:
            told[subject] = f"its score went from {figure(old)} to {figure(new)}"
    return told
