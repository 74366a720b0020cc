"""One night in scenes, each told onto the one before: no hosts, a quiet fleet, trouble, a migration, the end of it."""

import random
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from fleet.actions import taint_hosts
from fleet.actor import SYSTEM, Actor
from fleet.lab.simulated.demo import APPS, IMAGES, STACK
from fleet.migration.mover import create_migration, propose, start_migration
from fleet.models import App, CrashKind, CrashMinute, Deploy, Dyno, Host, HostDeploy, Migration, Stack, StackImage
from fleet.partitions import CRASHES, MINUTES, ensure_partitions
from incidents.gates import open_gate
from incidents.lifecycle import StepState
from incidents.models import Backtest, Evidence, Incident, IncidentHost, RunbookRun, RunStep, Suspect
from incidents.notifying.queueing import Occasion, tell_people
from incidents.notifying.sending import claim_due, keep_outcome
from incidents.responding import acknowledge_incident, add_note, file_report, resolve_incident
from incidents.runbooks.confirming import confirm_step, prepare_step
from incidents.runbooks.driving import drive_step
from incidents.runbooks.runs import start_run
from incidents.timeline.record import record
from tests.incidents.notifying.receiver import channel_to
from tests.incidents.views.story import person

PASSWORD = "quiet-night-17"
ROBIN = Actor("person", "robin")
MINUTE = timedelta(minutes=1)
HEADLINE = (
    "Redeploy d3 of cedar-14 probably damages hosts with tools 1.9: "
    "13 of 14 such hosts, 9.1 times [5.2, 15.8] the crashes of the others"
)
LONG_HOST = "rt-euw1-build-cache-and-artifact-storage-0042.compute.internal.example.net"
LONG_APP = "customer-invoices-and-quarterly-statements-renderer-production-eu"


def people() -> None:
    """One of each role."""
    for name, role in {"robin": "responder", "vera": "viewer", "ada": "administrator"}.items():
        person(name, role)


def quiet() -> None:
    """A fleet of 64 hosts with its normal crashes, and deploys that did no harm."""
    now, dice = timezone.now(), random.Random(4)
    times = [now - timedelta(days=1), now, now + timedelta(hours=2)]
    for table in (CRASHES, MINUTES):
        ensure_partitions(table, times=times)
    stack = Stack.objects.create(name=STACK)
    image = StackImage.objects.create(stack=stack, digest=IMAGES["original"], version="2016.11.28")
    apps = App.objects.bulk_create(App(name=name) for name in [*APPS, LONG_APP])
    hosts = Host.objects.bulk_create(_host(place, now) for place in range(64))
    Dyno.objects.bulk_create(
        Dyno(
            name=f"{app.name}.web.{host.pk}", app=app, host=host, stack=stack, image=image, state="running",
            memory_mb=64, started_at=now - timedelta(days=9), changed_at=now,
        )
        for host in hosts
        for app in dice.sample(apps, 2 if host.attributes["provisioned"] == "fresh" else 9)
    )  # fmt: skip
    rows = [
        _crashes(host, apps[(host.pk + age) % len(apps)], now - age * MINUTE, dice.choice([0, 0, 1, 2]))
        for age in range(1, 200)
        for host in dice.sample(hosts, 3)
    ]
    CrashMinute.objects.bulk_create(rows, ignore_conflicts=True)
    _deploy("d1", "upgrade", now - 95 * MINUTE, hosts[:30], "installed", target="kernel")
    _deploy("d2", "upgrade", now - 50 * MINUTE, hosts[20:22], "installed", stack=stack, image=image)


