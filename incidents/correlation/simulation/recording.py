"""A story as a recording in the format of the replay, and how well a replay of it did."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from incidents.correlation.replay import replay, stamp
from incidents.correlation.settings import Settings
from incidents.correlation.simulation.fleet import Crash, make_hosts, stack_of, usual_crashes
from incidents.correlation.simulation.scenarios import SCENARIOS, Rollout, Story, add_everyday, rename
from incidents.correlation.verdict import Notice

START = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
WARM_MINUTES = 240


def tell(scenario: str, *, seed: int, hosts: int = 200, dynos: int = 28, minutes: int = 480) -> Story:
    """The story of a scenario, the same for the same seed."""
    chance = np.random.default_rng([seed, list(SCENARIOS).index(scenario)])
    story = Story(chance, make_hosts(chance, hosts, dynos), minutes)
    story.crashes = usual_crashes(chance, story.hosts, minutes, rate=0.0016)
    SCENARIOS[scenario](story)
    add_everyday(story)
    rename(story)
    return story


def record(story: Story, *, late_share: float = 0.02) -> list[str]:
    """The lines of the recording, in order of arrival."""
    dated = [*_deploy_lines(story), *_crash_lines(story, late_share)]
    return [*_inventory(story), *(line for _, line in sorted(dated, key=lambda item: item[0]))]


def _inventory(story: Story) -> Iterator[str]:
    for host in story.hosts:
        yield json.dumps({"type": "host", "host": host.name, "attributes": host.attributes})
        for app, count in host.dynos.items():
            dyno = {"type": "dyno", "host": host.name, "app": f"app-{app}", "stack": stack_of(app), "count": count}
            yield json.dumps(dyno)


def _deploy_lines(story: Story) -> Iterator[tuple[float, str]]:
    for rollout in story.rollouts:
        yield rollout.minute, json.dumps(_deploy(rollout))
        for number, minute in rollout.touched.items():
            touched = {"type": "host_deploy", "deploy": rollout.name, "host": story.hosts[number].name}
            yield minute, json.dumps(touched | {"at": _at(minute), "outcome": "installed"})


def _deploy(rollout: Rollout) -> dict[str, Any]:
    deploy = {"type": "deploy", "deploy": rollout.name, "at": _at(rollout.minute), "target": rollout.target}
    return deploy | {"stack": rollout.stack, "kind": rollout.kind}


def _crash_lines(story: Story, late_share: float) -> Iterator[tuple[float, str]]:
    for crash in story.crashes:
        late = float(story.chance.exponential(5.0)) if story.chance.random() < late_share else 0.02
        yield crash.minute + late, json.dumps(_crash(story, crash, crash.minute + late))


def _crash(story: Story, crash: Crash, received: float) -> dict[str, Any]:
    signal, status = ("SIGSEGV", 139) if crash.fatal else (("SIGKILL", 137) if crash.killed else (None, 1))
    return {
        "type": "crash",
        "at": _at(crash.minute),
        "received_at": _at(received),
        "host": story.hosts[crash.host].name,
        "app": f"app-{crash.app}",
        "signal": signal,
        "exit_status": status,
    }


def _at(minute: float) -> str:
    return stamp(START + minute * 60)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a replay did against the truth."""

    right: bool
    wrong_deploy: bool
    pages: tuple[str, ...]
    minutes: float | None = None
    jaccard: float | None = None
    cohort: bool | None = None


def judge(story: Story, settings: Settings | None = None) -> Outcome:
    """Replays a story and compares with its truth."""
    lines = ((f"story:{number}", line) for number, line in enumerate(record(story), start=1))
    notices = list(replay(lines, settings))
    return compare(story, notices)


def compare(story: Story, notices: list[Notice]) -> Outcome:
    """The first page after onset must name the right cause; an app's loop must page nobody."""
    truth, onset = story.truth, story.truth.onset
    pages = [n for n in notices if not n.update and n.verdict.kind != "app" and _minute(n) >= WARM_MINUTES]
    told = tuple(f"{_minute(n):.0f} {n.verdict.kind} {n.verdict.subject}" for n in pages)
    wrong = any(n.verdict.kind == "deploy" and n.verdict.subject != truth.subject for n in pages)
    if onset is None or truth.verdict == "app":
        return Outcome(not pages, wrong, told)
    after = [n for n in pages if _minute(n) > onset]
    good = [n for n in after if n.verdict.key == (truth.verdict, truth.subject)]
    first = bool(after) and after[0] in good and len(after) == len(pages)
    if not good:
        return Outcome(first, wrong, told)
    minutes = _minute(good[0]) - onset
    if truth.verdict != "deploy":
        return Outcome(first, wrong, told, minutes)
    until = _minute(good[0]) + 15
    latest = [n for n in notices if n.verdict.key == good[0].verdict.key and _minute(n) <= until][-1]
    named = set(latest.verdict.hosts)
    hurt = {story.hosts[h].name for h, t in truth.damaged.items() if t <= until}
    cohort = dict(latest.verdict.cohort) == truth.cohort
    return Outcome(first, wrong, told, minutes, len(named & hurt) / max(1, len(named | hurt)), cohort)


def _minute(notice: Notice) -> float:
    return (notice.at - START) / 60
