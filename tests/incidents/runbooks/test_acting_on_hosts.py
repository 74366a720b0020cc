"""Steps that act, against simulated hosts over real SSH: hosts that are away, that go silent, and people between."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from fleet.actions import taint_hosts, untaint_hosts
from fleet.lab.fleets import IMAGE, lost_and_doubled
from fleet.lab.simulated import STACK
from fleet.migration.mover import cancel_migration
from fleet.models import Dyno, Host, Migration, Move, Operation, Stack, StackImage, Taint
from incidents.errors import Refused
from incidents.models import Evidence, Incident, RunStep
from incidents.runbooks import deciding, driving
from incidents.runbooks.actions import ACTIONS
from incidents.runbooks.confirming import prepare_step
from incidents.runbooks.steps import StepContext
from tests.incidents.runbooks.running import (
    ANA,
    BEN,
    LOOK,
    MIGRATE,
    NOW,
    TAINT,
    begin,
    confirm,
    drive,
    take,
    told,
    turn,
)

Make = Callable[..., tuple[Any, Any, list[Host]]]
VERIFY = {
    "key": "verify", "kind": "act", "title": "Verify",
    "options": {"action": "verify", "targets": "sample", "suspects": 2},
}  # fmt: skip


@pytest.fixture
def lab(enrolled_lab: Make, incident: Incident, settings: Any) -> tuple[Any, Any, list[Host]]:
    """Two old hosts that the incident names, three new ones, six dynos."""
    settings.BLAST_RADIUS_SHARE = 0.5
    running, lab, hosts = enrolled_lab(sources=2, targets=3, dynos=6)
    for host in hosts:
        if host.name.startswith("old"):
            incident.incident_hosts.create(host=host, since_at=NOW)
    return running, lab, hosts


def is_tainted(lab: Any, name: str) -> bool:
    return bool(lab.host(name).machine.facts({})["tainted"])


def standing() -> list[str]:
    return list(Taint.objects.standing().order_by("host__name").values_list("host__name", flat=True))


def test_a_host_out_of_reach_fails_the_step_and_trying_again_sends_it_again(lab: Any, incident: Incident) -> None:
    running, machines, _ = lab
    run = begin(incident, TAINT, LOOK)
    running.do(machines.host("old-1").refuse())
    step = take(run)
    assert (step.state, standing()) == ("failed", ["old-1", "old-2"])
    assert "Tainted: 1 of 2 hosts" in step.message
    running.do(machines.host("old-1").listen())
    deciding.retry_step(step=step, now=timezone.now(), actor=ANA)
    step = take(run)
    assert (step.state, step.message) == ("succeeded", "Tainted: 2 of 2 hosts.")
    assert is_tainted(machines, "old-1")
    assert Taint.objects.count() == 2


def test_a_lost_answer_is_unknown_and_asking_again_finds_that_it_was_done(lab: Any, incident: Incident) -> None:
    _, machines, _ = lab
    run = begin(incident, TAINT, LOOK)
    faults = machines.host("old-1").machine.faults
    faults.drop, faults.drop_verb, faults.drops_left = "after", "taint", 1
    step = take(run)
    assert step.state == "unknown"
    assert "1 did not say what became of it" in step.message
    deciding.retry_step(step=step, now=timezone.now(), actor=BEN)
    assert drive(step).state == "succeeded"
    assert Operation.objects.get(host__name="old-1").attempts == 2
    assert turn(run).key == "look"


def test_a_worker_killed_between_the_act_and_its_record_acts_once(
    lab: Any, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, machines, _ = lab
    step = confirm(turn(begin(incident, TAINT, LOOK)))

    class Killed(BaseException):
        """As SIGKILL ends everything at this very place."""

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as kill:
        kill.setattr(driving, "settle_step", killed)
        with pytest.raises(Killed):
            driving.drive_step(step.pk)
    step.refresh_from_db()
    assert step.state == "running"
    assert is_tainted(machines, "old-1")
    RunStep.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert drive(step).state == "succeeded"
    assert set(Operation.objects.values_list("attempts", flat=True)) == {1}


def test_a_persons_untaint_is_respected_by_what_comes_later(lab: Any, incident: Incident) -> None:
    _, _, hosts = lab
    run = begin(incident, TAINT, MIGRATE)
    assert take(run).state == "succeeded"
    untaint_hosts(
        hosts=[host for host in hosts if host.name == "old-1"], proof={"summary": "memory tested"}, actor=BEN,
        now=timezone.now(),
    )  # fmt: skip
    step = take(run)
    assert step.state == "succeeded", step.message
    assert [target["host"] for target in step.prepared["targets"]] == ["old-2"]
    assert Dyno.objects.filter(host__name="old-1").count() == 3
    assert not Move.objects.filter(target__name="old-1").exists()
    incident.runs.update(state="cancelled")
    shown = prepare_step(step=turn(begin(incident, TAINT)), now=NOW).prepared
    assert [target["host"] for target in shown["targets"]] == ["old-2"]
    assert shown["warnings"] == ["ben lifted the taint of old-1, so it is left alone."]


def test_a_host_that_somebody_else_tainted_is_emptied_too(lab: Any, incident: Incident) -> None:
    _, _, hosts = lab
    old = [host for host in hosts if host.name == "old-1"]
    taint_hosts(hosts=old, reason="looks sick", reference="", actor=BEN, now=timezone.now())
    run = begin(incident, TAINT, MIGRATE)
    assert take(run).message == "Tainted: 2 of 2 hosts."
    assert take(run).message == "6 of 6 dynos moved."
    assert set(Dyno.objects.values_list("host__name", flat=True)) <= {"new-1", "new-2", "new-3"}


def test_a_migration_that_fails_half_way_is_finished_by_retrying_the_failed_alone(lab: Any, incident: Incident) -> None:
    _, machines, _ = lab
    run = begin(incident, TAINT, MIGRATE, LOOK)
    take(run)
    step = confirm(turn(run))
    victim = Move.objects.order_by("position").first()
    assert victim is not None
    Move.objects.filter(pk=victim.pk).update(state="failed", finished_at=timezone.now(), message="it would not start")
    assert drive(step).state == "failed"
    assert "5 of 6 dynos moved; 1 dyno is still on hosts" in step.message
    again = deciding.retry_moves(
        migration=Migration.objects.get(pk=step.result["migration"]), now=timezone.now(), actor=ANA
    )
    step.refresh_from_db()
    assert (step.state, step.result["migration"], again.moves.count()) == ("running", again.pk, 1)
    assert drive(step).state == "succeeded"
    assert lost_and_doubled(machines, list(Dyno.objects.values_list("name", flat=True))) == (0, 0)
    assert turn(run).key == "look"


def test_cancelling_a_migration_ends_its_step_with_the_truth(lab: Any, incident: Incident) -> None:
    run = begin(incident, TAINT, MIGRATE, LOOK)
    take(run)
    step = confirm(turn(run))
    migration = Migration.objects.get()
    moving = migration.moves.order_by("position").first()
    assert moving is not None
    migration.moves.filter(pk=moving.pk).update(state="starting", started_at=timezone.now())
    cancel_migration(migration=migration, actor=BEN, now=timezone.now())
    Migration.objects.update(lease_owner="another", lease_until=timezone.now() + timedelta(seconds=30))
    assert drive(step).state == "running"  # one move is still on its way, in another worker's hands
    Migration.objects.update(lease_owner="", lease_until=None)
    assert drive(step).state == "failed"
    assert "1 of 6 dynos moved; 5 dynos are still on hosts that were to be emptied." in step.message
    assert [host.state for host in Host.objects.filter(name__startswith="old")] == ["tainted", "tainted"]


def test_moves_that_are_others_by_the_time_they_begin_are_refused(lab: Any, incident: Incident) -> None:
    run = begin(incident, TAINT, MIGRATE)
    take(run)
    step = prepare_step(step=turn(run), now=NOW)
    Host.objects.filter(name=step.prepared["moves"][0]["target"]).update(state="tainted")
    with pytest.raises(Refused, match="fleet has changed"):
        ACTIONS["migrate"].begin(
            StepContext(step, timezone.now(), ANA), list(Host.objects.filter(name__startswith="old"))
        )
    assert not Migration.objects.exists()


@pytest.fixture
def image(incident: Incident) -> StackImage:
    assert incident.deploy is not None
    found = StackImage.objects.get_or_create(stack=Stack.objects.get(name=STACK), digest=IMAGE)[0]
    incident.deploy.stack, incident.deploy.image = found.stack, found
    incident.deploy.save()
    return found


def test_evidence_is_kept_once_and_a_host_that_says_nothing_proves_nothing(
    lab: Any, incident: Incident, image: StackImage
) -> None:
    run = begin(incident, VERIFY, LOOK)
    step = take(run)
    assert step.state == "succeeded", step.message
    assert Evidence.objects.count() == 4
    Operation.objects.filter(verb="verify", host__name="old-1").update(result={})
    RunStep.objects.filter(pk=step.pk).update(state="running")
    Evidence.objects.all().delete()
    for _ in range(2):
        RunStep.objects.filter(pk=step.pk).update(state="running")
        step = drive(step)
    assert Evidence.objects.count() == 4
    silent = Evidence.objects.get(host__name="old-1")
    assert (silent.bearing, silent.data["finding"]) == ("neutral", "unclear")


def test_a_host_that_was_never_enrolled_is_told_apart(lab: Any, incident: Incident) -> None:
    stranger = Host.objects.create(name="stranger", state="in_service", added_at=NOW)
    incident.incident_hosts.filter(host__name="old-2").delete()
    incident.incident_hosts.create(host=stranger, since_at=NOW)
    run = begin(incident, TAINT, MIGRATE)
    step = take(run)
    assert step.message == "Tainted: 1 of 1 host. Not enrolled, so the mark holds here alone: stranger."
    assert standing() == ["old-1", "stranger"]
    assert "Tainted old-1, stranger" in " ".join(told(incident))
    assert [target["host"] for target in take(run).prepared["targets"]] == ["old-1"]