def trouble() -> Incident:
    """A redeploy rewrites the image on hosts with old tools; the incident names it, nobody has taken it yet."""
    now, dice = timezone.now(), random.Random(5)
    stack, image = Stack.objects.get(), StackImage.objects.get()
    deployed = [host for host in Host.objects.order_by("name") if host.attributes["provisioned"] != "fresh"]
    old = [host for host in deployed if host.attributes["tools"] == "1.9"]
    deploy = _deploy("d3", "redeploy", now - 24 * MINUTE, deployed, "skipped", stack=stack, image=image)
    HostDeploy.objects.filter(deploy=deploy, host__in=old).update(outcome="overwrote")
    apps = list(App.objects.all())
    CrashMinute.objects.bulk_create(
        (
            _crashes(host, dice.choice(apps), now - age * MINUTE, dice.choice([3, 3, 3, 4]), dice.randint(1, 2))
            for host in old[:-1]
            for age in range(2, 19)
            if dice.random() < 0.7
        ),
        ignore_conflicts=True,
    )
    Host.objects.filter(name=deployed[3].name).update(feed_at=now - timedelta(hours=9), trouble=SILENT)
    Host.objects.create(name="h99.named-only", state="unknown", added_at=now)
    return _incident(deploy, old, now)


def _incident(deploy: Deploy, old: list[Host], now: datetime) -> Incident:
    incident = Incident.objects.create(
        verdict="deploy", subject="d3", headline=HEADLINE, deploy=deploy, stack=deploy.stack, cohort={"tools": "1.9"},
        began_at=now - 18 * MINUTE, opened_at=now - 14 * MINUTE, numbers=NUMBERS,
    )  # fmt: skip
    Incident.objects.create(
        verdict="app", subject=LONG_APP, severity="notice", began_at=now - 40 * MINUTE, opened_at=now - 35 * MINUTE,
        headline=f"{LONG_APP} crashes by itself, wherever it runs: a notice to its owner",
        numbers=NOTICE,
    )  # fmt: skip
    IncidentHost.objects.bulk_create(IncidentHost(incident=incident, host=host, since_at=now) for host in old[:-1])
    for key, score, told in (("d3", 14.2, (FOR, AGAINST)), ("d1", 2.0, (["same minutes"], ["mostly well hosts"]))):
        Suspect.objects.create(
            incident=incident, deploy=Deploy.objects.get(key=key), score=score, updated_at=now, speaks_for=told[0],
            rate_ratio=9.1 if key == "d3" else 1.6, interval=[5.2, 15.8] if key == "d3" else [0.8, 2.9],
            speaks_against=told[1],
        )  # fmt: skip
    for host in old[:2]:
        Evidence.objects.create(
            incident=incident, host=host, kind="kernel", bearing="for", observed_at=now - 6 * MINUTE,
            summary=f"{host}: SQUASHFS error: Unable to read data cache entry [3f1c2a], on loop7",
        )  # fmt: skip
        record(
            incident_id=incident.pk, kind="hosts", text=f"{host} joined.", actor=SYSTEM, occurred_at=now - 9 * MINUTE
        )
    report = "checkout has been segfaulting since about noon, restarting does not help"
    file_report(text=report, actor=ROBIN, now=now, incident=incident, app=App.objects.get(name="checkout"))
    return incident


def settings() -> None:
    """Whom to tell, what was told, and a backtest with a result."""
    now, incident = timezone.now(), Incident.objects.get(pk=1)
    for name in ("on call", "second on call"):
        channel_to("json://127.0.0.1:1/nobody-listens-here", name=name)
    tell_people(incident_id=incident.pk, occasion=Occasion.OPENED, now=now)
    sent, failed = claim_due(now=now)
    keep_outcome(sent, error="", now=now)
    keep_outcome(failed, error="A Connection error occurred sending JSON notification to 127.0.0.1.", now=now)
    side = {
        "at": now.timestamp(), "verdict": "deploy", "subject": "d3", "hosts": 8, "score": 14.2, "incident": incident.pk,
        "words": "Redeploy d3 of cedar-14 on hosts with tools 1.9",
    }  # fmt: skip
    earlier = {**side, "at": now.timestamp() - 240}
    more = {**side, "at": now.timestamp() - 5400, "verdict": "host", "subject": "h07", "hosts": 1, "words": "h07 alone"}
    rows = [{"would": more, "was": None, "difference": "would have been paged, and was not", "notice": False}]
    rows += [{"would": side, "was": earlier, "difference": "4 minutes later", "notice": False}]
    result = {"summary": ["1 page more"], "would": 2, "was": 1, "rows": rows, "left_out": 0}
    asked = {"changes": {"page_score": 12}, "since_at": now - timedelta(hours=3), "until_at": now}
    asked |= {"requested_at": now, "requested_by": "ada"}
    Backtest.objects.create(state="done", result=result, **asked)
    Backtest.objects.create(state="running", progress=0.42, **asked)


