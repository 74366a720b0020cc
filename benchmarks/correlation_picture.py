"""Draws what the correlation sees of one simulated run: crashes by host and minute, and the scores of the suspects.

.venv/bin/python -m benchmarks.correlation_picture docs/images/correlation.svg
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from incidents.correlation.settings import Settings
from incidents.correlation.simulation.play import Played, minute_of, play
from incidents.correlation.simulation.recording import tell
from incidents.correlation.simulation.story import Story

SCENARIO, SEED, HOSTS = "overwritten_image", 12, 100
BEFORE, AFTER = 25, 55  # minutes around the beginning of the deploy
LEFT, WIDTH, TOP, CRASH_HEIGHT, GAP, SCORE_HEIGHT = 60, 800, 30, 380, 50, 150
MOST_SCORE = 40.0
GREY, RED, BLUE, GREEN = "#9aa0a6", "#c5221f", "#1a73e8", "#188038"
STYLE = 'font-family="sans-serif" font-size="12"'


class Picture:
    """Coordinates of one story."""

    def __init__(self, story: Story, played: Played) -> None:
        self.story, self.played = story, played
        self.fault = story.truth.faults[0]
        self.first = self.fault.rollout.minute - BEFORE
        touched = self.fault.rollout.touched
        cohort = story.fleet.having(self.fault.cohort)
        self.place = np.empty(len(story.fleet), dtype=np.int64)
        self.place[np.lexsort((touched, ~cohort))] = np.arange(len(story.fleet))
        self.border = int(cohort.sum())

    def x(self, minute: float) -> float:
        """Of a minute since the start of the story."""
        return LEFT + (minute - self.first) / (BEFORE + AFTER) * WIDTH

    def y(self, place: float) -> float:
        """Of a host's place from the top."""
        return TOP + (place + 0.5) / len(self.story.fleet) * CRASH_HEIGHT

    def shown(self, minute: float) -> bool:
        """Whether a minute is inside."""
        return self.first <= minute <= self.first + BEFORE + AFTER

    def lines(self) -> Iterator[str]:
        """The drawing."""
        height = TOP + CRASH_HEIGHT + GAP + SCORE_HEIGHT + 40
        yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" {STYLE}>'
        yield f'<rect width="{LEFT + WIDTH + 20}" height="{height}" fill="white"/>'
        yield from self._crashes()
        yield from self._stamps()
        yield from self._scores()
        yield from self._page()
        yield "</svg>"

    def _crashes(self) -> Iterator[str]:
        crashes, fleet, touched = self.story.crashes(), self.story.fleet, self.fault.rollout.touched
        for minute, row in zip(crashes.minute, crashes.row, strict=True):
            host = int(fleet.row_host[row])
            if self.shown(minute):
                colour = RED if minute >= touched[host] else GREY
                yield f'<circle cx="{self.x(minute):.0f}" cy="{self.y(self.place[host]):.0f}" r="1.6" fill="{colour}"/>'

    def _stamps(self) -> Iterator[str]:
        for host, minute in enumerate(self.fault.rollout.touched):
            if self.shown(minute):
                x, y = self.x(minute), self.y(self.place[host])
                yield f'<path d="M{x:.0f} {y - 2:.0f}v4" stroke="{BLUE}" stroke-width="2"/>'
        border, words = self.y(self.border - 0.5), " ".join(f"{k}={v}" for k, v in self.fault.cohort.items())
        yield f'<path d="M{LEFT} {border:.0f}h{WIDTH}" stroke="black" stroke-dasharray="2 3"/>'
        told = f"hosts with {words}, in order of the deploy; below the line the others"
        yield f'<text x="{LEFT}" y="{TOP - 10}">{told}</text>'

    def _scores(self) -> Iterator[str]:
        bottom = TOP + CRASH_HEIGHT + GAP + SCORE_HEIGHT
        names = {suspect.deploy for board in self.played.boards.values() for suspect in board.suspects}
        for name in sorted(names):
            guilty = name == self.fault.rollout.name
            points = " ".join(self._points(name, bottom))
            colour = RED if guilty else GREY
            yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{2 if guilty else 1}"/>'
        level = bottom - Settings().page_score / MOST_SCORE * SCORE_HEIGHT
        yield f'<path d="M{LEFT} {bottom}h{WIDTH}M{LEFT} {level:.0f}h{WIDTH}" stroke="black" stroke-width="0.5"/>'
        yield f'<text x="5" y="{level + 4:.0f}">score {Settings().page_score:.0f}</text>'
        yield f'<text x="{LEFT}" y="{TOP + CRASH_HEIGHT + GAP - 10}">score of each deploy; the guilty one in red</text>'
        for after in range(-BEFORE + BEFORE % 10, AFTER + 1, 10):
            x = self.x(self.fault.rollout.minute + after)
            yield f'<text x="{x:.0f}" y="{bottom + 18}" text-anchor="middle">{after}</text>'
        yield f'<text x="{LEFT}" y="{bottom + 34}">minutes after the deploy began</text>'

    def _points(self, name: str, bottom: float) -> Iterator[str]:
        for minute, board in self.played.boards.items():
            score = next((s.score for s in board.suspects if s.deploy == name), 0.0)
            if self.shown(minute):
                height = min(max(score, 0.0), MOST_SCORE) / MOST_SCORE * SCORE_HEIGHT
                yield f"{self.x(minute):.0f},{bottom - height:.0f}"

    def _page(self) -> Iterator[str]:
        page = next(n for n in self.played.notices if n.verdict.subject == self.fault.rollout.name)
        x, height = self.x(minute_of(page)), CRASH_HEIGHT + GAP + SCORE_HEIGHT
        yield f'<path d="M{x:.0f} {TOP}v{height}" stroke="{GREEN}" stroke-width="1.5"/>'
        yield f'<text x="{x + 4:.0f}" y="{TOP + CRASH_HEIGHT + 16}" fill="{GREEN}">the page</text>'


def main() -> None:
    """Writes the picture to the file named."""
    story = tell(SCENARIO, seed=SEED, hosts=HOSTS)
    Path(sys.argv[1]).write_text("\n".join(Picture(story, play(story)).lines()) + "\n")


if __name__ == "__main__":
    main()
