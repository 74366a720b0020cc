"""What goes wrong, and when: each scenario adds deploys and crashes to a fleet, and knows the truth."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from incidents.correlation.simulation.fleet import STACKS, Crash, Host, host_blip, one_crash, stack_of

TARGETS = ("stack", "agent", "kernel", "config")


@dataclass(slots=True)
class Rollout:
    """A deploy with the minute at which it touched each host."""

    name: str
    minute: float
    target: str
    stack: str | None
    touched: dict[int, float]
    kind: str = "upgrade"


@dataclass(frozen=True, slots=True)
class Truth:
    """What should be named. `damaged`: minute of the damage per host."""

    verdict: str | None = None
    subject: str | None = None
    onset: float | None = None
    cohort: dict[str, str] = field(default_factory=dict)
    damaged: dict[int, float] = field(default_factory=dict)


@dataclass(slots=True)
class Story:
    """A fleet whose story is being written."""

    chance: np.random.Generator
    hosts: list[Host]
    minutes: int
    rollouts: list[Rollout] = field(default_factory=list)
    crashes: list[Crash] = field(default_factory=list)
    hazard: float = 0.02  # crashes per dyno and minute on a damaged host
    truth: Truth = field(default_factory=Truth)

    def roll_out(self, minute: float, *, target: str | None = None, pace: float | None = None) -> Rollout:
        """A deploy that reaches every host, in random, zone or name order."""
        target = target or str(self.chance.choice(TARGETS))
        stack = str(self.chance.choice(STACKS)) if target == "stack" else None
        order = self.chance.permutation(len(self.hosts))
        how = self.chance.random()
        if how < 0.25:
            order = np.array(sorted(order, key=lambda number: self.hosts[number].attributes["zone"]))
        elif how < 0.4:
            order = np.arange(len(self.hosts))
        pace = pace or float(self.chance.uniform(20, 120)) / len(self.hosts)
        times = minute + self.chance.exponential(pace, len(order)).cumsum()
        touched = {int(h): float(t) for h, t in zip(order, times, strict=True) if t < self.minutes}
        rollout = Rollout(f"d{len(self.rollouts)}", minute, target, stack, touched)
        self.rollouts.append(rollout)
        if self.chance.random() < 0.3:
            self._restart(rollout)
        return rollout

    def _restart(self, rollout: Rollout) -> None:
        """Some deploys restart dynos; a few of them die in the first two minutes."""
        for number, minute in rollout.touched.items():
            for app in self.hosts[number].dynos:
                if self.chance.random() < 0.02 and rollout.stack in {None, stack_of(app)}:
                    late = minute + float(self.chance.uniform(0, 2))
                    self.crashes.append(one_crash(self.chance, late, number, app, fatal=0.1))

    def damage(self, rollout: Rollout, hurt: dict[int, float], *, delay: tuple[float, float] = (0, 0)) -> float:
        """Dynos on these hosts begin to die, of fatal signals mostly; returns the first such minute."""
        first = np.inf
        for number, minute in hurt.items():
            start = minute + float(self.chance.uniform(*delay))
            for app, count in self.hosts[number].dynos.items():
                if rollout.stack in {None, stack_of(app)}:
                    first = min(first, self._die(number, app, start, self.hazard * count))
        return float(first)

    def _die(self, host: int, app: int, start: float, rate: float) -> float:
        times = start + self.chance.exponential(1 / rate, 80).cumsum()
        times = times[times < self.minutes]
        self.crashes += [one_crash(self.chance, float(t), host, app, fatal=0.75) for t in times]
        return float(times[0]) if len(times) else np.inf

    def blame(self, rollout: Rollout, hurt: dict[int, float], onset: float, cohort: dict[str, str]) -> None:
        """Writes down the truth."""
        self.truth = Truth("deploy", rollout.name, onset, cohort, hurt)


def quiet(story: Story) -> None:
    """Nothing but everyday life."""


def overwritten_image(story: Story) -> None:
    """A redeploy damages the hosts with old tools; their dynos die as pages are read again."""
    rollout = story.roll_out(250, target="stack")
    rollout.kind = "redeploy"
    story.roll_out(float(story.chance.uniform(235, 265)))
    _hurt(story, rollout, {"tools": "1.9"}, delay=(0, 15))


def bad_everywhere(story: Story) -> None:
    """A deploy breaks every host it touches."""
    _hurt(story, story.roll_out(250), {})


def bad_attribute(story: Story) -> None:
    """A deploy breaks the hosts with one attribute."""
    key = str(story.chance.choice(["zone", "kernel", "tools"]))
    value = story.hosts[0].attributes[key]
    _hurt(story, story.roll_out(250), {key: value})


def confounded(story: Story) -> None:
    """Four innocent deploys begin within a quarter of an hour of the guilty one."""
    guilty = story.roll_out(252)
    for _ in range(4):
        story.roll_out(252 + float(story.chance.uniform(-12, 12)))
    _hurt(story, guilty, {})


def delayed(story: Story) -> None:
    """The damage shows only after 45 to 90 minutes."""
    delay = float(story.chance.uniform(45, 90))
    _hurt(story, story.roll_out(250), {"tools": "1.9"}, delay=(delay - 5, delay + 5))


def canary(story: Story) -> None:
    """A deploy that stops after a few hosts, all of them broken."""
    rollout = story.roll_out(250, pace=3.0)
    few = sorted(rollout.touched.items(), key=lambda item: item[1])[: max(4, len(story.hosts) // 50)]
    rollout.touched = dict(few)
    _hurt(story, rollout, {})


def weak(story: Story) -> None:
    """A deploy breaks everything a little."""
    story.hazard /= 10
    _hurt(story, story.roll_out(250), {})


def app_loop(story: Story) -> None:
    """The new version of a popular app cannot start, wherever it runs."""
    app = int(story.chance.integers(0, 3))
    for number, host in enumerate(story.hosts):
        if app in host.dynos:
            story._die(number, app, 270, 0.5)  # noqa: SLF001
    story.truth = Truth("app", f"app-{app}", 270.0)


def dependency_outage(story: Story) -> None:
    """Something that many apps need is away for 25 minutes."""
    for number, host in enumerate(story.hosts):
        for app in host.dynos:
            times = 270 + story.chance.exponential(12.0, 6).cumsum()
            if app % 3:
                story.crashes += [one_crash(story.chance, float(t), number, app, fatal=0.1) for t in times if t < 295]
    story.truth = Truth("fleet", "fleet", 270.0)


def one_bad_host(story: Story) -> None:
    """One host goes bad by itself."""
    number = int(story.chance.integers(len(story.hosts)))
    rollout = Rollout("none", 270, "config", None, {})
    onset = story.damage(rollout, {number: 270.0})
    story.truth = Truth("host", story.hosts[number].name, onset)


def bad_zone(story: Story) -> None:
    """A part of the fleet goes bad by itself."""
    hurt = {n: 270.0 for n, host in enumerate(story.hosts) if host.attributes["zone"] == "b"}
    onset = story.damage(Rollout("none", 270, "config", None, {}), hurt)
    story.truth = Truth("group", "zone=b", onset)


def _hurt(story: Story, rollout: Rollout, cohort: dict[str, str], *, delay: tuple[float, float] = (0, 0)) -> None:
    hosts = story.hosts
    hurt = {n: t for n, t in rollout.touched.items() if cohort.items() <= hosts[n].attributes.items()}
    story.blame(rollout, hurt, story.damage(rollout, hurt, delay=delay), cohort)


SCENARIOS: dict[str, Callable[[Story], None]] = {
    "quiet": quiet,
    "overwritten_image": overwritten_image,
    "bad_everywhere": bad_everywhere,
    "bad_attribute": bad_attribute,
    "confounded": confounded,
    "delayed": delayed,
    "canary": canary,
    "weak": weak,
    "app_loop": app_loop,
    "dependency_outage": dependency_outage,
    "one_bad_host": one_bad_host,
    "bad_zone": bad_zone,
}


def add_everyday(story: Story) -> None:
    """Innocent deploys, about one every two hours, and now and then the blip of a host."""
    for minute in story.chance.uniform(0, story.minutes - 30, max(1, story.minutes // 120)):
        story.roll_out(float(minute))
    for number in story.chance.integers(0, len(story.hosts), story.minutes // 480):
        minute = float(story.chance.uniform(0, story.minutes))
        story.crashes += host_blip(story.chance, minute, int(number), story.hosts[number])


def shuffled_names(rollouts: list[Rollout], chance: np.random.Generator) -> dict[str, str]:
    """New names for the deploys, so that a name tells nothing."""
    names = chance.permutation(len(rollouts))
    return {rollout.name: f"d{number}" for rollout, number in zip(rollouts, names, strict=True)}


def rename(story: Story) -> None:
    """Gives the deploys of a story new names."""
    names = shuffled_names(story.rollouts, story.chance)
    for rollout in story.rollouts:
        rollout.name = names[rollout.name]
    if story.truth.verdict == "deploy" and story.truth.subject is not None:
        story.truth = replace(story.truth, subject=names[story.truth.subject])
