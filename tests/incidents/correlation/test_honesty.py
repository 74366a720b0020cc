"""Late facts, late stamps, rollbacks, fixes, deploys without controls: nobody innocent is blamed, and it is said."""

from collections import Counter

import pytest

from incidents.correlation.settings import Settings
from incidents.correlation.standing_words import sentence_of, word_of
from incidents.correlation.verdict import Board
from tests.incidents.correlation.stage import PAST, Stage, wave

START = PAST
GUILTY = wave(range(16), START)


def told(stage: Stage, name: str, at: int) -> tuple[str, str]:
    settings = Settings()
    standing = stage.standing(name, at)
    word = word_of(standing, None, blamed=False, settings=settings)
    return word, sentence_of(word, standing, None, settings)


def score_of(board: Board, name: str) -> float:
    return next((suspect.score for suspect in board.suspects if suspect.deploy == name), 0.0)


def test_host_deploys_told_late_correct_the_past() -> None:
    stage = Stage()
    stage.quiet(START + 40)
    stage.deploy("d1", START, dict(list(GUILTY.items())[:1]))
    stage.tell_late("d1", GUILTY, START + 20.5)
    stage.hurt({number: at + 1 for number, at in GUILTY.items()}, START + 40)
    before = stage.play(START + 20)
    assert "d1" not in stage.blamed
    assert score_of(before, "d1") < 11
    after = stage.play(START + 26, START + 21)
    assert score_of(after, "d1") > score_of(before, "d1") + 10
    assert stage.blamed[-1:] == ["d1"]
    page = stage.notices[-1].verdict if not stage.notices[-1].update else stage.notices[-2].verdict
    assert set(page.hosts) == {stage.name(number) for number in GUILTY}


def test_crashes_told_late_count_in_their_own_minutes() -> None:
    counted = []
    for late in (None, START + 25.0):
        stage = Stage(seed=4)
        stage.quiet(START + 30)
        stage.deploy("d1", START, GUILTY)
        stage.hurt({number: at + 1 for number, at in GUILTY.items()}, START + 20, rate=0.3, told=late)
        board = stage.play(START + 30)
        assert "d1" in stage.blamed
        assert score_of(board, "d1") > 11
        events = stage.correlator._store.all()
        counted.append(Counter(zip(events.bin.tolist(), events.host.tolist(), strict=True)))
    apart = (counted[0] - counted[1]) + (counted[1] - counted[0])
    assert apart.total() <= 4, "but for an app that was new on its host by an everyday crash in between"


@pytest.mark.parametrize("late", [3, 6, 10])
@pytest.mark.parametrize("seed", [1, 2])
def test_stamps_that_come_minutes_after_the_damage_still_name_the_deploy(late: int, seed: int) -> None:
    stage = Stage(seed=seed)
    stage.quiet(START + 60)
    stage.deploy("d1", START, {number: at + late for number, at in GUILTY.items()})
    stage.hurt(GUILTY, START + 60)
    stage.play(START + 45)
    assert [name for name in stage.blamed if name.startswith("d")] == ["d1"]


@pytest.mark.parametrize("known", [True, False], ids=["the guilty one is known", "it is not"])
@pytest.mark.parametrize("kind", ["rollback", "config"])
def test_what_comes_after_the_trouble_is_not_blamed(known: bool, kind: str) -> None:
    """A rollback, or a fix, on the hosts that are hurt already, in the same order."""
    stage = Stage(seed=3)
    stage.quiet(START + 70)
    if known:
        stage.deploy("d1", START, GUILTY)
    remedy = {number: at + 25 for number, at in GUILTY.items()}
    stage.deploy("remedy", START + 25, remedy, kind=kind)
    stage.hurt(GUILTY, START + 45)
    stage.play(START + 70)
    assert "remedy" not in stage.blamed
    assert not known or "d1" in stage.blamed


