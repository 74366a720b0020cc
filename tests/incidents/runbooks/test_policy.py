"""What one person may not do alone: a second one approves, an administrator goes beyond the blast radius."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from environs import Env, EnvError
from marshmallow.validate import ContainsOnly

from fleet.actor import Actor
from fleet.blast_radius import apps_beyond_policy, beyond_policy, share_of_fleet
from fleet.models import App, Dyno, Host, Stack
from incidents.errors import Refused
from incidents.gates import standing_gate
from incidents.models import Incident
from incidents.runbooks.plan import ACTIONS, KINDS
from tests.incidents.runbooks.running import ANA, BEN, CLOSE, LOOK, NOW, TAINT, begin, confirm, take, told, turn

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_wanted(settings: Any) -> None:
    settings.SECOND_APPROVAL = ["gate", "taint"]


def hosts(number: int, state: str = "in_service", prefix: str = "h") -> list[Host]:
    return [Host.objects.create(name=f"{prefix}{n}", state=state, added_at=NOW) for n in range(number)]


def test_nobody_is_asked_where_the_policy_names_nothing(incident: Incident) -> None:
    assert take(begin(incident, CLOSE)).asked == {}
    assert not any("pprove" in text for text in told(incident))


@pytest.mark.usefixtures("two_wanted")
def test_one_person_asks_and_another_approves_the_same_plan(incident: Incident) -> None:
    run = begin(incident, CLOSE, LOOK)
    step = confirm(turn(run), ANA)
    assert (step.state, step.asked["by"]) == ("ready", "ana")
    assert standing_gate(Stack.objects.get()) is None
    with pytest.raises(Refused, match="somebody else has to approve"):
        confirm(turn(run), ANA)
    step = confirm(turn(run), BEN)
    assert (step.state, step.confirmed_by) == ("running", "ben")
    assert standing_gate(Stack.objects.get()) is not None
    assert told(incident)[0] == "Close the gate: asked a second person to approve."
    assert told(incident)[-1].endswith("Approved by ben, asked by ana.")
    assert incident.timeline.filter(kind="approval").count() == 1


@pytest.mark.usefixtures("two_wanted")
def test_a_question_dies_when_the_fleet_changes(incident: Incident) -> None:
    rows = hosts(6)
    incident.incident_hosts.create(host=rows[0], since_at=NOW)
    run = begin(incident, TAINT)
    assert confirm(turn(run), ANA).state == "ready"
    incident.incident_hosts.create(host=rows[1], since_at=NOW)
    step = confirm(turn(run), BEN)
    assert (step.state, step.asked["by"]) == ("ready", "ben")
    assert not Host.objects.filter(state="tainted").exists()
    assert confirm(turn(run), ANA).state == "running"
    assert Host.objects.filter(state="tainted").count() == 2


@pytest.mark.usefixtures("two_wanted")
def test_breaking_the_glass_wants_a_reason_and_is_on_record(incident: Incident) -> None:
    run = begin(incident, CLOSE)
    assert confirm(turn(run), ANA, break_glass="  ").state == "ready"
    assert confirm(turn(run), ANA, break_glass="alone on call, dynos die").state == "running"
    entry = incident.timeline.get(kind="break-glass")
    assert entry.actor == "ana"
    assert "did not wait for a second person: alone on call, dynos die" in entry.text


@pytest.mark.usefixtures("two_wanted")
def test_the_glass_does_not_stand_before_the_blast_radius(incident: Incident) -> None:
    for host in hosts(3):
        incident.incident_hosts.create(host=host, since_at=NOW)
    run = begin(incident, TAINT)
    with pytest.raises(Refused, match="ask an administrator"):
        confirm(turn(run), ANA, break_glass="I am alone")
    assert not incident.timeline.exists()


def test_an_administrator_may_pass_the_blast_radius(incident: Incident) -> None:
    for host in hosts(3):
        incident.incident_hosts.create(host=host, since_at=NOW)
    user = User.objects.create_user("root", password="quiet-night-17")
    run = begin(incident, TAINT)
    with pytest.raises(Refused, match="100% of its hosts"):
        confirm(turn(run), Actor("person", "root", user.pk))
    user.groups.add(Group.objects.get_or_create(name="administrator")[0])
    step = confirm(turn(run), Actor("person", "root", user.pk))
    assert step.state == "running"
    assert step.prepared["warnings"][-1] == "An administrator must confirm."


def test_hosts_out_of_service_already_count_where_more_are_added(settings: Any) -> None:
    settings.BLAST_RADIUS_SHARE = 0.5
    fresh, _, _ = hosts(6), hosts(4, "tainted", "t"), hosts(5, "retired", "r")
    assert share_of_fleet(fresh[:1]) == 0.5
    assert share_of_fleet(fresh[:2]) == 0.6
    assert beyond_policy(fresh[:1], moves_dynos=False) == []
    assert "60% of its hosts" in beyond_policy(fresh[:2], moves_dynos=False)[0]
    tainted = list(Host.objects.filter(state="tainted"))
    assert share_of_fleet(tainted) == 0.4


def test_a_large_app_is_not_moved_by_more_than_its_share(settings: Any) -> None:
    settings.BLAST_RADIUS_APP_SHARE, settings.BLAST_RADIUS_APP_DYNOS = 0.5, 4
    here, there = hosts(2)
    stack = Stack.objects.create(name="cedar-14")
    for name, on_here, on_there in (("large", 5, 3), ("spread", 4, 4), ("small", 3, 0)):
        app = App.objects.create(name=name)
        for number in range(on_here + on_there):
            host = here if number < on_here else there
            Dyno.objects.create(name=f"{name}.{number}", app=app, host=host, stack=stack, changed_at=NOW)
    Dyno.objects.create(name="gone", app=App.objects.get(name="spread"), host=here, state="stopped", changed_at=NOW)
    assert apps_beyond_policy([here]) == ["large"]
    settings.BLAST_RADIUS_SHARE = 1.0
    assert beyond_policy([here], moves_dynos=False) == []
    assert "50% of its dynos: large." in beyond_policy([here], moves_dynos=True)[0]


def test_a_policy_with_a_word_that_is_none_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECOND_APPROVAL", "taint,migrat")
    with pytest.raises((EnvError, ImproperlyConfigured), match="SECOND_APPROVAL"):
        Env().list("SECOND_APPROVAL", [], validate=ContainsOnly([*KINDS, *ACTIONS]))


@pytest.mark.usefixtures("two_wanted")
def test_two_people_at_two_browsers_without_javascript(incident: Incident) -> None:
    run, clients = begin(incident, CLOSE, LOOK), {}
    for name in ("robin", "kim"):
        user = User.objects.create_user(name, password="quiet-night-17")
        user.groups.add(Group.objects.get_or_create(name="responder")[0])
        clients[name] = Client()
        clients[name].force_login(user)
    page = f"/incidents/{incident.pk}"

    def press(name: str, act: str = "confirm", **form: str) -> str:
        clients[name].get(page)
        step = turn(run)
        return clients[name].post(f"{page}/steps/{step.pk}/{act}", {"digest": step.digest} | form, follow=True).text

    assert "Ask for approval: Close the deploy gate" in clients["robin"].get(page).text
    asked = press("robin")
    assert "Another person has to approve it" in asked
    assert "Approve: Close the deploy gate" not in asked
    assert "Approve: Close the deploy gate" in clients["kim"].get(page).text
    press("kim")
    assert (run.steps.get(key="close").state, run.steps.get(key="close").confirmed_by) == ("running", "kim")
    run.steps.filter(key="close").update(state="unknown")
    assert "It was not done" in clients["kim"].get(page).text
    assert "how you know" in press("kim", "succeeded", reason=" ")
    press("kim", "succeeded", reason="the tool says closed")
    assert run.steps.get(key="close").state == "succeeded"
