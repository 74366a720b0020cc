"""When an incident began: for a fleet and an app, the first crash of the rise."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from fleet.models import App, CrashKind, CrashMinute, Host
from fleet.partitions import MINUTES as MINUTES_TABLE
from fleet.partitions import ensure_partitions
from incidents.correlation.verdict import Board, Verdict
from incidents.models import Incident
from incidents.watching.beginning import first_crash_at, rise_begins
from incidents.watching.opening import carry_out

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
FLEET, LOOP = Verdict("fleet", "fleet", NOW.timestamp()), Verdict("app", "loops", NOW.timestamp())
USUAL = [3, 1, 2, 3, 2, 1, 3, 2, 2, 1]


@pytest.mark.parametrize(
    ("lately", "begins"),
    [
        ([20, 25, 22], 180),
        ([6, 14, 20, 25], 181),
        ([20, 25, 2, 22, 21, 24], 180),
        ([20, 25, 22, 24, 23, 0], 180),
        ([25, 2, 3, 24, 25, 22, 24, 25, 24], 183),
        ([21] * 60, 180),
    ],
    ids=["a step", "a slope", "one calm minute", "a minute just begun", "an earlier moment apart", "an hour of it"],
)
def test_the_rise_is_walked_back_to_its_first_minute(lately: list[int], begins: int) -> None:
    assert rise_begins(USUAL * 18 + lately) == begins


@pytest.mark.parametrize("totals", [USUAL * 18, [0] * 180, [9] * 180])
def test_without_a_rise_there_is_no_beginning(totals: list[int]) -> None:
    assert rise_begins(totals) is None


class Past:
    """Minutes up to NOW with a number of crashes each, of different apps, all of them known at once."""

    def __init__(self) -> None:
        ensure_partitions(MINUTES_TABLE, times=[NOW - timedelta(hours=hour) for hour in range(5)])
        self.host = Host.objects.create(name="h1", state="in_service", added_at=NOW)
        self.apps = App.objects.bulk_create(App(name=f"app-{n}") for n in range(40))
        self.loops = App.objects.create(name="loops")

    def crash(self, at: datetime, app: App, *, late: timedelta = timedelta(0), host: Host | None = None) -> None:
        CrashMinute.objects.create(
            minute=at.replace(second=0, microsecond=0), host=host or self.host, app_id=app.pk, kind=CrashKind.EXIT,
            count=9, first_at=at, first_received_at=at + late,
        )  # fmt: skip

    def minutes(self, totals: Sequence[int], *, until: datetime = NOW) -> None:
        """Crashes every second second of each minute."""
        for place, total in enumerate(totals):
            minute = until - timedelta(minutes=len(totals) - place)
            for number in range(total):
                self.crash(minute + timedelta(seconds=2 * number + 1), self.apps[number])


def test_a_fleet_incident_began_with_the_first_crash_beyond_the_usual_ones() -> None:
    past = Past()
    past.minutes([2] * 90 + [20] * 6)
    began_at = first_crash_at(FLEET, None, now=NOW)
    assert began_at == NOW - timedelta(minutes=6) + timedelta(seconds=5), "the third of that minute; two are usual"


def test_the_beginning_does_not_depend_on_what_was_told_later() -> None:
    past = Past()
    past.minutes([0] * 60 + [12] * 4)
    began_at = first_crash_at(FLEET, None, now=NOW)
    for number in range(12):
        at = NOW - timedelta(minutes=5) + timedelta(seconds=number)
        past.crash(at, past.apps[number], late=timedelta(minutes=9))
    past.minutes([30] * 3, until=NOW + timedelta(minutes=3))
    assert first_crash_at(FLEET, None, now=NOW) == began_at == NOW - timedelta(minutes=4) + timedelta(seconds=1)


def test_an_app_began_to_loop_with_its_own_first_crash() -> None:
    past = Past()
    past.minutes([20] * 30)
    hosts = Host.objects.bulk_create(Host(name=f"l{n}", state="in_service", added_at=NOW) for n in range(9))
    began_at = NOW - timedelta(minutes=7) + timedelta(seconds=13)
    for place, host in enumerate(hosts):
        past.crash(began_at + timedelta(seconds=40 * place), past.loops, host=host)
    assert first_crash_at(LOOP, None, now=NOW) == began_at
    assert first_crash_at(Verdict("app", "never seen", 0.0), None, now=NOW) == NOW


def test_the_incident_of_a_fleet_does_not_begin_when_it_is_opened() -> None:
    Past().minutes([1] * 60 + [25] * 8)
    board = Board(NOW.timestamp(), (FLEET,), (), (), ())
    carry_out(board, now=NOW + timedelta(seconds=3))
    incident = Incident.objects.get()
    assert incident.opened_at - incident.began_at == timedelta(minutes=8, seconds=2)
