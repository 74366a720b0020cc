"""Lives of simulated dynos: the same whoever looks and however often, and ended by what ends them."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.lab.simulated.dynos import Dynos, SimulatedDyno
from fleet.lab.simulated.files import Files, Mount
from fleet.lab.simulated.settings import Faults, Nature

RESTLESS = Nature(crashes_per_dyno_hour=720.0, start_least_seconds=0.1, start_most_seconds=1.0)
CALM = Nature(crashes_per_dyno_hour=0.0, start_least_seconds=1.0, start_most_seconds=1.0)


class Life:
    """Some dynos from the same dice, and the crashes that were noted."""

    def __init__(self, nature: Nature, *, seed: int = 1, dynos: int = 2, **words: Any) -> None:
        dice = random.Random(seed)
        self.crashes: list[tuple[str, float, bool]] = []
        self.faults = Faults()
        self.dynos = Dynos(nature, self.faults, dice, self.note)
        mount = mounted(dice)
        for number in range(dynos):
            self.dynos.place(
                0.0, name=f"a.{number}", app="a", stack="s", image="i", memory_mb=64, program="ruby",
                operation=f"o{number}", mount=mount, **words,
            )  # fmt: skip

    def note(self, dyno: SimulatedDyno, at: float, damaged: bool) -> int:
        self.crashes.append((dyno.name, round(at, 6), damaged))
        return 139

    def look(self, *times: float) -> "Life":
        for at in times:
            self.dynos.advance(at)
        return self

    def told(self) -> list[tuple[Any, ...]]:
        return [
            (dyno.name, dyno.state, dyno.restarts, round(dyno.started_at, 6), dyno.last_exit)
            for dyno in self.dynos.here.values()
        ]


def mounted(dice: random.Random) -> Mount:
    files = Files(dice)
    return files.mounted(files.create("s", "sha256:" + "0" * 64, 0.0), 0.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.lists(st.floats(0.0, 120.0), max_size=40))
def test_how_often_somebody_looks_changes_nothing(seed: int, looks: list[float]) -> None:
    often = Life(RESTLESS, seed=seed).look(*sorted(looks), 120.0)
    once = Life(RESTLESS, seed=seed).look(120.0)
    assert often.told() == once.told()
    assert often.crashes == once.crashes


def test_a_started_dyno_is_healthy_when_its_start_is_over_and_not_before() -> None:
    dyno = Life(CALM, dynos=1).look(0.5).dynos.here["a.0"]
    assert not dyno.is_healthy(0.99)
    assert dyno.is_healthy(1.0)


def test_one_that_was_not_committed_ends_at_its_time_though_it_crashed_meanwhile() -> None:
    life = Life(RESTLESS, dynos=3, commit_by=60.0).look(59.9)
    assert len(life.dynos.here) == 3
    assert life.crashes
    kept = life.dynos.here["a.1"]
    kept.commit_by = None
    life.look(60.0)
    assert list(life.dynos.here.values()) == [kept]


def test_what_has_ended_neither_crashes_nor_comes_back() -> None:
    life = Life(RESTLESS, dynos=1)
    life.dynos.end(life.dynos.here["a.0"])
    life.look(3600.0)
    assert (life.crashes, life.dynos.here) == ([], {})


def test_pauses_between_crashes_grow_while_it_keeps_crashing_up_to_the_longest() -> None:
    life = Life(Nature(crashes_per_dyno_hour=36_000.0, steady_seconds=1e9), dynos=1)
    seen = set()
    for tenth in range(1, 3000):
        life.look(tenth / 10)
        seen.add(round(life.dynos.here["a.0"].pause_seconds, 3))
    pauses = sorted(seen)
    assert pauses[0] == pytest.approx(2.0)
    assert pauses[1] == pytest.approx(3.2)
    assert pauses[-1] == 12.0


def test_never_healthy_is_never() -> None:
    life = Life(CALM, dynos=0)
    life.faults.never_healthy = True
    dyno = life.dynos.place(
        0.0, name="b", app="a", stack="s", image="i", memory_mb=64, program="ruby", operation="o",
        mount=mounted(random.Random(2)),
    )  # fmt: skip
    assert not dyno.is_healthy(1e12)


def test_damage_makes_those_that_run_crash_once_their_pages_read_otherwise() -> None:
    life = Life(CALM, dynos=4).look(100.0)
    for dyno in life.dynos.here.values():
        dyno.mount.bad_share = 0.5
    assert life.look(200.0).crashes == []
    life.dynos.images_changed(200.0)
    life.look(400.0)
    assert {name for name, _, _ in life.crashes} == {"a.0", "a.1", "a.2", "a.3"}
    assert all(damaged and at > 200.0 for _, at, damaged in life.crashes)
