"""What hosts and the deploy tool said themselves joins the statistics, each item with its number."""

import re

import pytest

from incidents.correlation.verdict import Suspect
from tests.incidents.correlation.demo_fleet import BIN, QUIET_BINS, DemoFleet

START = QUIET_BINS * BIN


def suspect_of(fleet: DemoFleet, *, bins: int = 14) -> Suspect:
    _, board = fleet.run(START + bins * BIN)
    return next(suspect for suspect in board.suspects if suspect.deploy == "redeploy")


def damaged_fleet(outcome: str = "installed") -> DemoFleet:
    fleet = DemoFleet()
    fleet.quiet_past()
    fleet.damage(fleet.redeploy(outcome=outcome))
    return fleet


def numbers(suspect: Suspect) -> float:
    """The sum of the points that the items say they add or take away."""
    told = [re.search(r"\(([+-][0-9.]+)\)$", words) for words in (*suspect.for_, *suspect.against)]
    spared = [words for words in suspect.for_ if "counted above" in words]
    alone = sum(float(found[1]) for found in told if found)
    return alone - sum(float(re.findall(r"([+-][0-9.]+)", words)[-1]) for words in spared)


@pytest.mark.parametrize(("hosts", "adds"), [(1, 1.5), (2, 3.0), (4, 4.5)])
def test_kernel_errors_add_for_each_host_up_to_a_limit(hosts: int, adds: float) -> None:
    plain = suspect_of(damaged_fleet())
    fleet = damaged_fleet()
    for number in range(hosts):
        fleet.correlator.add_evidence(fleet.host(number), START + 8 * BIN, "loop_io_error", "I/O error, dev loop3")
    told = suspect_of(fleet)
    words = next(words for words in told.for_ if words.startswith("kernel errors"))
    assert words.endswith(f"I/O error, dev loop3 (+{adds})")
    assert told.score == pytest.approx(plain.score + adds)


def test_errors_that_are_as_common_elsewhere_add_nothing() -> None:
    fleet = damaged_fleet()
    for number in (0, 1, 9, 10):
        fleet.correlator.add_evidence(fleet.host(number), START + 8 * BIN, "loop_io_error", "I/O error, dev loop3")
    assert suspect_of(fleet).score == pytest.approx(suspect_of(damaged_fleet()).score)


def test_a_damaged_image_adds_and_an_intact_one_under_crashing_dynos_takes_away() -> None:
    plain = suspect_of(damaged_fleet()).score
    fleet = damaged_fleet()
    fleet.correlator.add_evidence(fleet.host(0), START + 8 * BIN, "verified_damaged", "changed under 10 dynos")
    assert suspect_of(fleet).score == pytest.approx(plain + 1.5)
    fleet = damaged_fleet()
    for number in range(2):
        fleet.correlator.add_evidence(fleet.host(number), START + 8 * BIN, "verified_intact", "nothing against it")
    told = suspect_of(fleet)
    assert told.score == pytest.approx(plain - 2.0)
    assert "2 hosts verified and found intact, though they crash (-2.0)" in told.against


def test_hosts_count_once_though_tool_and_kernel_speak() -> None:
    fleet = damaged_fleet("overwrote")
    plain = suspect_of(damaged_fleet("overwrote"))
    assert any("overwriting an image in use" in words and words.endswith("(+4.5)") for words in plain.for_)
    fleet.correlator.add_evidence(fleet.host(0), START + 8 * BIN, "fs_error", "SQUASHFS error")
    told = suspect_of(fleet)
    assert told.score == pytest.approx(plain.score)
    assert any(words.startswith("kernel errors") and words.endswith("(+0.0)") for words in told.for_)


def test_skipped_hosts_that_stay_well_say_what_they_contribute() -> None:
    told = suspect_of(damaged_fleet("overwrote"))
    words = next(words for words in told.for_ if "that it skipped" in words)
    assert re.fullmatch(
        r"4 hosts that it skipped had [0-9.]+ weighted crashes where [0-9.]+ were due, counted above \(\+[0-9.]+\)",
        words,
    )


@pytest.mark.parametrize("outcome", ["installed", "overwrote"])
def test_the_items_add_up_to_the_score(outcome: str) -> None:
    told = suspect_of(damaged_fleet(outcome))
    assert numbers(told) == pytest.approx(told.score, abs=0.2)
