"""How well pages did against the truth of a story."""

from dataclasses import dataclass, field

import numpy as np

from incidents.correlation.replay import replay
from incidents.correlation.settings import Settings
from incidents.correlation.simulation.habits import Said
from incidents.correlation.simulation.play import Played, minute_of
from incidents.correlation.simulation.recording import record
from incidents.correlation.simulation.story import WARM_MINUTES, Fault, Story
from incidents.correlation.verdict import Notice

LATER_MINUTES = 15


@dataclass(slots=True)
class Outcome:
    """`right`: the first page after onset names the truth, or nobody was paged where nobody should be."""

    right: bool
    recalled: bool
    wrong_deploy: bool
    first_is_deploy: bool
    false_pages: int
    pages: tuple[str, ...]
    minutes: float | None = None
    suspect_minutes: float | None = None
    oracle_minutes: float | None = None
    blast: float | None = None
    jaccard: float | None = None
    cohort: bool | None = None
    stated: list[tuple[float, bool]] = field(default_factory=list)


def judge(story: Story, settings: Settings | None = None) -> Outcome:
    """Replays the recording of a story, as `manage.py replay` does, and compares with its truth."""
    lines = ((f"story:{number}", line) for number, line in enumerate(record(story), start=1))
    return compare(story, list(replay(lines, settings)))


def pages_of(notices: list[Notice]) -> list[Said]:
    """The pages to the platform's on-call: not those to the owners of apps."""
    pages = [n for n in notices if not n.update and n.verdict.kind != "app"]
    return [Said(minute_of(page), page.verdict.kind, page.verdict.subject) for page in pages]


def compare(story: Story, notices: list[Notice]) -> Outcome:
    """The outcome of what was sent."""
    outcome = score(story, pages_of(notices))
    if outcome.minutes is not None and story.truth.verdict == "deploy":
        _measure_reach(story, notices, outcome)
    return outcome


def score(story: Story, said: list[Said]) -> Outcome:
    """The outcome of pages alone."""
    truth = story.truth
    pages = [page for page in said if page.minute >= WARM_MINUTES]
    onset = np.inf if truth.onset is None else truth.onset
    after = [page for page in pages if page.minute > onset]
    guilty = {fault.rollout.name for fault in truth.faults}
    wrong = any(page.kind == "deploy" and page.subject not in guilty for page in after)
    told = tuple(f"{page.minute:.0f} {page.kind} {page.subject}" for page in pages)
    blamed = bool(after) and after[0].kind == "deploy"
    outcome = Outcome(False, False, wrong, blamed, len(pages) - len(after), told)
    if truth.verdict in {None, "app"}:
        outcome.right = outcome.recalled = not after
        return outcome
    _score_fault(story, after, outcome)
    return outcome


def _score_fault(story: Story, after: list[Said], outcome: Outcome) -> None:
    truth, onset = story.truth, story.truth.onset or 0.0
    good = [page for page in after if is_right(story, page)]
    outcome.right = bool(after) and after[0] in good
    onsets = {("deploy", fault.rollout.name): fault.onset for fault in truth.faults}  # of two faults each has its own
    in_time = {page.named for page in good if page.minute - onsets.get(page.named, onset) <= truth.recall_minutes}
    wanted = {("deploy", fault.rollout.name) for fault in truth.faults} or {(str(truth.verdict), str(truth.subject))}
    outcome.recalled = wanted <= in_time or bool(truth.also & in_time)
    if good:
        outcome.minutes = good[0].minute - onset


def is_right(story: Story, page: Said) -> bool:
    """Whether a page names what is to blame."""
    truth, named = story.truth, page.named
    faults = {("deploy", fault.rollout.name) for fault in truth.faults}
    return named == (truth.verdict, truth.subject) or named in faults | truth.also


def _measure_reach(story: Story, notices: list[Notice], outcome: Outcome) -> None:
    """How far the deploy had come at the page, and which hosts were named a quarter of an hour later."""
    faults = {fault.rollout.name: fault for fault in story.truth.faults}
    first = next((n for n in notices if n.verdict.kind == "deploy" and n.verdict.subject in faults), None)
    if first is None:
        return
    fault, at = faults[first.verdict.subject], minute_of(first)
    reached = fault.rollout.touched[fault.rollout.reached]
    outcome.blast = float((reached <= at).mean())
    until = at + LATER_MINUTES
    latest = [n for n in notices if n.verdict.key == first.verdict.key and minute_of(n) <= until][-1]
    named, hurt = set(latest.verdict.hosts), _hurt(story, fault, until)
    outcome.jaccard = len(named & hurt) / max(1, len(named | hurt))
    outcome.cohort = dict(latest.verdict.cohort) == fault.cohort


def _hurt(story: Story, fault: Fault, until: float) -> set[str]:
    return {story.fleet.names[number] for number in np.flatnonzero(fault.hurt <= until)}


def read_boards(story: Story, played: Played, outcome: Outcome) -> None:
    """When the guilty deploy was on top of the board, and how sure the board was of each suspect."""
    onset, guilty = story.truth.onset, {fault.rollout.name for fault in story.truth.faults}
    for minute, board in played.boards.items():
        if minute < WARM_MINUTES:
            continue
        for suspect in board.suspects:
            to_blame = onset is not None and minute > onset and suspect.deploy in guilty
            outcome.stated.append((suspect.probability, to_blame))
        top = board.suspects[0].deploy if board.suspects else None
        if outcome.suspect_minutes is None and onset is not None and minute > onset and top in guilty:
            outcome.suspect_minutes = minute - onset
