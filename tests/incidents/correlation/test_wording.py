"""What verdicts say of themselves: each number in place, one of a thing told as one, and nothing that is no number."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from incidents.correlation.rivals import AppLoop, FleetRise, HostSpike
from incidents.correlation.settings import Settings
from incidents.correlation.silence import Silence
from incidents.correlation.verdict import Verdict
from incidents.correlation.vetoes import Ruling, breadth
from incidents.correlation.wording import app_verdict, fleet_verdict, host_verdict, names, words_against
from tests.incidents.correlation.stage import PAST, Stage, wave


def scene(hosts: int = 4) -> Any:
    """As much of a scene as these sentences read."""
    fleet = SimpleNamespace(
        hosts=SimpleNamespace(names=[f"h{n}" for n in range(hosts)]), apps=SimpleNamespace(names=["app-0", "app-1"])
    )
    return SimpleNamespace(fleet=fleet, hosts=hosts, now=7200.0, silence=Silence(60.0))


def candidate(*, hit: int, inside: int, untouched: int = 1, price: float = 0.0) -> Any:
    """As much of a candidate as its words need."""
    total = inside + untouched
    return SimpleNamespace(
        fit=SimpleNamespace(score=10.0 - price, llr=10.0), hit=np.arange(total) < hit, inside=np.arange(total) < inside,
        exposed=np.where(np.arange(total) < inside, 0, np.iinfo(np.int64).max), member=np.ones(total, dtype=bool),
    )  # fmt: skip


QUIET: Any = SimpleNamespace(findings=(), evidence=())


def sane(verdict: Verdict) -> bool:
    """Every number that is shown is one, and the interval holds the ratio."""
    low, high = verdict.interval
    texts = " ".join([*verdict.for_, *verdict.against])
    finite = all(math.isfinite(value) for value in (verdict.score, verdict.rate_ratio, low, high))
    return finite and (not high or low <= verdict.rate_ratio <= high) and not {"nan", "inf"} & set(texts.split())


def test_a_host_says_what_was_seen_and_what_was_due() -> None:
    verdict = host_verdict(scene(), HostSpike(2, 1e-9, 6, 14.0, 2.0, 5))
    assert (verdict.kind, verdict.subject, verdict.hosts, verdict.hosts_hit, verdict.controls) == (
        "host",
        "h2",
        ("h2",),
        1,
        3,
    )
    assert verdict.for_ == ("14.0 weighted crashes of 5 apps in 6 bins where 2.0 were due",)
    assert verdict.rate_ratio == pytest.approx(7.0)
    assert sane(verdict)


def test_one_app_in_one_bin() -> None:
    assert "of 1 app in 1 bin where" in host_verdict(scene(), HostSpike(0, 1e-9, 1, 3.0, 0.5, 1)).for_[0]


@pytest.mark.parametrize("chance", [0.0, 1e-320, 1e-12, 1.0])
@pytest.mark.parametrize(("observed", "expected"), [(4.0, 0.0), (1.0, 1e-12), (5000.0, 0.01), (0.5, 40.0)])
def test_a_host_with_a_past_of_nothing_or_a_chance_of_nothing_stays_in_numbers(
    chance: float, observed: float, expected: float
) -> None:
    assert sane(host_verdict(scene(), HostSpike(1, chance, 6, observed, expected, 3)))


def test_the_fleet_names_the_deploys_that_fit_by_time_only() -> None:
    rise = FleetRise(score=20.0, ratio=4.0, observed=80.0, expected=20.0)
    verdict = fleet_verdict(scene(), rise, ["d1", "d2"])
    assert (verdict.kind, verdict.subject, verdict.hosts, verdict.cohort) == ("fleet", "fleet", (), {})
    assert verdict.for_ == ("80.0 weighted crashes across the fleet where 20.0 were due",)
    assert [words.split()[0] for words in verdict.against] == ["d1", "d2"]
    assert fleet_verdict(scene(), rise, []).against == ("no deploy explains this",)
    assert sane(verdict)


def test_the_more_was_seen_the_narrower_the_interval() -> None:
    few, many = (fleet_verdict(scene(), FleetRise(20.0, 4.0, seen, seen / 4), []) for seen in (8.0, 800.0))
    assert few.interval[1] - few.interval[0] > many.interval[1] - many.interval[0]
    assert sane(fleet_verdict(scene(), FleetRise(20.0, 4.0, 0.0, 0.0), []))


@pytest.mark.parametrize(("hosts", "words"), [(1, "on 1 host"), (30, "on 30 hosts")])
def test_an_app_says_how_much_of_the_news_it_makes(hosts: int, words: str) -> None:
    verdict = app_verdict(scene(), AppLoop(app=1, hosts=hosts, share=0.625, ratio=9.0))
    assert verdict.for_ == (f"62% of what is new in the fleet is this app, {words}",)
    assert (verdict.subject, verdict.hosts, verdict.hosts_hit, verdict.interval) == ("app-1", (), hosts, (0.0, 0.0))
    assert sane(verdict)


@pytest.mark.parametrize(
    ("hit", "inside", "words"),
    [(3, 3, ()), (2, 3, ("1 host of the same exposure shows nothing unusual so far",)),
     (3, 9, ("6 hosts of the same exposure show nothing unusual so far",))],
)  # fmt: skip
def test_hosts_that_are_spared_speak_against(hit: int, inside: int, words: tuple[str, ...]) -> None:
    assert words_against(candidate(hit=hit, inside=inside), QUIET) == words


def test_a_choice_among_many_has_its_price_told() -> None:
    [told] = words_against(candidate(hit=3, inside=3, price=2.55), QUIET)
    assert told == "it was picked from many slices, delays and ages (-2.5)"
    assert words_against(candidate(hit=3, inside=3, price=0.04), QUIET) == ()


def test_names_are_sorted_as_words() -> None:
    assert names(scene(11), np.array([True] * 11)) == tuple(sorted(f"h{n}" for n in range(11)))
    assert names(scene(3), np.array([False, True, False])) == ("h1",)
    assert names(scene(3), np.array([False] * 3)) == ()


@pytest.mark.parametrize(("hit", "words"), [(0, "only 0 hosts hit so far"), (1, "only 1 host hit so far")])
def test_too_few_hosts_are_waited_for(hit: int, words: str) -> None:
    finding = breadth(candidate(hit=hit, inside=5), Settings())
    assert (finding.ruling, finding.words) == (Ruling.WAIT, words)


def test_a_real_board_says_numbers_and_one_as_one() -> None:
    stage = Stage()
    stage.quiet(PAST + 12)
    touched = wave(range(10), PAST)
    stage.deploy("d7", PAST, touched)
    stage.hurt(touched, PAST + 12)
    board = stage.play(PAST + 12)
    assert stage.blamed == ["d7"]
    said = [words for suspect in board.suspects for words in (*suspect.for_, *suspect.against)]
    said += [words for notice in stage.notices for words in (*notice.verdict.for_, *notice.verdict.against)]
    assert all(sane(notice.verdict) for notice in stage.notices)
    assert said
    assert not [words for words in said if " 1 hosts" in f" {words}" or " 1 bins" in words or "nan" in words.split()]
