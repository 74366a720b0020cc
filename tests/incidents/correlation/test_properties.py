"""What must hold whatever the numbers are."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from incidents.correlation.verdict import Board, Notice
from tests.incidents.correlation.demo_fleet import BIN, QUIET_BINS, DemoFleet

SLOW = settings(max_examples=8, deadline=None)


def pages_of(notices: list[Notice]) -> list[tuple[float, tuple[str, str], float]]:
    return [(n.at, n.verdict.key, round(n.verdict.score, 6)) for n in notices if not n.update]


def story(fleet: DemoFleet) -> tuple[list[Notice], Board]:
    fleet.quiet_past()
    first = fleet.damage(fleet.redeploy())
    return fleet.run(first + 12 * BIN)


@SLOW
@given(seed=st.integers(0, 10_000), times=st.integers(2, 12))
def test_a_rise_of_the_whole_fleet_makes_no_deploy_guilty(seed: int, times: int) -> None:
    fleet = DemoFleet(seed=seed)
    fleet.quiet_past()
    fleet.redeploy()
    start = QUIET_BINS * BIN
    moments = sorted(float(t) for t in fleet.chance.uniform(start, start + 40 * BIN, 12 * times))
    for at in moments:
        fleet.crash(at, int(fleet.chance.integers(14)), int(fleet.chance.integers(10)), fatal=False)
    notices, _ = fleet.run(start + 40 * BIN)
    assert not [n for n in notices if n.verdict.kind in {"deploy", "group"}]


@SLOW
@given(seed=st.integers(0, 10_000), order=st.permutations(range(14)))
def test_the_names_of_the_hosts_change_nothing(seed: int, order: list[int]) -> None:
    rename = {f"h{a:02d}": f"host-{b}" for a, b in enumerate(order)}
    plain, renamed = DemoFleet(seed=seed), DemoFleet(seed=seed, rename=rename)
    first, second = story(plain)[0], story(renamed)[0]
    assert pages_of(first) == pages_of(second)
    for one, other in zip(first, second, strict=True):
        assert {rename[host] for host in one.verdict.hosts} == set(other.verdict.hosts)


@SLOW
@given(seed=st.integers(0, 10_000))
@example(seed=8093)  # at the middle of its last bin the crashes seem to have faded
def test_a_tick_in_two_halves_is_as_good_as_one(seed: int) -> None:
    """The numbers of a moment do not depend on how often was asked before it; only a page may be out sooner."""
    boards = []
    for step in (BIN, BIN / 2):
        fleet = DemoFleet(seed=seed)
        fleet.quiet_past()
        first = fleet.damage(fleet.redeploy())
        until = (first // BIN + 3) * BIN
        board = fleet.run(until, step=step)[1]
        boards.append([(s.deploy, s.cohort, s.hosts_hit, s.score, *s.interval, s.lag_seconds) for s in board.suspects])
    for one, other in zip(*boards, strict=True):
        assert one[:3] == other[:3]
        assert one[3:] == pytest.approx(other[3:])


@SLOW
@given(seed=st.integers(0, 10_000), repeats=st.integers(1, 30))
def test_a_crash_loop_weighs_as_much_as_one_crash(seed: int, repeats: int) -> None:
    """Volume of one app on one host is no evidence."""
    fleet = DemoFleet(seed=seed)
    fleet.quiet_past()
    start = fleet.redeploy()
    for number in range(3):
        for again in range(repeats):
            fleet.crash(start + again * BIN / 2 + number * 0.1, number, 0)
    notices, _ = fleet.run(start + 25 * BIN)
    assert not [n for n in notices if n.verdict.kind != "app"]


@SLOW
@given(seed=st.integers(0, 10_000))
def test_what_was_not_received_yet_is_not_known(seed: int) -> None:
    """A crash that is received later changes nothing before."""
    fleet = DemoFleet(seed=seed)
    fleet.quiet_past()
    start = fleet.redeploy()
    held = fleet.correlator.add_crash
    fleet.correlator.add_crash = lambda crash: held(  # type: ignore[method-assign]
        type(crash)(crash.at, crash.at + 1000 * BIN, crash.host, crash.app, signal=crash.signal)
    )
    first = fleet.damage(start)
    notices, board = fleet.run(first + 20 * BIN)
    assert not notices
    assert not board.suspects
