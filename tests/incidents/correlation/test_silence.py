"""A silent host is neither well nor ill."""

import numpy as np
import pytest

from incidents.correlation.silence import Silence
from incidents.correlation.verdict import Board
from incidents.correlation.view import FAR
from tests.incidents.correlation.demo_fleet import BIN, QUIET_BINS, DemoFleet

DEPLOYED = QUIET_BINS * BIN
UNTIL = DEPLOYED + 8 * BIN
UNTOUCHED = range(8, 14)


def nothing(hosts: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full(hosts, FAR), np.full(hosts, FAR)


def damaged(fleet: DemoFleet) -> DemoFleet:
    fleet.quiet_past()
    fleet.damage(fleet.redeploy())
    return fleet


def figures(board: Board) -> list[tuple[str, float, float]]:
    return [(one.deploy, round(one.score, 9), round(one.rate_ratio, 9)) for one in board.suspects]


def test_silence_leaves_out_the_bins_from_the_last_word_on() -> None:
    silence = Silence(60.0)
    silence.begins(1, 150.0)
    first, end = silence.left_out(nothing(3))
    assert first.tolist() == [FAR, 2, FAR]
    assert end[1] > 1_000_000


def test_what_is_explained_already_stays_left_out() -> None:
    silence = Silence(60.0)
    silence.begins(0, 600.0)
    first, end = silence.left_out((np.array([4, 7]), np.array([6, 9])))
    assert first.tolist() == [4, 7]
    assert (end[0] > 1_000_000, end[1]) == (True, 9)


def test_with_nobody_silent_the_same_arrays_come_back() -> None:
    silence, gone = Silence(60.0), nothing(2)
    silence.begins(0, 0.0)
    silence.ends(0)
    silence.ends(1)
    assert silence.left_out(gone) is gone
    assert len(silence) == 0


def test_silent_hosts_are_no_controls() -> None:
    """The hosts to compare with look well only as long as they are heard."""
    heard, silent = damaged(DemoFleet()), damaged(DemoFleet())
    for number in UNTOUCHED:
        silent.correlator.set_silence(silent.host(number), DEPLOYED - 20 * BIN)
    compared, alone = heard.run(UNTIL)[1].suspects[0], silent.run(UNTIL)[1].suspects
    assert compared.score > (alone[0].score if alone else 0.0) + 2.0


def test_a_blamed_deploy_says_how_many_hosts_are_left_out() -> None:
    fleet = damaged(DemoFleet(seed=3))
    fleet.correlator.set_silence(fleet.host(13), DEPLOYED)
    verdicts = fleet.run(DEPLOYED + 20 * BIN)[1].verdicts
    assert [one.subject for one in verdicts] == ["redeploy"]
    assert "nothing is heard of 1 host: left out on both sides" in verdicts[0].against


@pytest.mark.parametrize("hosts", [range(4), UNTOUCHED])
def test_who_is_heard_again_counts_as_if_it_had_never_been_silent(hosts: range) -> None:
    plain, for_a_while = damaged(DemoFleet(seed=5)), damaged(DemoFleet(seed=5))
    for number in hosts:
        for_a_while.correlator.set_silence(for_a_while.host(number), DEPLOYED)
    plain.run(DEPLOYED + BIN)
    for_a_while.run(DEPLOYED + BIN)
    for number in hosts:
        for_a_while.correlator.set_silence(for_a_while.host(number), None)
    one, other = plain.correlator.tick(DEPLOYED + 4 * BIN), for_a_while.correlator.tick(DEPLOYED + 4 * BIN)
    assert one.suspects
    assert figures(one) == figures(other)


def test_what_a_host_said_before_it_fell_silent_counts() -> None:
    fleet = damaged(DemoFleet(seed=2))
    for number in range(4):
        fleet.correlator.set_silence(fleet.host(number), DEPLOYED + 8 * BIN)
    board = fleet.run(DEPLOYED + 10 * BIN)[1]
    assert board.suspects[0].hosts_hit == 4
    assert board.suspects[0].score > 5.0
