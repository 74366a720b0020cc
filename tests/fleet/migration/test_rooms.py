"""Room on fresh hosts: what is promised, given back, and handed out to whom."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.migration.facts import HostFact, Limits
from fleet.migration.rooms import Room, best_room

APPS = (1, 2, 3)
MEMORY = st.sampled_from([0, 1, 64, 128, 512])


@st.composite
def rooms(draw: st.DrawFn) -> list[Room]:
    facts = [
        HostFact(
            number, f"host-{number}", draw(st.sampled_from([0, 128, 512])), draw(st.integers(0, 4)),
            draw(st.sampled_from([0, 64, 600])), draw(st.integers(0, 5)),
            apps={app: draw(st.integers(0, 2)) for app in draw(st.sets(st.sampled_from(APPS)))},
        )
        for number in range(1, draw(st.integers(0, 6)) + 1)
    ]  # fmt: skip
    return [Room.of(fact) for fact in facts]


def state(room: Room) -> tuple[int, int, int, Counter[int]]:
    return room.memory_mb, room.slots, room.promised, +room.apps


@settings(max_examples=150, deadline=None)
@given(rooms(), st.sampled_from(APPS), MEMORY, st.sets(st.integers(1, 6)), st.booleans())
def test_the_best_room_fits_is_allowed_and_has_no_better(
    some: list[Room], app: int, memory_mb: int, without: set[int], packed: bool
) -> None:
    best = best_room(some, app_id=app, memory_mb=memory_mb, without=without, packed=packed)
    fitting = [room for room in some if room.host_id not in without and room.fits(memory_mb)]
    assert (best is None) == (not fitting)
    if best is None:
        return
    assert best in fitting
    if packed:
        assert best.memory_mb == min(room.memory_mb for room in fitting)
    else:
        assert best.apps[app] == min(room.apps[app] for room in fitting)
    assert best_room(some[::-1], app_id=app, memory_mb=memory_mb, without=without, packed=packed) is best


@settings(max_examples=100, deadline=None)
@given(rooms(), st.lists(st.tuples(st.sampled_from(APPS), MEMORY), max_size=30))
def test_promises_never_pass_what_is_there_and_can_all_be_taken_back(
    some: list[Room], wanted: list[tuple[int, int]]
) -> None:
    before = [state(room) for room in some]
    taken = []
    for app, memory_mb in wanted:
        if (room := best_room(some, app_id=app, memory_mb=memory_mb)) is not None:
            room.take(app, memory_mb)
            taken.append((room, app, memory_mb))
            assert room.slots >= 0
            assert room.memory_mb >= 0
    assert sum(room.promised for room in some) == len(taken)
    for room, app, memory_mb in taken:
        room.give_back(app, memory_mb)
    assert [state(room) for room in some] == before


def test_an_over_full_host_takes_nothing_not_even_what_weighs_nothing() -> None:
    full = Room.of(HostFact(1, "full", 128, 2, used_memory_mb=128, used_slots=3))
    heavy = Room.of(HostFact(2, "heavy", 128, 9, used_memory_mb=200))
    assert not full.fits(0)
    assert not heavy.fits(0)
    assert best_room([full, heavy], app_id=1, memory_mb=0) is None


def test_an_app_is_spread_before_hosts_are_filled_and_packed_the_other_way_round() -> None:
    tight = Room.of(HostFact(1, "tight", 128, 4, apps={1: 1}))
    wide = Room.of(HostFact(2, "wide", 1024, 4))
    assert best_room([tight, wide], app_id=1, memory_mb=64) is wide
    assert best_room([tight, wide], app_id=2, memory_mb=64) is tight
    assert best_room([tight, wide], app_id=1, memory_mb=64, packed=True) is tight


def test_where_an_app_is_spread_alike_the_host_with_fewer_starts_waiting_comes_first() -> None:
    busy, idle = Room.of(HostFact(1, "busy", 128, 4)), Room.of(HostFact(2, "idle", 1024, 4))
    busy.take(7, 0)
    assert best_room([busy, idle], app_id=1, memory_mb=64) is idle


@pytest.mark.parametrize(
    ("stored", "limits"),
    [
        ({}, Limits()),
        ({"canary": 2, "resumed_at": "2026-03-04T03:00:00Z", "avoid": [1]}, Limits(canary=2)),
        ({"gate_seconds": 0.5, "unheard_of": 9}, Limits(gate_seconds=0.5)),
    ],
)
def test_limits_come_back_as_they_were_stored_and_pass_over_other_words(stored: dict, limits: Limits) -> None:  # type: ignore[type-arg]
    assert Limits.from_data(stored) == limits
