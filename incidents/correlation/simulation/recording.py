"""A told story as facts for the correlation, or as a recording in the format of the replay."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np

from incidents.correlation.correlator import Correlator
from incidents.correlation.events import Floats
from incidents.correlation.facts import HARD, OOM, Crash, Deploy, HostDeploy
from incidents.correlation.replay import stamp
from incidents.correlation.simulation.everyday import Crashes, everyday
from incidents.correlation.simulation.fleet import DYNOS_A_HOST, STACKS, make_fleet, stack_numbers
from incidents.correlation.simulation.rollouts import Rollout
from incidents.correlation.simulation.scenarios import SCENARIOS
from incidents.correlation.simulation.story import Story

START = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
LATE_SHARE = 0.02
SIGNS: dict[int, tuple[str | None, int]] = {HARD: ("SIGSEGV", 139), OOM: ("SIGKILL", 137)}
LEAST_HAZARD, MOST_HAZARD = 0.008, 0.05
Fact = Deploy | HostDeploy | Crash


def tell(
    scenario: str, *, seed: int, hosts: int = 200, dynos: int = DYNOS_A_HOST, minutes: int | None = None,
    noise: float = 1.0, hazards: float = 1.0,
) -> Story:  # fmt: skip
    """The story of a scenario by its seed; `noise` multiplies everyday's crashes, `hazards` the fault's."""
    told = SCENARIOS[scenario]
    chance = np.random.default_rng([seed, list(SCENARIOS).index(scenario)])
    hazard = float(np.exp(chance.uniform(np.log(LEAST_HAZARD), np.log(MOST_HAZARD))))
    story = Story(chance, make_fleet(chance, hosts, dynos), minutes or told.minutes, hazard, hazards=hazards)
    story.parts += everyday(chance, story.fleet, story.minutes, noise=noise)
    story.innocents(restarting=told.restarting)
    told.tell(story)
    _name(story)
    return story


def _name(story: Story) -> None:
    """Names the deploys in an order that tells nothing."""
    for number, rollout in zip(story.chance.permutation(len(story.rollouts)), story.rollouts, strict=True):
        rollout.name = f"d{number}"
    if story.truth.verdict == "deploy":
        first = min(story.truth.faults, key=lambda fault: fault.onset)
        story.truth.subject = first.rollout.name


def inventory(story: Story, correlator: Correlator) -> None:
    """Tells the correlation which hosts and dynos there are."""
    fleet = story.fleet
    for number, name in enumerate(fleet.names):
        correlator.set_host(name, {key: values[number] for key, values in fleet.attributes.items()})
    stacks = stack_numbers(fleet.row_app)
    for host, app, stack, count in zip(*_rows(story), stacks.tolist(), fleet.row_dynos.tolist(), strict=True):
        correlator.set_dynos(fleet.names[host], f"app-{app}", STACKS[stack], count)


def _rows(story: Story) -> tuple[list[int], list[int]]:
    return story.fleet.row_host.tolist(), story.fleet.row_app.tolist()


def facts(story: Story) -> list[tuple[float, Fact]]:
    """Everything that is told, with the time from which it is known, in order of that."""
    found: list[tuple[float, Fact]] = []
    for rollout in story.rollouts:
        found += _deploy_facts(story, rollout)
    found += _crash_facts(story)
    return sorted(found, key=lambda item: item[0])


def _deploy_facts(story: Story, rollout: Rollout) -> Iterator[tuple[float, Fact]]:
    at = _seconds(rollout.minute)
    yield at, Deploy(rollout.name, at, rollout.target, rollout.kind, rollout.stack)
    stamps = rollout.stamps
    for number in np.flatnonzero(stamps < story.minutes):
        at = _seconds(float(stamps[number]))
        started = _seconds(float(rollout.touched[number])) if rollout.starts else None
        yield at, HostDeploy(rollout.name, story.fleet.names[number], at, "installed", started)


def _crash_facts(story: Story) -> Iterator[tuple[float, Fact]]:
    crashes, fleet = story.crashes(), story.fleet
    late = received(story, crashes)
    host, app = fleet.row_host[crashes.row].tolist(), fleet.row_app[crashes.row].tolist()
    columns = zip(crashes.minute.tolist(), late.tolist(), host, app, crashes.kind.tolist(), strict=True)
    for minute, known, host_number, app_number, kind in columns:
        signal, status = SIGNS.get(kind, (None, 1))
        at, received_at = _seconds(minute), _seconds(known)
        name, of = fleet.names[host_number], f"app-{app_number}"
        yield received_at, Crash(at, received_at, name, of, signal=signal, exit_status=status)


def received(story: Story, crashes: Crashes) -> Floats:
    """When each crash is known of: at once mostly, sometimes minutes later."""
    size = len(crashes)
    late = np.where(story.chance.random(size) < LATE_SHARE, story.chance.exponential(5.0, size), 0.02)
    return crashes.minute + late


def record(story: Story) -> list[str]:
    """The lines of the recording, in order of arrival."""
    return [*_inventory_lines(story), *(json.dumps(_line(fact)) for _, fact in facts(story))]


def _inventory_lines(story: Story) -> Iterator[str]:
    fleet = story.fleet
    for number, name in enumerate(fleet.names):
        attributes = {key: values[number] for key, values in fleet.attributes.items()}
        yield json.dumps({"type": "host", "host": name, "attributes": attributes})
    stacks = stack_numbers(fleet.row_app)
    for host, app, stack, count in zip(*_rows(story), stacks.tolist(), fleet.row_dynos.tolist(), strict=True):
        line = {"type": "dyno", "host": fleet.names[host], "app": f"app-{app}", "stack": STACKS[stack], "count": count}
        yield json.dumps(line)


def _line(fact: Fact) -> dict[str, Any]:
    """One fact by the contract."""
    match fact:
        case Deploy():
            line = {"type": "deploy", "deploy": fact.deploy, "at": stamp(fact.at), "target": fact.target}
            return line | {"stack": fact.stack, "kind": fact.kind}
        case HostDeploy():
            line = {"type": "host_deploy", "deploy": fact.deploy, "host": fact.host, "at": stamp(fact.at)}
            started = {} if fact.started_at is None else {"started_at": stamp(fact.started_at)}
            return line | {"outcome": fact.outcome} | started
        case Crash():
            line = {"type": "crash", "at": stamp(fact.at), "received_at": stamp(fact.received_at), "host": fact.host}
            return line | {"app": fact.app, "signal": fact.signal, "exit_status": fact.exit_status}


def _seconds(minute: float) -> float:
    """Epoch seconds, to the millisecond as recordings have it."""
    return round(START + minute * 60, 3)
