"""The same code at the pace and the size of the demo."""

import pytest

from incidents.correlation.facts import Deploy, HostDeploy
from tests.incidents.correlation.demo_fleet import BIN, QUIET_BINS, DemoFleet


@pytest.mark.parametrize("seed", range(1, 9))
@pytest.mark.parametrize("hosts", [12, 16])
def test_the_first_page_names_the_redeploy_and_its_cohort_within_ten_bins(seed: int, hosts: int) -> None:
    fleet = DemoFleet(seed=seed, hosts=hosts)
    fleet.quiet_past()
    first = fleet.damage(fleet.redeploy())
    notices, _ = fleet.run(first + 12 * BIN)
    page = notices[0]
    assert (page.verdict.kind, page.verdict.subject) == ("deploy", "redeploy")
    assert dict(page.verdict.cohort) == {"tools": "1.9"}
    assert set(page.verdict.hosts) == {f"h{n:02d}" for n in range(4)}
    assert page.at - first <= 10 * BIN
    low, high = page.verdict.interval
    assert low < page.verdict.rate_ratio < high


@pytest.mark.parametrize("seed", [1, 2])
def test_other_deploys_of_the_same_minutes_do_not_take_the_blame(seed: int) -> None:
    fleet = DemoFleet(seed=seed)
    fleet.quiet_past()
    start = fleet.redeploy()
    fleet.correlator.add_deploy(Deploy("agent", start - 100 * BIN, "agent"))
    for number in range(14):
        fleet.correlator.add_host_deploy(HostDeploy("agent", fleet.host(number), start - (100 - 5 * number) * BIN))
    first = fleet.damage(start)
    notices, board = fleet.run(first + 20 * BIN)
    assert {n.verdict.key for n in notices} == {("deploy", "redeploy")}
    assert board.suspects[0].deploy == "redeploy"
    assert board.suspects[0].blamed


def test_overwritten_images_are_evidence_that_is_said() -> None:
    fleet = DemoFleet(seed=3)
    fleet.quiet_past()
    first = fleet.damage(fleet.redeploy(outcome="overwrote"))
    notices, _ = fleet.run(first + 12 * BIN)
    assert notices[0].verdict.subject == "redeploy"
    assert any("overwriting an image in use" in words for words in notices[0].verdict.for_)
    assert notices[0].verdict.controls == 10  # those that it skipped are controls


def test_kernel_errors_are_evidence_that_is_said() -> None:
    fleet = DemoFleet(seed=4)
    fleet.quiet_past()
    first = fleet.damage(fleet.redeploy())
    for number in range(3):
        fleet.correlator.add_evidence(fleet.host(number), first, "loop_io_error", "I/O error, dev loop3")
    notices, _ = fleet.run(first + 12 * BIN)
    assert any("I/O error, dev loop3" in words for words in notices[0].verdict.for_)


def test_nothing_is_said_of_a_quiet_fleet() -> None:
    for seed in range(5):
        fleet = DemoFleet(seed=seed)
        fleet.quiet_past()
        fleet.redeploy()
        notices, board = fleet.run((QUIET_BINS + 60) * BIN)
        assert not notices
        assert not board.verdicts


def test_ticks_in_the_middle_of_a_bin_lead_to_the_same_cause() -> None:
    fleet = DemoFleet(seed=5)
    fleet.quiet_past()
    first = fleet.damage(fleet.redeploy())
    notices, _ = fleet.run(first + 12 * BIN, step=1.0)
    assert notices[0].verdict.subject == "redeploy"
    assert notices[0].at - first <= 10 * BIN


def test_a_verdict_ends_when_its_hosts_fall_silent() -> None:
    fleet = DemoFleet(seed=6)
    fleet.quiet_past()
    first = fleet.damage(fleet.redeploy(), bins=25)
    _, board = fleet.run(first + 30 * BIN)
    assert [v.subject for v in board.verdicts] == ["redeploy"]
    notices, board = fleet.run(first + 200 * BIN)
    assert not board.verdicts
    assert not [n for n in notices if not n.update]
