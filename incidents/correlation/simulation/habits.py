"""What people do with dashboards: a z-score, and the last deploy or the host is to blame."""

from dataclasses import dataclass

import numpy as np

from incidents.correlation.events import Floats, Mask, sums
from incidents.correlation.simulation.story import Story

PAST, RECENT = 180, 10
SIGMAS = 4.0
LEAST_CRASHES = 5.0
REPEAT_MINUTES = 360
LAST_DEPLOY_MINUTES = 120


@dataclass(frozen=True, slots=True)
class Said:
    """A page of a habit: at which minute, of what."""

    minute: float
    kind: str
    subject: str

    @property
    def named(self) -> tuple[str, str]:
        """What it names."""
        return self.kind, self.subject


def fleet_habit(story: Story) -> list[Said]:
    """The fleet's crashes of ten minutes are out of line: the last deploy did it."""
    crashes = story.crashes()
    counts = sums(crashes.minute.astype(np.int64), np.ones(len(crashes)), story.minutes)
    loud = np.flatnonzero(_out_of_line(counts[None, :])[0])
    return _once([_last_deploy(story, float(minute)) for minute in loud + 1])


def host_habit(story: Story) -> list[Said]:
    """A host's crashes of ten minutes are out of line: the host did it."""
    crashes, hosts = story.crashes(), len(story.fleet)
    cell = story.fleet.row_host[crashes.row] * story.minutes + crashes.minute.astype(np.int64)
    counts = sums(cell, np.ones(len(crashes)), hosts * story.minutes).reshape(hosts, story.minutes)
    host, minute = np.nonzero(_out_of_line(counts))
    said = [Said(float(m + 1), "host", story.fleet.names[h]) for h, m in zip(host, minute, strict=True)]
    return _once(sorted(said, key=lambda page: page.minute))


def _out_of_line(counts: Floats) -> Mask:
    """Sums of ten minutes above the mean of the three hours before by four standard deviations, by [series, minute]."""
    length = counts.shape[1]
    before = np.concatenate([np.zeros((len(counts), 1)), counts.cumsum(axis=1)], axis=1)
    tens = np.zeros_like(counts)
    tens[:, RECENT - 1 :] = before[:, RECENT:] - before[:, :-RECENT]
    loud = np.zeros(counts.shape, dtype=bool)
    for minute in range(PAST + RECENT, length):
        past = tens[:, minute - PAST : minute - RECENT + 1 : RECENT]
        limit = past.mean(axis=1) + SIGMAS * np.maximum(past.std(axis=1), 0.5)
        loud[:, minute] = (tens[:, minute] > limit) & (tens[:, minute] >= LEAST_CRASHES)
    return loud


def _last_deploy(story: Story, minute: float) -> Said:
    begun = [r for r in story.rollouts if minute - LAST_DEPLOY_MINUTES <= r.minute <= minute]
    if not begun:
        return Said(minute, "fleet", "fleet")
    return Said(minute, "deploy", max(begun, key=lambda rollout: rollout.minute).name)


def _once(said: list[Said]) -> list[Said]:
    """Nobody is paged for the same thing twice in six hours."""
    last: dict[tuple[str, str], float] = {}
    kept = []
    for page in said:
        key = page.kind, page.subject
        if page.minute - last.get(key, -1e9) >= REPEAT_MINUTES:
            last[key] = page.minute
            kept.append(page)
    return kept
