"""How soon it could be known at best: the same likelihood, told the deploy, the hosts and the rate ratio."""

import numpy as np

from incidents.correlation.events import Floats, sums
from incidents.correlation.facts import ALL_KINDS
from incidents.correlation.scan import likelihoods
from incidents.correlation.settings import Settings
from incidents.correlation.simulation.play import Played
from incidents.correlation.simulation.recording import START
from incidents.correlation.simulation.story import Fault, Story

TOLD_MINUTES = 60  # of the fault, from which the oracle is told the rate ratio
RATIOS = np.geomspace(1.05, 1000, 400)


def oracle_minutes(story: Story, fault: Fault, played: Played, settings: Settings) -> float | None:
    """Minutes from the onset until the likelihood crosses the threshold; None where it never does."""
    found = [_told(story, fault, played, group) for group in range(3)]
    steps = max(found, key=lambda steps: float(steps[: int(fault.onset) + TOLD_MINUTES].sum()))
    level, first = 0.0, int(fault.onset)
    for minute in range(first, story.minutes):
        level = max(0.0, level + float(steps[minute]))
        if level >= settings.page_score:
            return minute + 1 - fault.onset
    return None


def _told(story: Story, fault: Fault, played: Played, group: int) -> Floats:
    """The log likelihood ratio of each minute, at the ratio that fits the first hour best."""
    inside, share, total = _counts(story, fault, played, group)
    told = slice(int(fault.onset), int(fault.onset) + TOLD_MINUTES)
    best = RATIOS[int(np.argmax(likelihoods(inside[told], share[told], total[told], RATIOS)))]
    steps: Floats = inside * np.log(best) - total * np.log1p(share * (best - 1))
    return steps / float(played.dispersion[group])


def _counts(story: Story, fault: Fault, played: Played, group: int) -> tuple[Floats, Floats, Floats]:
    """Per minute: crashes on damaged hosts, the share expected there, all crashes."""
    events, stack = played.events, fault.rollout.stack
    if events is None:
        raise ValueError("the story has not been played to its end")
    minute = events.bin - int(START // 60)
    use = (minute >= 0) & (minute < story.minutes)
    if stack:
        use &= np.isin(events.stack, [played.stacks[stack], -1])
    if group != ALL_KINDS:
        use &= events.kind == group
    hurt = np.where(np.isfinite(fault.shows), fault.shows, 1e9).astype(np.int64)
    hit = use & (minute >= hurt[events.host])
    inside = sums(minute[hit], events.weight[hit], story.minutes)
    rates = played.expected[stack][group]
    begun = hurt < story.minutes
    share = sums(hurt[begun], rates[begun], story.minutes).cumsum() / rates.sum()
    return inside, share, sums(minute[use], events.weight[use], story.minutes)
