"""How much of the fleet, and of an app, an action may touch."""

from typing import Any

import pytest
from django.utils import timezone

from fleet.actor import SYSTEM, Actor
from fleet.blast_radius import apps_beyond_policy, beyond_policy, may_pass, share_of_fleet
from fleet.models import App, Dyno, Host
from tests.incidents.views.story import person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def policy(settings: Any) -> Any:
    settings.BLAST_RADIUS_SHARE, settings.BLAST_RADIUS_APP_SHARE, settings.BLAST_RADIUS_APP_DYNOS = 0.5, 0.5, 3
    return settings


@pytest.fixture
def hosts() -> list[Host]:
    now = timezone.now()
    return Host.objects.bulk_create(Host(name=f"h{n}", state="in_service", added_at=now) for n in range(8))


def place(app: str, *counts: int, hosts: list[Host], state: str = "running") -> None:
    """So many dynos of the app on each host in turn."""
    row, _ = App.objects.get_or_create(name=app)
    for host, number in zip(hosts, counts, strict=False):
        Dyno.objects.bulk_create(
            Dyno(name=f"{app}.{state}.{host}.{n}", app=row, host=host, state=state, changed_at=timezone.now())
            for n in range(number)
        )


@pytest.mark.parametrize(
    ("states", "chosen", "share"),
    [
        ({}, [0], 1 / 8), ({}, range(8), 1.0), ({}, [], 0.0),
        ({1: "tainted", 2: "draining", 3: "drained"}, [0], 4 / 8),  # those out of service add up with the next one
        ({1: "tainted", 2: "draining"}, [1, 2], 2 / 8),  # acting on these alone takes nobody out of service
        ({1: "tainted"}, [0, 1], 2 / 8),
        ({6: "retired", 7: "unknown"}, [0], 1 / 6),  # no part of the fleet
        ({1: "enrolling"}, [0], 1 / 8),
    ],
)  # fmt: skip
def test_a_share_counts_those_out_of_service_already(
    hosts: list[Host], states: dict[int, str], chosen: Any, share: float
) -> None:
    for place_, state in states.items():
        Host.objects.filter(name=f"h{place_}").update(state=state)
    found = list(Host.objects.filter(name__in=[f"h{number}" for number in chosen]))
    assert share_of_fleet(found) == pytest.approx(share)


def test_an_empty_fleet_has_no_share() -> None:
    assert share_of_fleet([]) == 0.0
    assert beyond_policy([], moves_dynos=True) == []


def test_the_limit_itself_is_within_the_policy(hosts: list[Host], policy: Any) -> None:
    assert beyond_policy(hosts[:4], moves_dynos=True) == []
    [said] = beyond_policy(hosts[:5], moves_dynos=True)
    assert said == (
        "More of the fleet than the policy allows: 62% of its hosts would be out of service or acted on, "
        "50% are allowed."
    )
    policy.BLAST_RADIUS_SHARE = 1.0
    assert beyond_policy(hosts, moves_dynos=False) == []


def test_apps_whose_dynos_are_mostly_there_are_named_and_small_ones_left_out(hosts: list[Host]) -> None:
    place("all-here", 3, hosts=hosts)
    place("half-here", 3, 3, hosts=hosts)
    place("most-here", 4, 3, hosts=hosts)
    place("small", 2, hosts=hosts)
    place("elsewhere", 0, 9, hosts=hosts)
    assert apps_beyond_policy(hosts[:1]) == ["all-here", "most-here"]
    assert apps_beyond_policy(hosts[1:2]) == ["elsewhere"]
    assert apps_beyond_policy(hosts[2:]) == []


def test_what_runs_nowhere_any_more_counts_on_neither_side(hosts: list[Host]) -> None:
    place("shop", 3, 3, hosts=hosts)
    assert apps_beyond_policy(hosts[:1]) == []
    Dyno.objects.filter(host=hosts[1]).update(state="lost")
    assert apps_beyond_policy(hosts[:1]) == ["shop"]
    place("gone", 5, hosts=hosts, state="stopped")
    assert apps_beyond_policy(hosts[:1]) == ["shop"]


def test_apps_are_asked_after_only_where_their_dynos_move(hosts: list[Host]) -> None:
    for number in range(14):
        place(f"app-{number:02}", 3, hosts=hosts)
    assert beyond_policy(hosts[:1], moves_dynos=False) == []
    [said] = beyond_policy(hosts[:1], moves_dynos=True)
    assert said.startswith("More of an app than the policy allows, 50% of its dynos: app-00, app-01, ")
    assert said.endswith("app-11 and others.")


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("responder", False), ("administrator", True)])
def test_only_an_administrator_may_pass_it(role: str, may: bool) -> None:
    user = person("robin", role)
    assert may_pass(Actor("person", "robin", user.pk)) is may
    user.is_active = False
    user.save()
    assert may_pass(Actor("person", "robin", user.pk)) is False


def test_nobody_in_particular_may_not() -> None:
    assert not may_pass(SYSTEM)
    assert not may_pass(Actor("person", "ghost", 4711))
