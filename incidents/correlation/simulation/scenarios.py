"""What goes wrong, and when: each scenario adds deploys and crashes to a fleet, and knows the truth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from incidents.correlation.events import Mask
from incidents.correlation.simulation.everyday import app_loop, blip
from incidents.correlation.simulation.rollouts import NEVER
from incidents.correlation.simulation.story import WARM_MINUTES, Story


def _begin(story: Story) -> float:
    return WARM_MINUTES + float(story.chance.uniform(5, 25))


def _some_cohort(story: Story, reach: float = 0.08) -> dict[str, str]:
    """An attribute value that a fair part of the hosts have, but not most."""
    shares = {
        (key, value): values.count(value) / len(values)
        for key, values in story.fleet.attributes.items()
        for value in sorted(set(values))
    }
    fair = [pair for pair, share in shares.items() if reach <= share <= 0.6 and share * len(story.fleet) >= 4]
    key, value = fair[int(story.chance.integers(len(fair)))]
    return {key: value}


def quiet(story: Story) -> None:
    """Nothing but everyday life."""


def restarts(story: Story) -> None:
    """Nothing is wrong, but every deploy restarts dynos, and some of them die."""
    for rollout in story.rollouts:
        story.restart(rollout, share=float(story.chance.uniform(0.01, 0.04)))


def surge(story: Story) -> None:
    """Nothing is wrong, but four times a day everybody's load rises for a few minutes, and crashes with it."""
    for start in story.chance.uniform(WARM_MINUTES, story.minutes, story.chance.poisson(story.minutes / 360)):
        _everywhere(story, float(start), float(story.chance.uniform(1, 3)), rate=0.01)


def overwritten_image(story: Story) -> None:
    """A redeploy damages the hosts with old tools, whose dynos die as pages are read again; two others roll."""
    rollout = story.roll_out(_begin(story), target="stack")
    rollout.kind = "redeploy"
    for _ in range(2):
        story.roll_out(rollout.minute + float(story.chance.uniform(-15, 15)))
    story.blame(rollout, {"tools": "1.9"}, ripen=10.0)


def bad_everywhere(story: Story) -> None:
    """A deploy breaks every host it touches."""
    story.blame(story.roll_out(_begin(story)))


def bad_attribute(story: Story) -> None:
    """A deploy breaks the hosts with one attribute."""
    story.blame(story.roll_out(_begin(story)), _some_cohort(story))


def confounded(story: Story) -> None:
    """Four innocent deploys begin within a quarter of an hour of the guilty one."""
    guilty = story.roll_out(WARM_MINUTES + 20)
    for _ in range(4):
        story.roll_out(guilty.minute + float(story.chance.uniform(-15, 15)))
    story.blame(guilty)


def delayed(story: Story) -> None:
    """The damage shows only after 45 to 90 minutes."""
    story.truth.recall_minutes = 120
    story.blame(story.roll_out(_begin(story)), {"tools": "1.9"}, delay=float(story.chance.uniform(45, 90)))


def weak(story: Story) -> None:
    """A deploy breaks everything a little: two to four times the usual breadth."""
    story.truth.recall_minutes = 120
    story.hazard *= float(story.chance.uniform(0.0015, 0.0045)) / story.hazard
    story.blame(story.roll_out(_begin(story)))


