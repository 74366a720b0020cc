"""What a responder does by plain forms; a viewer is told why not; a second person sees what the first did."""

import pytest
from django.test import Client
from django.utils import timezone

from fleet.actor import Actor
from fleet.models import Host, Stack, Taint
from incidents import gates
from incidents.models import Gate, Incident, RunbookRun, TimelineEntry
from tests.incidents.views.story import Story, person, signed_in

pytestmark = pytest.mark.django_db


def act(client: Client, story: Story, path: str, **form: object) -> str:
    """Posts a form of the incident's page as a browser without JavaScript does, and gives the page after it."""
    response = client.post(f"/incidents/{story.incident.pk}/{path}", form, follow=True)
    return response.text


@pytest.mark.parametrize(
    "address",
    [
        "/incidents/{n}/acknowledge",
        "/incidents/{n}/note",
        "/incidents/{n}/start",
        "/incidents/{n}/run/pause",
        "/incidents/{n}/steps/1/confirm",
        "/incidents/{n}/migrations/1/pause",
        "/gates/cedar-14/close",
        "/hosts/taint",
        "/hosts/h0001/untaint",
    ],
)
def test_a_viewer_changes_nothing_and_is_told_why(story: Story, address: str) -> None:
    client = signed_in("viewer", name="vera")
    response = client.post(address.format(n=story.incident.pk), {"reason": "because", "text": "hello"})
    assert response.status_code == 403
    assert "signed in as vera, a viewer" in response.text
    assert not TimelineEntry.objects.filter(kind="note").exists()
    assert not gates.gate_of("cedar-14")


def test_forms_without_the_token_are_refused(story: Story) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("robin", "responder"))
    response = client.post(f"/incidents/{story.incident.pk}/acknowledge")
    assert response.status_code == 403
    assert Incident.objects.get(pk=story.incident.pk).state == "open"


def test_the_second_to_take_an_incident_sees_who_was_first(story: Story, responder: Client) -> None:
    assert "You have taken this incident" in act(responder, story, "acknowledge")
    other = signed_in("responder", name="kim")
    assert "already, by robin" in act(other, story, "acknowledge")


def test_a_note_is_kept(story: Story, responder: Client) -> None:
    assert "Looks like the redeploy" in act(responder, story, "note", text="Looks like the redeploy")
    assert TimelineEntry.objects.filter(kind="note").count() == 1


def test_a_step_is_confirmed_once_by_the_plan_that_was_shown(story: Story, responder: Client) -> None:
    page = act(responder, story, "start", runbook="overwritten-image")
    assert "Close the deploy gate of cedar-14" in page
    step = RunbookRun.objects.get().steps.get(key="close-gate")
    assert "fleet has changed" in act(responder, story, f"steps/{step.pk}/confirm", digest="old")
    assert gates.gate_of("cedar-14") is None
    page = act(responder, story, f"steps/{step.pk}/confirm", digest=step.digest)
    assert "gate of cedar-14 closed" in page
    page = act(responder, story, f"steps/{step.pk}/confirm", digest=step.digest)
    assert "nothing was done" in page or "was first" in page
    assert Gate.objects.count() == 1


def test_a_step_is_passed_over_with_a_reason_only(story: Story, responder: Client) -> None:
    act(responder, story, "start", runbook="overwritten-image")
    step = RunbookRun.objects.get().steps.get(key="close-gate")
    assert "Say why" in act(responder, story, f"steps/{step.pk}/skip", reason=" ")
    assert "Verify images" in act(responder, story, f"steps/{step.pk}/skip", reason="no deploy tool asks")
    step.refresh_from_db()
    assert (step.state, step.message) == ("skipped", "no deploy tool asks")


def test_a_run_is_paused_and_resumed(story: Story, responder: Client) -> None:
    act(responder, story, "start", runbook="overwritten-image")
    run = RunbookRun.objects.get()
    assert "The runbook is paused" in act(responder, story, "run/pause", run=run.pk)
    assert "Close the deploy gate of cedar-14" in act(responder, story, "run/resume", run=run.pk)


def test_hosts_are_tainted_with_a_reason(story: Story, responder: Client) -> None:
    chosen = [host.pk for host in story.hosts[:2]]
    assert "Say why" in responder.post("/hosts/taint", {"host": chosen, "reason": ""}, follow=True).text
    page = responder.post("/hosts/taint", {"host": chosen, "reason": "looks sick", "hours": "4"}, follow=True).text
    assert "Tainted 2 hosts" in page
    assert Host.objects.filter(state="tainted").count() == 2
    assert Taint.objects.filter(reason="looks sick", owner="robin", expires_at__isnull=False).count() == 2
    assert "looks sick" in responder.get(f"/hosts/{story.hosts[0].name}").text


def test_lifting_a_taint_wants_a_proof(story: Story, responder: Client) -> None:
    host = story.hosts[0]
    responder.post("/hosts/taint", {"host": host.pk, "reason": "looks sick"})
    assert "Say what was checked" in responder.post(f"/hosts/{host.name}/untaint", follow=True).text
    responder.post(f"/hosts/{host.name}/untaint", {"proof": "images verified"})
    host.refresh_from_db()
    assert host.state == "in_service"


def test_a_gate_is_opened_from_the_deploys(story: Story, responder: Client) -> None:
    stack = Stack.objects.get()
    gates.close_gate(
        stack=stack, incident=story.incident, reason="doubt", actor=Actor("person", "kim"), now=timezone.now()
    )
    assert "doubt" in responder.get("/deploys").text
    assert "Opened the deploy gate" in responder.post("/gates/cedar-14/open", {"reason": "fixed"}, follow=True).text
    assert gates.gate_of("cedar-14") is None


@pytest.mark.parametrize("form", ["md", "html", "json", "csv"])
def test_the_record_is_handed_out_as_a_file(story: Story, responder: Client, form: str) -> None:
    response = responder.get(f"/incidents/{story.incident.pk}/export.{form}")
    assert response.status_code == 200
    assert response.headers["Content-Disposition"].startswith("attachment; filename=")
    assert b"h0001 joined." in response.content
