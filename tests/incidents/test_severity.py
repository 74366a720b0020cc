"""Severity by what is hit."""

from dataclasses import replace

import pytest

from incidents.severity import Blast, is_worse, propose, severity_words


def blast(verdict: str = "deploy", hosts: int = 34, *, ratio: float = 9.1, dynos: int | None = None) -> Blast:
    """Of 200 hosts with 30 dynos each, of 300 apps."""
    return Blast(verdict, hosts, 200, 30 * hosts if dynos is None else dynos, 6000, min(300, 10 * hosts), 300, ratio)


@pytest.mark.parametrize(
    ("one", "severity"),
    [
        (blast(), "major"),
        (blast(hosts=20, ratio=1.3), "major"),
        (blast(hosts=4, ratio=3.0), "major"),
        (blast(hosts=4, ratio=1.3), "minor"),
        (blast(hosts=2, ratio=50.0), "minor"),
        (blast("group", 50), "major"),
        (blast("host", 1, ratio=40.0), "minor"),
        (blast("host", 1, dynos=1500), "major"),
        (blast("fleet", 0, ratio=2.0), "major"),
        (blast("app", 0, ratio=100.0), "notice"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.verdict}-{value.hosts}-{value.rate_ratio}",
)
def test_wide_or_felt_is_major(one: Blast, severity: str) -> None:
    assert propose(one) == severity


def test_its_reasons_are_said() -> None:
    told = severity_words("major", blast())
    assert told == "Major: 34 of 200 hosts (17 %), 17 % of the dynos, 300 of 300 apps; 9.1 times the crashes"
    assert severity_words("minor", blast(hosts=1, dynos=3)).startswith(
        "Minor: 1 of 200 hosts (under 1 %), under 1 % of"
    )
    assert severity_words("major", blast("fleet", 0)) == "Major: the whole fleet of 200 hosts; 9.1 times the crashes"
    assert severity_words("notice", blast("app")) == "Notice: one app's own matter, told to its owner"


def test_without_crashes_to_compare_with_only_the_least_is_said() -> None:
    told = severity_words("major", replace(blast("deploy", 34), interval=(12.7, 1e9)))
    assert told.endswith("; at least 12.7 times the crashes")


def test_an_empty_inventory_is_no_error() -> None:
    nothing = Blast("deploy", 3, 3, 0, 0, 0, 0, 5.0)
    assert propose(nothing) == "major"
    assert "0 % of the dynos" in severity_words("major", nothing)


@pytest.mark.parametrize(
    ("one", "other", "worse"), [("major", "minor", True), ("minor", "major", False), ("minor", "minor", False)]
)
def test_the_order_of_severities(one: str, other: str, worse: bool) -> None:
    assert is_worse(one, other) is worse
