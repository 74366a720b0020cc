"""Times, states and links as every page shows them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import time_machine

from fleet.lifecycle import DynoState, HostState, MigrationState, MoveState, OperationState
from fleet.templatetags.faultline import (
    TONE,
    ago,
    clock,
    duration,
    exact,
    get,
    moment,
    percent,
    reference_link,
    state,
    words,
)

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "just now"), (4.9, "just now"), (-4.9, "just now"), (5, "5 s ago"), (59.9, "59 s ago"), (60, "1 min ago"),
        (3599, "59 min ago"), (3600, "1 h ago"), (86399, "23 h ago"), (86400, "1 d ago"), (9e6, "104 d ago"),
        (-60, "in 1 min"), (-7200, "in 2 h"),
    ],
)  # fmt: skip
def test_how_long_ago_in_the_largest_unit(seconds: float, shown: str) -> None:
    assert ago(NOON - timedelta(seconds=seconds), NOON) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, ""), (0, "0.0 s"), (0.04, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (59.4, "59 s"), (60, "1 min 00 s"),
        (754, "12 min 34 s"), (3600, "1 h 00 min"), (3660, "1 h 01 min"), (90_000, "25 h 00 min"),
    ],
)  # fmt: skip
def test_a_length_of_time_in_its_two_largest_units(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize("seconds", [59.5, 59.99, 119.6, 3599.7, 7199.9])
def test_a_length_of_time_never_shows_sixty_of_a_unit(seconds: float) -> None:
    assert "60" not in duration(seconds)
    assert "10.0" not in duration(9.97)


def test_times_are_shown_in_utc_wherever_they_come_from() -> None:
    at = NOON.astimezone(INDIA)
    assert exact(at) == "2026-03-04 12:00:00 UTC"
    assert ">12:00:00</time>" in clock(at)
    with time_machine.travel(NOON + timedelta(minutes=2), tick=False):
        shown = moment(at)
    assert 'datetime="2026-03-04T12:00:00+00:00"' in shown
    assert 'title="2026-03-04 12:00:00 UTC"' in shown
    assert ">2 min ago</time>" in shown


def test_no_time_is_no_time() -> None:
    assert (moment(None), moment(None, "not yet"), clock(None)) == ("never", "not yet", "")


def test_a_state_is_a_badge_and_an_odd_word_is_no_markup() -> None:
    assert state(HostState.IN_SERVICE) == '<span class="state" data-tone="calm">in service</span>'
    assert state("failed") == '<span class="state" data-tone="bad">failed</span>'
    assert state("failed", "gave up") == '<span class="state" data-tone="bad">gave up</span>'
    assert "<b>" not in state('"><b>')


def test_every_colour_belongs_to_one_word_that_is_a_state_somewhere() -> None:
    known = {word for states in (HostState, DynoState, MigrationState, MoveState, OperationState) for word in states}
    assert {"tainted", "lost", "stranded", "unknown", "draining"} <= set(TONE) & {str(word) for word in known}


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        ("incident:12", '<a href="/incidents/12">incident 12</a>'), ("drill:7", "drill:7"), ("", ""),
        ("incident:", "incident:"), ("incident:x", "incident:x"), ("incident:-1", "incident:-1"),
        ("incident", "incident"), ("<b>:1", "<b>:1"),
    ],
)  # fmt: skip
def test_what_a_row_belongs_to_is_a_link_where_there_is_a_page(reference: str, shown: str) -> None:
    assert reference_link(reference) == shown


def test_small_words() -> None:
    assert words("out_of_memory") == "out of memory"
    assert (percent(0.426), percent(0), percent(1)) == ("43 %", "0 %", "100 %")
    assert (get({"a": 1}, "a"), get({"a": 1}, "b")) == (1, "")