def take() -> RunbookRun:
    """Robin takes it, writes a note and brings the runbook to its fourth step: the taint is about to be confirmed."""
    now, incident = timezone.now(), Incident.objects.get(subject="d3")
    acknowledge_incident(incident=incident, actor=ROBIN, now=now)
    add_note(incident=incident, text="Status page says “investigating”.\nCalled the stack team.", actor=ROBIN, now=now)
    run = start_run(incident=incident, runbook="overwritten-image", now=now, actor=ROBIN)
    gate = prepare_step(step=run.steps.get(key="close-gate"), now=now, actor=ROBIN)
    confirm_step(step=gate, digest=gate.digest, choice={}, now=now, actor=ROBIN)
    drive_step(gate.pk)
    named = list(incident.incident_hosts.values_list("host__name", flat=True)[:3])
    answers = [_answer(name, "suspect", "damaged", CHANGED) for name in named]
    answers += [_answer(name, "control", "intact", INTACT) for name in ("h03", "h05")]
    done = {"state": StepState.SUCCEEDED, "confirmed_by": "robin", "started_at": now, "finished_at": now}
    steps = RunStep.objects.filter(run=run)
    told = "Verified images; 3 found changed under running dynos: 5 of 5 hosts."
    steps.filter(key="verify").update(**done, result={"hosts": answers}, message=told)
    steps.filter(key="decide").update(**done, message="Yes, the images were changed under running dynos.")
    steps.filter(key="taint").update(state=StepState.READY)
    return run


def migrate() -> Migration:
    """The hosts are tainted and their dynos half way to fresh hosts; one move failed, of one nobody knows."""
    now, incident = timezone.now(), Incident.objects.get(subject="d3")
    sources = list(Host.objects.filter(incident_hosts__incident=incident).order_by("name"))
    reason = f"{incident}: {incident.headline}"
    taint_hosts(hosts=sources, reason=reason, reference=incident.reference, actor=ROBIN, now=now)
    shunned = list(HostDeploy.objects.values_list("host_id", flat=True))
    plan = propose(sources=sources, avoid=shunned)
    migration = create_migration(plan=plan, reference=incident.reference, actor=ROBIN, now=now)
    start_migration(migration=migration, actor=ROBIN, now=now - timedelta(seconds=25))
    moves = list(migration.moves.order_by("position"))
    for states, some in (
        ({"state": "done", "finished_at": now}, moves[:40]), ({"state": "starting"}, moves[40:44]),
        ({"state": "healthy"}, moves[44:46]), ({"state": "failed", "message": REFUSED}, moves[46:47]),
        ({"state": "unknown", "message": SILENCE}, moves[47:48]),
    ):  # fmt: skip
        migration.moves.filter(pk__in=[move.pk for move in some]).update(**states)
    steps = RunStep.objects.filter(run__incident=incident)
    done = {"state": StepState.SUCCEEDED, "confirmed_by": "robin", "started_at": now, "finished_at": now}
    steps.filter(key="taint").update(**done, message=f"Tainted: {len(sources)} of {len(sources)} hosts.")
    told = f"40 of {len(moves)} dynos moved so far."
    begun = {"state": StepState.RUNNING, "confirmed_by": "robin", "started_at": now}
    steps.filter(key="migrate").update(**begun, message=told, result={"migration": migration.pk})
    return migration


def pause() -> None:
    """The migration paused by itself."""
    why = "5 attempts failed; 4 are allowed."
    Migration.objects.update(state="paused", trouble=why)
    RunStep.objects.filter(key="migrate").update(message=f"40 of 117 dynos moved so far. {why}")


def falter() -> None:
    """The migration is over, a dyno stayed behind, and the step did not reach its end."""
    migration = Migration.objects.get()
    migration.moves.exclude(state="failed").update(state="done", message="", finished_at=timezone.now())
    Migration.objects.update(state="done", trouble="", finished_at=timezone.now())
    told = "116 of 117 dynos moved; the others are where they were."
    RunStep.objects.filter(key="migrate").update(state=StepState.FAILED, message=told)


