"""Settings are an administrator's: plain forms, and never a secret on a page."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from incidents.models import Channel, Delivery, GatePolicy
from incidents.notifying.queueing import Occasion, tell_people
from incidents.notifying.sealing import unseal
from incidents.notifying.sending import deliver_due
from tests.incidents.notifying.receiver import SECRET, channel_to
from tests.incidents.views.story import person, signed_in, tell_story

pytestmark = pytest.mark.django_db
ADDRESS = f"json://127.0.0.1:1/{SECRET}"
FORM = {"name": "on call", "address": ADDRESS, "verdicts": ["deploy", "host"], "severities": ["major"]}
PAGES = ["/settings", "/settings/notifications", "/settings/notifications/new", "/settings/policy"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("role", ["viewer", "responder"])
def test_others_are_told_that_settings_are_not_theirs(page: str, role: str) -> None:
    assert Client().get(page).headers["Location"].startswith("/sign-in?next=/settings")
    client = signed_in(role, name="vera")
    for response in (client.get(page), client.post(page, FORM)):
        assert response.status_code in {403, 405}
    assert client.get(page).status_code == 403
    assert "not an administrator" in client.get(page).text
    assert not Channel.objects.exists()
    assert 'href="/settings"' not in client.get("/incidents").text


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_for_an_administrator_and_is_linked(ada: Client, page: str) -> None:
    response = ada.get(page)
    assert response.status_code == 200
    assert '<a href="/settings" aria-current="page">' in response.text
    assert "<html" not in ada.get(page, headers={"HX-Request": "true"}).text


@pytest.mark.parametrize("act", ["test", "on", "off", "delete"])
def test_acts_are_closed_to_others_and_want_the_token(act: str) -> None:
    channel = channel_to(ADDRESS)
    address = f"/settings/notifications/{channel.pk}/{act}"
    client = signed_in("responder", name="robin")
    assert client.post(address).status_code == 403
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person("ada", "administrator"))
    assert strict.post(address).status_code == 403
    assert strict.get(address).status_code == 405
    channel.refresh_from_db()
    assert channel.enabled
    assert not Delivery.objects.exists()


def test_a_channel_is_added_shown_without_its_secret_and_changed(ada: Client) -> None:
    page = ada.post("/settings/notifications/new", FORM, follow=True).text
    channel = Channel.objects.get()
    assert unseal(channel.sealed) == ADDRESS
    assert "Added “on call”" in page
    pages = page + ada.get("/settings/notifications").text + ada.get("/settings").text
    assert SECRET not in pages
    assert channel.sealed not in pages
    assert "json://…-91" in pages
    page = ada.post(f"/settings/notifications/{channel.pk}", FORM | {"address": "", "name": "night"}, follow=True).text
    assert "Changed “night”" in page
    channel.refresh_from_db()
    assert unseal(channel.sealed) == ADDRESS


def test_what_is_wrong_is_said_and_what_was_typed_stays_but_for_the_address(ada: Client) -> None:
    response = ada.post("/settings/notifications/new", FORM | {"address": f"nonsense-{SECRET}"})
    assert response.status_code == 422
    assert "apprise does not understand it" in response.text
    assert 'value="on call"' in response.text
    assert SECRET not in response.text
    assert response.text.count(" checked") == 3
    channel = channel_to(ADDRESS, name="kept")
    response = ada.post(f"/settings/notifications/{channel.pk}", FORM | {"address": "", "severities": []})
    assert response.status_code == 422
    assert "which severities" in response.text


@pytest.mark.parametrize("address", ["/settings/notifications/77", "/settings/notifications/77/test"])
def test_a_channel_that_is_not_there_is_not_found(ada: Client, address: str) -> None:
    assert ada.post(address, FORM).status_code == 404
    channel = channel_to(ADDRESS)
    assert ada.post(f"/settings/notifications/{channel.pk}/burn").status_code == 404


def test_a_channel_is_tested_turned_off_and_on_and_deleted(ada: Client) -> None:
    channel = channel_to(ADDRESS)
    here = f"/settings/notifications/{channel.pk}"
    assert "Test message" in ada.post(f"{here}/test", follow=True).text
    assert Delivery.objects.get().occasion == "test"
    assert "gave up" not in ada.post(f"{here}/off", follow=True).text
    assert "is off, so nothing was sent" in ada.post(f"{here}/test", follow=True).text
    assert "“on call” is on." in ada.post(f"{here}/on", follow=True).text
    page = ada.post(f"{here}/delete", follow=True).text
    assert "Deleted “on call” and its address" in page
    assert "Nobody is told yet" in page
    assert "turned the channel off before this was sent" in page, "the record stays"
    assert ada.get(here).status_code == 404


def test_the_record_says_what_did_not_arrive_and_why(ada: Client) -> None:
    incident = tell_story(hosts=2).incident
    channel_to(ADDRESS)
    tell_people(incident_id=incident.pk, occasion=Occasion.OPENED, now=timezone.now())
    deliver_due()
    page = ada.get("/settings/notifications").text
    assert "A Connection error occurred" in page
    assert f"Incident {incident.pk}, major: opened" in page
    assert "1 waiting" in page
    Delivery.objects.update(state="dead")
    for address in ("/settings", "/settings/notifications"):
        assert "1 message about incidents could not be delivered in the last day" in ada.get(address).text


def test_the_number_of_queries_does_not_grow_with_the_record(ada: Client) -> None:
    incident = tell_story(hosts=2).incident
    for number in range(3):
        channel = channel_to(ADDRESS, name=f"channel {number}")
    Delivery.objects.bulk_create(
        Delivery(
            channel=channel, incident=incident, occasion="cause", key=str(n), queued_at=incident.opened_at,
            next_attempt_at=incident.opened_at, state="sent",
        )
        for n in range(60)
    )  # fmt: skip
    with CaptureQueriesContext(connection) as captured:
        page = ada.get("/settings/notifications?page=2").text
    assert len(captured) <= 12
    assert "50 of 60" in page


def test_the_policy_is_off_until_an_administrator_turns_it_on(ada: Client) -> None:
    assert "Deploy gates close only by hand" in ada.get("/settings").text
    form = {"enabled": "on", "least_score": "12.5", "least_severity": "minor"}
    assert "Gates close by policy from now on" in ada.post("/settings/policy", form, follow=True).text
    kept = GatePolicy.objects.get()
    assert (kept.enabled, kept.least_score, kept.least_severity, kept.changed_by) == (True, 12.5, "minor", "ada")
    assert 'value="12.5"' in ada.get("/settings/policy").text
    assert "a score of 12.5 or more" in ada.get("/settings").text
    del form["enabled"]
    assert "only by hand" in ada.post("/settings/policy", form, follow=True).text
    assert not GatePolicy.objects.get().enabled


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"least_score": "high", "least_severity": "major"}, "a number from 0 to 1000"),
        ({"least_score": "nan", "least_severity": "major"}, "a number from 0 to 1000"),
        ({"least_score": "-1", "least_severity": "major"}, "a number from 0 to 1000"),
        ({"least_score": "12", "least_severity": "awful"}, "Choose a severity"),
        ({}, "a number from 0 to 1000"),
    ],
)
def test_a_policy_that_makes_no_sense_changes_nothing(ada: Client, form: dict[str, str], words: str) -> None:
    assert words in ada.post("/settings/policy", form | {"enabled": "on"}, follow=True).text
    assert not GatePolicy.objects.exists()
