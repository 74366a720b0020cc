"""Plays a story to a correlation, minute by minute, and keeps what it said."""

import time
from dataclasses import dataclass, field

import numpy as np

from incidents.correlation.correlator import Correlator
from incidents.correlation.events import Events, Floats
from incidents.correlation.facts import Crash, Deploy
from incidents.correlation.settings import Settings
from incidents.correlation.simulation.recording import START, Fact, facts, inventory
from incidents.correlation.simulation.story import WARM_MINUTES, Story
from incidents.correlation.verdict import Board, Notice

COARSE_MINUTES, COARSE_STEP = 180, 5  # the past is told in steps, as when a watch starts anew


@dataclass(slots=True)
class Played:
    """Notices, boards by minute, CPU milliseconds of each minute; and what an oracle needs."""

    notices: list[Notice] = field(default_factory=list)
    boards: dict[int, Board] = field(default_factory=dict)
    milliseconds: dict[int, float] = field(default_factory=dict)
    expected: dict[str | None, Floats] = field(default_factory=dict)
    dispersion: Floats = field(default_factory=lambda: np.ones(3))
    events: Events | None = None
    stacks: dict[str, int] = field(default_factory=dict)


def play(story: Story, settings: Settings | None = None) -> Played:
    """Tells the story as it becomes known; each minute is judged at its end."""
    correlator = Correlator(settings)
    inventory(story, correlator)
    known = facts(story)
    played, place = Played(), 0
    for minute in _ticks(story.minutes):
        until = START + minute * 60.0
        end = place
        while end < len(known) and known[end][0] < until:
            end += 1
        began = time.process_time()
        for _, fact in known[place:end]:
            tell_fact(correlator, fact)
        board = correlator.tick(until)
        played.milliseconds[minute] = (time.process_time() - began) * 1000
        place = end
        played.boards[minute] = board
        played.notices += [*board.pages, *board.updates]
        if minute == WARM_MINUTES:
            _remember(played, correlator, story, until)
    scene = correlator.scene(START + story.minutes * 60.0)
    played.events = scene.store.all()
    played.stacks = {name: number for number, name in enumerate(scene.fleet.stacks.names)}
    return played


def tell_fact(correlator: Correlator, fact: Fact) -> None:
    """Hands one fact to the correlation."""
    if isinstance(fact, Crash):
        correlator.add_crash(fact)
    elif isinstance(fact, Deploy):
        correlator.add_deploy(fact)
    else:
        correlator.add_host_deploy(fact)


def minute_of(notice: Notice) -> float:
    """Minutes since the start of the story."""
    return (notice.at - START) / 60


def _ticks(minutes: int) -> list[int]:
    coarse = list(range(COARSE_STEP, COARSE_MINUTES, COARSE_STEP))
    return coarse + list(range(COARSE_MINUTES, minutes + 1))


def _remember(played: Played, correlator: Correlator, story: Story, now: float) -> None:
    """What was expected before anything went wrong."""
    scene = correlator.scene(now)
    stacks = {rollout.stack for rollout in story.rollouts}
    played.expected = {stack: scene.view(stack=stack).expected for stack in stacks | {None}}
    played.dispersion = scene.baseline.dispersion.copy()