def resolve() -> None:
    """Everything moved, every step done, the incident resolved."""
    now, incident = timezone.now(), Incident.objects.get(subject="d3")
    Migration.objects.update(state="done", trouble="", finished_at=now)
    migration = Migration.objects.get()
    migration.moves.update(state="done", message="", finished_at=now)
    Host.objects.filter(state="draining").update(state="drained")
    done = {"state": StepState.SUCCEEDED, "confirmed_by": "robin", "started_at": now, "finished_at": now}
    RunStep.objects.exclude(state=StepState.SUCCEEDED).update(**done, message="Done.")
    RunbookRun.objects.update(state="done", finished_at=now)
    open_gate(stack=Stack.objects.get(), actor=ROBIN, now=now, reason="every image is protected")
    resolve_incident(incident=incident, actor=ROBIN, now=now, note="every dyno runs on a fresh host")
    Incident.objects.filter(severity="notice").update(state="dismissed", resolved_at=now)


def _host(place: int, now: datetime) -> Host:
    fresh = place >= 45
    attributes = {
        "zone": "abc"[place % 3], "kernel": "4.4.0-53" if place % 2 else "4.4.0-47",
        "tools": "2.0" if fresh or place % 7 > 1 else "1.9", "provisioned": "fresh" if fresh else "2016-07",
    }  # fmt: skip
    return Host(
        name=LONG_HOST if place == 8 else f"h{place + 1:02d}", state="in_service", attributes=attributes,
        address="10.0.0.7", ssh_user="faultline", host_key="ssh-ed25519 AAAAC3Nza", memory_mb=1024, slots=16,
        added_at=now - timedelta(days=30), seen_at=now, feed_at=now,
        provisioned_at=now - timedelta(days=40),
    )  # fmt: skip


def _deploy(key: str, kind: str, at: datetime, hosts: list[Host], outcome: str, **more: Any) -> Deploy:
    deploy = Deploy.objects.create(
        key=key, kind=kind, started_at=at, finished_at=at + 4 * MINUTE, by="deploys@example.net",
        **{"target": "stack", **more},
    )  # fmt: skip
    HostDeploy.objects.bulk_create(
        HostDeploy(deploy=deploy, host=host, at=at + place * timedelta(seconds=4), outcome=outcome, tools_version="2.0")
        for place, host in enumerate(hosts)
    )
    return deploy


def _crashes(host: Host, app: App, at: datetime, kind: int, count: int = 1) -> CrashMinute:
    minute = at.replace(second=0, microsecond=0)
    return CrashMinute(
        minute=minute, host=host, app_id=app.pk, kind=CrashKind(kind), count=count, first_at=minute,
        first_received_at=minute, recorded=False,
    )  # fmt: skip


def _answer(host: str, role: str, finding: str, output: str) -> dict[str, Any]:
    return {"host": host, "role": role, "finding": finding, "output": output, "state": "succeeded", "seconds": 1.4}


NUMBERS: dict[str, Any] = {
    "rate_ratio": 9.1, "interval": [5.2, 15.8], "hosts_hit": 13, "hosts_exposed": 14, "controls": 50,
    "lag_seconds": 320, "standing": True,
}  # fmt: skip
NOTICE: dict[str, Any] = {
    "rate_ratio": 12.4, "interval": [0.0, 0.0], "hosts_hit": 7, "controls": 0, "lag_seconds": None, "standing": True,
    "severity": {"words": "Notice: one app's own matter, told to its owner"},
    "for": ["94% of what is new in the fleet is this app, on 7 hosts"], "against": [],
}  # fmt: skip
FOR = ["crashes began on each host within six minutes of its own deploy", "13 of 14 exposed hosts with tools 1.9 crash"]
AGAINST = ["one such host is well"]
SILENT = "It did not answer within 10 s when its crashes were to be read; asked again in 40 s."
CHANGED = "The file changed after 9 dynos started on it; 4 of 64 samples differ from the page cache."
INTACT = "The digest is right, nothing changed since any dyno started."
REFUSED = "h47: no_capacity: 64 MB asked for, 12 MB are free. Given up after 4 attempts."
SILENCE = "h52 did not say what became of the start: the connection was lost."