def canary(story: Story) -> None:
    """A deploy to two of a hundred hosts, all of them broken."""
    few = story.chance.choice(len(story.fleet), max(4, len(story.fleet) // 50), replace=False)
    part = np.isin(np.arange(len(story.fleet)), few)
    story.hazard = max(story.hazard, 0.015)
    story.blame(story.roll_out(_begin(story), part=part, lasts=10))


def app_loops(story: Story) -> None:
    """The new version of a popular app cannot start, wherever it runs."""
    start, app = _begin(story) + 10, int(story.chance.integers(3))
    story.roll_out(start - float(story.chance.uniform(0, 30)))
    story.parts.append(app_loop(story.chance, story.fleet, app, start, story.minutes))
    story.truth.verdict, story.truth.subject, story.truth.onset = "app", f"app-{app}", start


def dependency_outage(story: Story) -> None:
    """Something that many apps need is away for 25 minutes, while deploys roll."""
    start = _begin(story) + 10
    for _ in range(2):
        story.roll_out(start - float(story.chance.uniform(0, 40)))
    _everywhere(story, start, 25, rate=0.05)
    story.truth.verdict, story.truth.subject, story.truth.onset = "fleet", "fleet", start


def one_bad_host(story: Story) -> None:
    """One host goes bad by itself, while a deploy rolls over it."""
    start, number = _begin(story) + 10, int(story.chance.integers(len(story.fleet)))
    story.roll_out(start - float(story.chance.uniform(0, 40)))
    onset = story.damage(_from(np.arange(len(story.fleet)) == number, start))
    story.truth.verdict, story.truth.subject, story.truth.onset = "host", story.fleet.names[number], onset


def bad_zone(story: Story) -> None:
    """A part of the fleet goes bad by itself, while a deploy rolls."""
    start = _begin(story) + 10
    story.roll_out(start - float(story.chance.uniform(0, 40)))
    onset = story.damage(_from(story.fleet.having({"zone": "b"}), start))
    story.truth.verdict, story.truth.subject, story.truth.onset = "group", "zone=b", onset


def two_faults(story: Story) -> None:
    """Two deploys of the same half hour break different hosts."""
    first, second = _begin(story), float(story.chance.uniform(5, 30))
    story.blame(story.roll_out(first), {"tools": "1.9"})
    story.blame(story.roll_out(first + second), {"zone": "c"})


def late_stamps(story: Story) -> None:
    """The tool stamps a host minutes after it touched it; half of the tools also say when they began."""
    rollout = story.roll_out(_begin(story))
    rollout.late = story.chance.exponential(3.0, len(story.fleet))
    rollout.starts = bool(story.chance.random() < 0.5)
    story.blame(rollout)


def rollback(story: Story) -> None:
    """A rollback follows the guilty deploy and ends the damage host by host."""
    guilty = story.roll_out(_begin(story), lasts=30)
    start = guilty.minute + float(story.chance.uniform(15, 30))
    back = story.roll_out(start, target=guilty.target, lasts=25)
    back.kind, back.stack = "rollback", guilty.stack
    back.touched = np.maximum(back.touched, guilty.touched + 1)
    story.blame(guilty, until=back.touched)


def all_at_once(story: Story) -> None:
    """A deploy reaches every host within a minute: only the time tells."""
    story.blame(story.roll_out(_begin(story), lasts=1.0))
    story.truth.also = frozenset({("fleet", "fleet")})


def _from(hosts: Mask, minute: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.where(hosts, minute, NEVER)


def _everywhere(story: Story, start: float, lasts: float, *, rate: float) -> None:
    """Two thirds of all apps crash at this rate for a while."""
    hazard, story.hazard = story.hazard, rate
    story.damage(np.full(len(story.fleet), start), until=start + lasts)
    story.hazard = hazard
    last = story.parts[-1]
    story.parts[-1] = last.where(story.fleet.row_app[last.row] % 3 > 0)


def host_blips(story: Story) -> None:
    """Nothing is wrong, but every hour some hosts have a bad moment, ten of them together."""
    for start in story.chance.uniform(WARM_MINUTES, story.minutes, story.chance.poisson(story.minutes / 120)):
        hosts = story.chance.choice(len(story.fleet), min(10, len(story.fleet)), replace=False)
        story.parts += [blip(story.chance, story.fleet, int(host), float(start)) for host in hosts]


@dataclass(frozen=True, slots=True)
class Scenario:
    """How a story is told, for how many minutes, and which share of everyday's deploys restart dynos."""

    tell: Callable[[Story], None]
    minutes: int = 400
    restarting: float = 0.2


DAY = WARM_MINUTES + 1440
SCENARIOS: Mapping[str, Scenario] = {
    "quiet": Scenario(quiet, DAY, 0.0),
    "overwritten_image": Scenario(overwritten_image),
    "bad_everywhere": Scenario(bad_everywhere),
    "bad_attribute": Scenario(bad_attribute),
    "confounded": Scenario(confounded),
    "app_loop": Scenario(app_loops),
    "dependency_outage": Scenario(dependency_outage),
    "one_bad_host": Scenario(one_bad_host),
    "delayed": Scenario(delayed, 520),
    "weak": Scenario(weak, 420),
    "canary": Scenario(canary),
    "bad_zone": Scenario(bad_zone),
    "two_faults": Scenario(two_faults),
    "late_stamps": Scenario(late_stamps),
    "rollback": Scenario(rollback),
    "all_at_once": Scenario(all_at_once),
    "restarts": Scenario(restarts, DAY, 0.0),
    "surge": Scenario(surge, DAY, 0.0),
    "host_blips": Scenario(host_blips, DAY, 0.0),
}
