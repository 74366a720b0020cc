"""One story, told to the product, to the habits and to the oracle."""

from dataclasses import dataclass

from incidents.correlation.settings import Settings
from incidents.correlation.simulation.habits import fleet_habit, host_habit
from incidents.correlation.simulation.oracle import oracle_minutes
from incidents.correlation.simulation.outcome import Outcome, compare, read_boards, score
from incidents.correlation.simulation.play import play
from incidents.correlation.simulation.recording import tell
from incidents.correlation.simulation.story import WARM_MINUTES


@dataclass(frozen=True, slots=True)
class Task:
    """Which story, at which size, under which conditions."""

    conditions: str
    scenario: str
    hosts: int
    seed: int
    noise: float = 1.0
    hazards: float = 1.0
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The outcomes of all methods, and the product's CPU milliseconds a minute after the warm-up."""

    task: Task
    product: Outcome
    beside: dict[str, Outcome]
    days: float
    milliseconds: tuple[float, ...]


def run(task: Task) -> Run:
    """Tells the story of a task to all."""
    story = tell(
        task.scenario, seed=task.seed, hosts=task.hosts, minutes=task.minutes, noise=task.noise, hazards=task.hazards
    )
    settings = Settings()
    played = play(story, settings)
    outcome = compare(story, played.notices)
    read_boards(story, played, outcome)
    if story.truth.faults:
        first = min(story.truth.faults, key=lambda fault: fault.onset)
        outcome.oracle_minutes = oracle_minutes(story, first, played, settings)
    beside = {"fleet z-score": score(story, fleet_habit(story)), "host z-score": score(story, host_habit(story))}
    spent = tuple(ms for minute, ms in played.milliseconds.items() if minute > WARM_MINUTES)
    return Run(task, outcome, beside, (story.minutes - WARM_MINUTES) / 1440, spent)