def test_a_fix_for_a_zone_is_not_blamed_for_the_zone() -> None:
    stage = Stage(seed=5)
    stage.quiet(START + 60)
    zone = {number: float(START) for number in range(0, 40, 4)}
    stage.hurt(zone, START + 40)
    stage.deploy("fix", START + 15, {number: START + 15.0 + number / 20 for number in zone})
    stage.play(START + 60)
    assert "fix" not in stage.blamed


def test_a_deploy_that_reached_all_hosts_at_once_has_nothing_to_compare_with() -> None:
    stage = Stage(seed=6)
    stage.quiet(START + 40)
    everywhere = {number: START + number / 100 for number in range(40)}
    stage.deploy("d1", START, everywhere)
    stage.play(START + 30)
    word, sentence = told(stage, "d1", START + 30)
    assert word == "alone"
    assert sentence.startswith(
        "It reached all its hosts at once: there is nothing to compare with but the time before."
    )
    assert "by time only" in sentence
    assert not stage.blamed


def test_trouble_after_it_is_told_as_the_fleets_and_by_time_only() -> None:
    stage = Stage(seed=6)
    stage.quiet(START + 40)
    everywhere = {number: START + number / 100 for number in range(40)}
    stage.deploy("d1", START, everywhere)
    stage.hurt(everywhere, START + 40, rate=0.4)
    stage.play(START + 35)
    assert stage.blamed[:1] == ["fleet"]
    page = next(notice.verdict for notice in stage.notices if notice.verdict.kind == "fleet")
    assert page.against == ("d1 had reached nearly every host shortly before: by time only",)


def test_a_harmless_deploy_is_cleared_as_soon_as_harm_would_have_been_seen() -> None:
    stage = Stage(seed=8, usual=4.0)
    stage.quiet(START + 260)
    stage.deploy("d1", START, wave(range(20), START, pace=1.0))
    stage.play(START + 5)
    word, sentence = told(stage, "d1", START + 5)
    assert word == "early"
    assert sentence.startswith("Too early to tell: ")
    stage.play(START + 160, START + 6)
    word, sentence = told(stage, "d1", START + 160)
    assert word == "harmless"
    standing = stage.standing("d1", START + 160)
    assert standing.interval[0] < 1.0 < standing.interval[1]
    assert standing.host_minutes == pytest.approx(sum(160 - n for n in range(20)), abs=21)
    assert (standing.hosts, standing.controls) == (20, 20)
    assert f"after {standing.host_minutes:,.0f} host minutes" in sentence
    assert sentence.endswith("would have been seen by now.")


def test_what_would_have_been_seen_grows_finer_with_time() -> None:
    stage = Stage(seed=9, usual=4.0)
    stage.quiet(START + 200)
    stage.deploy("d1", START, wave(range(20), START, pace=0.2))
    stage.play(START + 4)
    seen = []
    for at in (10, 30, 90, 180):
        stage.play(START + at, START + at - 3)
        seen.append(stage.standing("d1", START + at).seen_from or float("inf"))
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] <= 2.0 < seen[0]


def test_what_would_have_been_seen_is_seen() -> None:
    """A rise of the size that is claimed leads to a blame, in most fleets."""
    caught = 0
    for seed in range(6):
        quiet = Stage(seed=seed, usual=4.0)
        quiet.quiet(START + 60)
        quiet.deploy("d1", START, wave(range(20), START, pace=0.2))
        quiet.play(START + 60, START + 55)
        claimed = quiet.standing("d1", START + 60).seen_from
        assert claimed is not None
        hurt = Stage(seed=seed, usual=4.0)
        hurt.quiet(START + 60)
        hurt.deploy("d1", START, wave(range(20), START, pace=0.2))
        hurt.hurt(wave(range(20), START, pace=0.2), START + 60, rate=(claimed - 1) * 4.0 / 40)
        hurt.play(START + 60)
        caught += "d1" in hurt.blamed
    assert caught >= 4
