"""Each role is shown what it may do, and nothing that it may not."""

import re
import shlex

import pytest
from django.test import Client
from django.utils import timezone

from fleet.actor import SYSTEM
from fleet.ingest.tokens import issue_token
from fleet.models import Host
from incidents.lifecycle import IncidentState
from incidents.models import Incident
from tests.incidents.views.story import Story, signed_in

pytestmark = pytest.mark.django_db
PAGES = ["/", "/incidents", "/incidents/{n}", "/hosts", "/hosts/h0001", "/deploys", "/deploys/d3"]
SETTINGS = [
    "/settings",
    "/settings/notifications",
    "/settings/notifications/new",
    "/settings/policy",
    "/settings/detection",
]
FORM = re.compile(r'<form[^>]* method="post"[^>]* action="([^"]+)"')
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0ZJ1q0yq3f0m1mJ0b1k0v9k1k7v0m2m9v3J1q0yq3f"


def offered(client: Client, address: str) -> set[str]:
    """Where the forms of a page's main part post to."""
    main = client.get(address, headers={"HX-Request": "true"}).text
    return set(FORM.findall(main))


@pytest.mark.parametrize("page", PAGES)
def test_a_viewer_is_offered_no_form(story: Story, page: str) -> None:
    assert offered(signed_in("viewer"), page.format(n=story.incident.pk)) == set()


@pytest.mark.parametrize("role", ["responder", "administrator"])
def test_those_who_act_are_offered_the_acts_of_a_fresh_incident(story: Story, role: str) -> None:
    here = f"/incidents/{story.incident.pk}"
    assert offered(signed_in(role), here) >= {
        f"{here}/{act}" for act in ("acknowledge", "mitigate", "resolve", "dismiss", "start", "note")
    }


@pytest.mark.parametrize(
    ("state", "acts", "not_these"),
    [
        (IncidentState.ACKNOWLEDGED, {"mitigate", "resolve", "dismiss", "start"}, {"acknowledge", "reopen"}),
        (IncidentState.MITIGATED, {"resolve", "reopen"}, {"acknowledge", "mitigate", "dismiss"}),
        (IncidentState.RESOLVED, {"reopen", "note"}, {"acknowledge", "mitigate", "resolve", "dismiss", "start"}),
    ],
)
def test_an_incident_offers_what_its_state_allows(
    story: Story, state: IncidentState, acts: set[str], not_these: set[str]
) -> None:
    ended = {"resolved_at": timezone.now()} if state == IncidentState.RESOLVED else {}
    Incident.objects.update(state=state.value, **ended)
    here = f"/incidents/{story.incident.pk}"
    found = {address.removeprefix(f"{here}/") for address in offered(signed_in("responder"), here)}
    assert found >= acts
    assert not found & not_these


def test_two_runbooks_have_a_button_each_that_names_it(story: Story) -> None:
    page = signed_in("responder").get(f"/incidents/{story.incident.pk}").text
    assert re.findall(r">(Start “[^”]+”)</button>", page) == ["Start “Overwritten image”", "Start “Bad stack deploy”"]


def test_only_a_host_in_service_can_be_tainted_on_its_page(story: Story) -> None:
    client = signed_in("responder")
    assert offered(client, "/hosts/h0001") == {"/hosts/taint"}
    Host.objects.filter(name="h0001").update(state="retired")
    assert offered(client, "/hosts/h0001") == set()


@pytest.mark.parametrize("page", SETTINGS)
@pytest.mark.parametrize("role", ["viewer", "responder"])
def test_settings_are_for_administrators(role: str, page: str) -> None:
    response = signed_in(role).get(page)
    assert response.status_code == 403
    assert "who is not an administrator" in response.text


@pytest.mark.parametrize("page", SETTINGS)
def test_an_administrator_opens_settings_and_finds_the_way_there(page: str) -> None:
    client = signed_in("administrator")
    assert client.get(page).status_code == 200
    assert 'href="/settings"' in client.get("/").text
    assert 'href="/settings"' not in signed_in("responder").get("/").text


def test_the_empty_fleet_shows_commands_that_enrol_a_host() -> None:
    page = signed_in("viewer").get("/hosts", headers={"Host": "localhost:8123"}).text
    token_line, enrol_line = re.findall(r'<pre id="(?:token|enrol)-command">(.*?)</pre>', page)
    assert token_line.endswith("manage.py issue_token inventory --scope inventory)")
    words = shlex.split(enrol_line.replace("&quot;", '"').replace("AAAA…", KEY.split()[1]))
    assert words[:5] == ["curl", "-sS", "-X", "PUT", "http://localhost:8123/api/v1/hosts"]
    _, secret = issue_token(name="inventory", scopes=["inventory"], actor=SYSTEM, now=timezone.now())
    answer = Client().put(
        "/api/v1/hosts", words[words.index("-d") + 1], content_type="application/x-www-form-urlencoded",
        headers={"Authorization": f"Bearer {secret}"},
    )  # fmt: skip
    assert answer.json() == {"created": 1, "updated": 0, "rejected": []}
    host = Host.objects.get(name="h0001")
    assert (host.address, host.host_key, host.attributes) == ("10.0.0.7", KEY, {"zone": "a"})
