"""PURE. What would have been paged beside what was, matched by verdict and subject, with the difference in words."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fleet.wording import count

MOST_ROWS = 300
SAME_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Paged:
    """One naming of a cause, at `at` (epoch seconds); `incident` only where it was."""

    at: float
    verdict: str
    subject: str
    words: str
    hosts: int = 0
    score: float = 0.0
    incident: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What is the same page."""
        return self.verdict, self.subject


@dataclass(frozen=True, slots=True)
class Row:
    """One page on either side, or the same on both."""

    would: Paged | None
    was: Paged | None
    bin_seconds: float

    @property
    def at(self) -> float:
        """When the first of the two came."""
        return min(side.at for side in (self.would, self.was) if side)

    @property
    def difference(self) -> str:
        """In words; nothing where there is none to speak of."""
        if self.was is None:
            return "would have been paged, and was not"
        if self.would is None:
            return "was paged, and would not have been"
        later = self.would.at - self.was.at
        # Ticks of the past and of the present do not fall on the same seconds.
        if abs(later) <= self.bin_seconds + SAME_SECONDS:
            return ""
        return f"{span(abs(later))} {'later' if later > 0 else 'earlier'}"


def rows(would: Iterable[Paged], was: Iterable[Paged], *, bin_seconds: float) -> list[Row]:
    """The pages of both sides in order of time: the first of a cause beside its first, the second beside its second."""
    sides: dict[tuple[str, str], tuple[list[Paged], list[Paged]]] = defaultdict(lambda: ([], []))
    for place, pages in enumerate((would, was)):
        for page in sorted(pages, key=lambda page: page.at):
            sides[page.key][place].append(page)
    found = []
    for mine, theirs in sides.values():
        length = max(len(mine), len(theirs))
        padded = [[*side, *[None] * (length - len(side))] for side in (mine, theirs)]
        found += [Row(one, other, bin_seconds) for one, other in zip(*padded, strict=True)]
    return sorted(found, key=lambda row: row.at)


def summary(compared: Sequence[Row]) -> list[str]:
    """The differences in a few sentences. A notice (an app's) is no page."""
    pages = [row for row in compared if _kind(row) != "app"]
    more, fewer = [row for row in pages if row.was is None], [row for row in pages if row.would is None]
    moved = [row for row in pages if row.was and row.would and row.difference]
    notices = len([row for row in compared if _kind(row) == "app" and row.difference.startswith(("was", "would"))])
    told = [f"{count(len(fewer), 'page')} fewer"] if fewer else []
    told += [f"{count(len(more), 'page')} more"] if more else []
    told += [f"{_side(row).words} {row.difference}" for row in moved[:5]]
    told += [f"{count(len(moved) - 5, 'other')} at another time"] if len(moved) > 5 else []
    told += [f"{count(notices, 'notice')} to owners of apps more or fewer"] if notices else []
    return told or ["no difference"]


def as_json(compared: Sequence[Row]) -> dict[str, Any]:
    """The result as it is kept."""
    return {
        "summary": summary(compared),
        "would": sum(row.would is not None and _kind(row) != "app" for row in compared),
        "was": sum(row.was is not None and _kind(row) != "app" for row in compared),
        "rows": [
            {
                "would": asdict(row.would) if row.would else None,
                "was": asdict(row.was) if row.was else None,
                "difference": row.difference,
                "notice": _kind(row) == "app",
            }
            for row in compared[:MOST_ROWS]
        ],
        "left_out": max(0, len(compared) - MOST_ROWS),
    }


def span(seconds: float) -> str:
    """A length of time as people say it."""
    if seconds < 90:
        return count(round(seconds), "second")
    if seconds < 5400:
        return count(round(seconds / 60), "minute")
    return count(round(seconds / 3600), "hour")


def _side(row: Row) -> Paged:
    side = row.would or row.was
    assert side is not None  # noqa: S101 - a row has one
    return side


def _kind(row: Row) -> str:
    return _side(row).verdict
