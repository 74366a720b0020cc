"""What the pages ask about the fleet: its state, silent feeds, the list of hosts, one host."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.lifecycle import DynoState, HostState
from fleet.models import App, CrashKind, CrashMinute, Deploy, Dyno, Host
from fleet.partitions import MINUTES, ensure_partitions
from fleet.queries import (
    HostRow,
    HostSearch,
    crashes_by_kind,
    deploys_since,
    fleet_state,
    host_detail,
    page_of_hosts,
    search_hosts,
    silent_feeds,
)

pytestmark = pytest.mark.django_db
NOW = datetime(2031, 5, 1, 12, 34, 56, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def host(name: str, state: HostState = HostState.IN_SERVICE, **more: Any) -> Host:
    enrolled = {"address": "192.0.2.1", "host_key": "ssh-ed25519 A", "ssh_user": "faultline", "feed_at": NOW}
    given = {"added_at": NOW - timedelta(days=1), **enrolled, **more}
    return Host.objects.create(name=name, state=state.value, **given)


def dynos(host: Host, count: int, state: DynoState = DynoState.RUNNING) -> None:
    app, _ = App.objects.get_or_create(name="app-1")
    Dyno.objects.bulk_create(
        Dyno(name=f"{host}.{state}.{n}", app=app, host=host, state=state.value, changed_at=NOW) for n in range(count)
    )


def crash(host: Host, ago: int, count: int, kind: CrashKind = CrashKind.SEGV) -> None:
    minute = (NOW - ago * MINUTE).replace(second=0)
    ensure_partitions(MINUTES, times=[minute])
    CrashMinute.objects.create(
        minute=minute, host=host, app_id=1, kind=kind, count=count, first_at=minute, first_received_at=minute
    )


def names(found: Any) -> list[str]:
    return sorted(one.name for one in found)


def listed(**asked: str) -> list[str]:
    return [row.host.name for row in page_of_hosts(HostSearch(**asked), now=NOW)[1]]


def test_an_empty_fleet_is_nought_in_everything() -> None:
    state = fleet_state(now=NOW)
    assert (state.hosts, state.host_count, state.unknown_count, state.dynos) == ({}, 0, 0, 0)
    assert (state.silent, state.silent_count) == ([], 0)
    assert listed() == []


def test_the_fleet_counts_hosts_by_state_and_the_dynos_that_run() -> None:
    one = host("one")
    host("gone", HostState.RETIRED)
    host("named", HostState.UNKNOWN)
    dynos(one, 3)
    dynos(one, 2, DynoState.STOPPED)
    dynos(one, 1, DynoState.LOST)
    state = fleet_state(now=NOW)
    assert (state.host_count, state.unknown_count, state.dynos) == (2, 1, 3)


def test_silence_is_only_of_hosts_that_should_be_heard(settings: Any) -> None:
    settings.COLLECT_SECONDS = 20
    host("heard", feed_at=NOW - timedelta(seconds=119))
    host("silent", feed_at=NOW - timedelta(seconds=121))
    host("never", feed_at=None)
    host("new", feed_at=None, added_at=NOW - timedelta(seconds=30))
    host("not enrolled", feed_at=None, address="")
    host("enrolling", HostState.ENROLLING, feed_at=None)
    host("retired", HostState.RETIRED, feed_at=None)
    assert names(silent_feeds(now=NOW)) == ["never", "silent"]


def test_many_silent_feeds_are_counted_and_some_named() -> None:
    for n in range(8):
        host(f"h{n}", feed_at=None)
    state = fleet_state(now=NOW)
    assert (state.silent, state.silent_count) == (["h0", "h1", "h2", "h3", "h4"], 8)


def test_the_newest_deploys_come_oldest_first() -> None:
    for ago in (10, 5, 200, 20):
        Deploy.objects.create(key=f"d{ago}", target="kernel", kind="upgrade", started_at=NOW - ago * MINUTE)
    assert [deploy.key for deploy in deploys_since(NOW - 60 * MINUTE)] == ["d20", "d10", "d5"]
    assert [deploy.key for deploy in deploys_since(NOW - 60 * MINUTE, limit=2)] == ["d10", "d5"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", ["a-1", "a-2", "b-1"]),
        ("a-", ["a-1", "a-2"]),
        ("A-1", ["a-1"]),
        ("tools=1.9", ["a-1", "b-1"]),
        ("a tools=1.9", ["a-1"]),
        ("tools=1.9 tools=2.0", []),
        ("tools=", []),
        ("%", []),
        ("=", []),
    ],
)
def test_words_must_all_fit_a_name_or_an_attribute(words: str, found: list[str]) -> None:
    for name, tools in (("a-1", "1.9"), ("a-2", "2.0"), ("b-1", "1.9")):
        host(name, attributes={"tools": tools})
    assert names(search_hosts(HostSearch(words=words))) == found


def test_the_list_can_be_of_one_state_and_an_unknown_state_is_none() -> None:
    host("one")
    host("two", HostState.TAINTED)
    assert listed(state="tainted") == ["two"]
    assert listed(state="no such state") == ["one", "two"]


def test_the_list_sorts_by_what_was_asked() -> None:
    few, many, none = (host(name, seen_at=at) for name, at in (("few", NOW), ("many", None), ("none", NOW - MINUTE)))
    dynos(few, 1)
    dynos(many, 2)
    dynos(none, 3, DynoState.STOPPED)
    crash(none, 59, 4)
    crash(few, 0, 5)
    crash(many, 60, 99)
    assert listed(sort="name") == ["few", "many", "none"]
    assert listed(sort="-name") == ["none", "many", "few"]
    assert listed(sort="dynos") == ["many", "few", "none"]
    assert listed(sort="crashes") == ["few", "none", "many"]
    assert listed(sort="seen") == ["few", "none", "many"]
    assert listed(sort="no such order") == ["few", "many", "none"]


def test_a_row_shows_its_dynos_and_the_crashes_of_the_last_hour() -> None:
    one = host("one")
    dynos(one, 2)
    crash(one, 0, 3)
    crash(one, 30, 1, CrashKind.EXIT)
    crash(one, 60, 50)
    _, [row] = page_of_hosts(HostSearch(), now=NOW)
    assert (row.dynos, row.crash_count, row.crashes[-1], len(row.crashes)) == (2, 4, 3, 60)


def test_pages_beyond_the_last_show_the_last() -> None:
    Host.objects.bulk_create(Host(name=f"h{n}", added_at=NOW) for n in range(5))
    for asked in ({"page": "99"}, {"page": "nonsense"}, {"page": "3", "sort": "crashes"}):
        page, rows = page_of_hosts(HostSearch(**asked), now=NOW, size=2)
        assert (page.paginator.num_pages, len(rows)) == (3, 2 if asked["page"] == "nonsense" else 1)


@pytest.mark.parametrize(
    ("before", "lately", "hot"), [(0, 5, False), (0, 6, True), (2, 6, False), (2, 7, True), (30, 30, False)]
)
def test_a_host_is_hot_when_its_last_half_hour_stands_out(before: int, lately: int, hot: bool) -> None:
    crashes = [0] * 60
    crashes[0], crashes[59] = before, lately
    assert HostRow(Host(), 0, crashes).hot is hot


def test_a_host_says_how_its_dynos_crashed_in_the_last_day() -> None:
    one, other = host("one"), host("other")
    crash(one, 5, 2)
    crash(one, 600, 3)
    crash(one, 6, 9, CrashKind.EXIT)
    crash(one, 1441, 50)
    crash(other, 5, 50)
    assert crashes_by_kind(one, now=NOW) == [("exit", 9), ("segv", 5)]


def test_a_host_shows_what_it_holds() -> None:
    one = host("one")
    dynos(one, 3)
    dynos(one, 1, DynoState.STOPPED)
    detail = host_detail(one, now=NOW)
    assert (len(detail["dynos"]), detail["dyno_count"]) == (3, 3)
    assert (detail["taint"], detail["verified"], list(detail["moves"])) == (None, None, [])
