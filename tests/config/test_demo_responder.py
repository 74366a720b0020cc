"""The demo's responder does what a person would, decides by the evidence, and says where it could not go on."""

from collections.abc import Callable

import pytest
from django.contrib.auth import authenticate
from django.utils import timezone

from config.demo.responder import GaveUp, Responder
from config.demo.stage import make_credentials, make_responder
from fleet.actor import Actor
from fleet.ingest.tokens import token_of
from fleet.models import Deploy
from incidents.gates import gate_of
from incidents.lifecycle import StepState
from incidents.models import Evidence, Incident, RunbookRun, RunStep
from incidents.runbooks.driving import drive_step
from incidents.runbooks.runs import start_run
from tests.incidents.views.story import Story, person, tell_story

pytestmark = pytest.mark.django_db


def blame(key: str) -> Incident:
    """An incident that blames a deploy of that name, the same one when it is there."""
    now = timezone.now()
    deploy, _ = Deploy.objects.get_or_create(
        key=key, defaults={"target": "kernel", "kind": "upgrade", "started_at": now}
    )
    words = {"deploy": deploy, "headline": "x", "began_at": now, "opened_at": now}
    return Incident.objects.get_or_create(verdict="deploy", subject=key, defaults=words)[0]


@pytest.fixture
def story() -> Story:
    return tell_story()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def responder(said: list[str]) -> Responder:
    user = person("robin", "administrator")
    return Responder(Actor("person", "robin", user.pk), said.append, patience_seconds=0.3)


@pytest.fixture
def while_waiting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """What others do whenever the responder waits."""

    def begin(work: Callable[[], object]) -> None:
        monkeypatch.setattr("config.demo.responder.time.sleep", lambda _seconds: work())

    return begin


def drive_all() -> None:
    for key in RunStep.objects.filter(state=StepState.RUNNING).values_list("pk", flat=True):
        drive_step(key)


def test_only_a_deploy_that_is_blamed_now_is_waited_for(responder: Responder, story: Story) -> None:
    now = timezone.now()
    Incident.objects.filter(pk=story.incident.pk).update(state="resolved")
    Incident.objects.create(verdict="host", subject="h1", headline="x", began_at=now, opened_at=now)
    with pytest.raises(GaveUp, match=r"Waited 0.3 s for an incident that names a deploy, in vain"):
        responder.await_incident()
    later = blame("d9")
    assert responder.await_incident() == later
    Incident.objects.filter(pk=story.incident.pk).update(state="open")
    assert responder.await_incident() == story.incident


def test_an_incident_that_opens_meanwhile_is_found(
    responder: Responder, while_waiting: Callable[[Callable[[], object]], None]
) -> None:
    while_waiting(lambda: blame("d9"))
    assert responder.await_incident().subject == "d9"


def test_it_takes_the_incident_closes_the_gate_and_says_where_it_cannot_go_on(
    responder: Responder, story: Story, said: list[str], while_waiting: Callable[[Callable[[], object]], None]
) -> None:
    while_waiting(drive_all)
    with pytest.raises(GaveUp, match=r"^Verify images .*: The suspected deploy names no stack image"):
        responder.respond(story.incident)
    story.incident.refresh_from_db()
    assert (story.incident.state, story.incident.acknowledged_by) == ("acknowledged", "robin")
    assert gate_of("cedar-14")
    assert said[0] == f"{story.incident}: {story.incident.headline}"
    assert said[-1] == "  The deploy gate of cedar-14 is closed."


def test_a_step_that_nobody_carries_out_is_not_waited_for_for_ever(responder: Responder, story: Story) -> None:
    with pytest.raises(GaveUp, match=r"Waited 0.3 s for the end of 'Close the deploy gate'"):
        responder.respond(story.incident)


def test_a_step_that_fails_is_told_with_its_words(
    responder: Responder, story: Story, while_waiting: Callable[[Callable[[], object]], None]
) -> None:
    running = RunStep.objects.filter(state=StepState.RUNNING)
    while_waiting(lambda: running.update(state=StepState.FAILED, message="the disk is full"))
    with pytest.raises(GaveUp, match=r"Close the deploy gate: failed. the disk is full"):
        responder.respond(story.incident)


@pytest.mark.parametrize(
    ("bearings", "choice"),
    [
        (["for", "for"], "yes"), (["for", "neutral"], "yes"), (["for", "against"], "no"), (["against"], "no"),
        ([], "no"),
    ],
)  # fmt: skip
def test_it_decides_by_what_the_hosts_answered(
    responder: Responder, story: Story, bearings: list[str], choice: str
) -> None:
    start_run(incident=story.incident, runbook="overwritten-image", now=timezone.now(), actor=responder.actor)
    Evidence.objects.create(
        incident=story.incident, kind="kernel", bearing="against", summary="x", observed_at=timezone.now()
    )
    for place, bearing in enumerate(bearings):
        Evidence.objects.create(
            incident=story.incident, host=story.hosts[place], kind="verification", bearing=bearing, summary="x",
            observed_at=timezone.now(),
        )  # fmt: skip
    steps = RunbookRun.objects.get().steps
    assert responder._choice(steps.get(key="decide")) == {"choice": choice}
    assert responder._choice(steps.get(key="taint")) == {}


def test_the_stage_has_somebody_to_sign_in_and_a_token_for_the_deploy_tool() -> None:
    (first, old), (again, new) = make_responder(), make_responder()
    assert first == again
    assert authenticate(username="responder", password=old) is None
    user = authenticate(username="responder", password=new)
    assert user is not None
    assert user.has_perm("incidents.respond")
    made = make_credentials(tale="t1", now=timezone.now())
    token = token_of(made.token, now=timezone.now())
    assert token is not None
    assert (made.source, sorted(token.scopes)) == ("lab-t1", ["deploys", "read"])
