"""Conditions are measured: what few crashes prove, and what silence does not."""

from datetime import timedelta
from typing import Any

import pytest

from fleet.ingest.crashes import ingest_crashes
from fleet.models import App, Deploy, Dyno, Host, HostDeploy, Migration, Move, Stack
from incidents.errors import Refused
from incidents.models import Incident
from incidents.runbooks.step import StepContext
from incidents.runbooks.steps.conditions import CONDITIONS, Reading
from incidents.runbooks.steps.wait import Wait
from tests.incidents.runbooks.running import ANA, NOW, WAIT, begin, turn

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _hosts(settings: Any, incident: Incident) -> None:
    settings.TICK_SECONDS = 60.0
    for name in ("h1", "h2"):
        Host.objects.create(name=name, state="in_service", added_at=NOW)
    incident.incident_hosts.create(host=Host.objects.get(name="h1"), since_at=NOW)


def crash(host: str, number: int, *, app: str = "web", dyno: str = "web.1", minutes_ago: float = 1.0) -> None:
    at = LATER - timedelta(minutes=minutes_ago)
    lines = [
        {"at": (at - timedelta(seconds=n)).isoformat(), "host": host, "app": app, "dyno": dyno, "signal": "SIGSEGV"}
        for n in range(number)
    ]
    receipt = ingest_crashes(lines=lines, source="test", now=LATER)
    assert receipt.accepted == number


def measure(incident: Incident, condition: str, **options: Any) -> Reading:
    incident.runs.all().delete()
    step = turn(begin(incident, WAIT | {"options": {"condition": condition} | options}))
    step.started_at = NOW
    return CONDITIONS[condition](StepContext(step, LATER, ANA))


def test_quiet_counts_the_affected_hosts_alone(incident: Incident) -> None:
    crash("h2", 9)
    assert measure(incident, "quiet").holds
    crash("h1", 2)
    reading = measure(incident, "quiet")
    assert (reading.holds, reading.numbers["crashes"]) == (False, 2)
    assert reading.summary == "2 crashes on the affected hosts in 300 s; 0.0 are usual"
    assert measure(incident, "quiet", quiet_ticks=1).numbers["seconds"] == 60.0


def test_quiet_knows_what_was_usual(incident: Incident) -> None:
    crash("h1", 48, minutes_ago=60.0)
    crash("h1", 4)
    reading = measure(incident, "quiet")
    assert (reading.holds, reading.numbers["usual"]) == (True, 2.0)
    crash("h1", 1, minutes_ago=2.0)
    assert not measure(incident, "quiet").holds


@pytest.mark.parametrize(
    ("verdict", "subject", "crashes"), [("app", "web", 3), ("fleet", "fleet", 5), ("host", "h1", 4), ("app", "none", 0)]
)
def test_quiet_is_about_what_the_incident_is_about(
    incident: Incident, verdict: str, subject: str, crashes: int
) -> None:
    crash("h1", 2)
    crash("h2", 1)
    crash("h1", 2, app="other", minutes_ago=3.0)
    Incident.objects.update(verdict=verdict, subject=subject, deploy=None)
    incident.refresh_from_db()
    assert measure(incident, "quiet").numbers["crashes"] == crashes


def test_a_silent_feed_is_no_quiet(incident: Incident) -> None:
    Host.objects.filter(name="h1").update(address="10.0.0.1", host_key="k", feed_at=NOW - timedelta(hours=1))
    reading = measure(incident, "quiet")
    assert not reading.holds
    assert reading.summary.endswith("nothing is heard of h1")


def test_recovered_measures_moved_dynos_on_their_new_hosts_since_the_last_move(incident: Incident) -> None:
    app, stack = App.objects.create(name="web"), Stack.objects.get()
    dyno = Dyno.objects.create(
        name="web.1", app=app, host=Host.objects.get(name="h2"), stack=stack, changed_at=NOW
    )  # fmt: skip
    migration = Migration.objects.create(reference=incident.reference, state="done", actor="ana", created_at=NOW)
    move = Move.objects.create(
        migration=migration, dyno=dyno, source=Host.objects.get(name="h1"), target=Host.objects.get(name="h2"),
        position=0, state="done", finished_at=LATER - timedelta(minutes=6),
    )  # fmt: skip
    crash("h1", 5, minutes_ago=7.0)
    assert measure(incident, "recovered").holds
    crash("h2", 2)
    assert not measure(incident, "recovered").holds
    Move.objects.filter(pk=move.pk).update(finished_at=LATER - timedelta(seconds=30))
    reading = measure(incident, "recovered")
    assert (reading.holds, reading.numbers["crashes"], reading.numbers["seconds"]) == (False, 0, 30.0)


def test_recovered_proves_nothing_where_nothing_moved(incident: Incident) -> None:
    reading = measure(incident, "recovered")
    assert not reading.holds
    with pytest.raises(Refused, match="Skip the step"):
        Wait().begin(StepContext(turn(incident.runs.get()), LATER, ANA))


def test_replaced_wants_a_later_deploy_on_every_affected_host(incident: Incident) -> None:
    stack, (one, two) = Stack.objects.get(), Host.objects.order_by("name")
    incident.incident_hosts.create(host=two, since_at=NOW)
    assert measure(incident, "replaced").numbers == {"hosts": 0, "of": 2}
    back = Deploy.objects.create(
        key="d4", target="stack", kind="rollback", stack=stack, started_at=NOW + timedelta(minutes=1)
    )
    before = Deploy.objects.create(
        key="d2", target="stack", kind="upgrade", stack=stack, started_at=NOW - timedelta(minutes=9)
    )
    for deploy, host, outcome in (
        (back, one, "installed"), (back, two, "failed"), (before, two, "installed"),
        (incident.deploy, two, "installed"),
    ):  # fmt: skip
        assert deploy is not None
        HostDeploy.objects.create(deploy=deploy, host=host, at=NOW, outcome=outcome)
    reading = measure(incident, "replaced")
    assert (reading.holds, reading.summary) == (
        False, "1 of 2 affected hosts have got another image of cedar-14 since d3",
    )  # fmt: skip
    HostDeploy.objects.filter(deploy=back, host=two).update(outcome="skipped")
    assert measure(incident, "replaced").holds
    Incident.objects.update(verdict="host", deploy=None)
    incident.refresh_from_db()
    assert not measure(incident, "replaced").possible
