"""A fleet with an incident, as small or as large as a test wants it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone

from fleet.actor import SYSTEM
from fleet.models import App, CrashKind, CrashMinute, Deploy, Dyno, Host, HostDeploy, Stack
from fleet.partitions import MINUTES, ensure_partitions
from incidents.models import Evidence, Incident, IncidentHost, Suspect
from incidents.timeline.record import record

MINUTE = timedelta(minutes=1)
MAY = {"viewer": [], "responder": ["respond"], "administrator": ["respond", "administer"]}


@dataclass
class Story:
    """What was made."""

    hosts: list[Host]
    deploy: Deploy
    incident: Incident
    now: datetime


def person(name: str, role: str) -> User:
    """Somebody of that role, which has its permissions though a flush may have taken them away."""
    group, _ = Group.objects.get_or_create(name=role)
    group.permissions.add(*Permission.objects.filter(codename__in=MAY[role], content_type__app_label="incidents"))
    user = User.objects.create_user(name, password="quiet-night-17")
    user.groups.add(group)
    return user


def signed_in(role: str, *, name: str = "") -> Client:
    """The browser of somebody of that role."""
    client = Client()
    client.force_login(person(name or role, role))
    return client


def tell_story(*, hosts: int = 6) -> Story:
    """Half of the hosts have old tools and crash since the redeploy; each had a crash before."""
    now = timezone.now()
    this = now.replace(second=0, microsecond=0)
    ensure_partitions(MINUTES, times=[this - timedelta(days=1), this])
    stack = Stack.objects.create(name="cedar-14")
    app = App.objects.create(name="app-1")
    rows = Host.objects.bulk_create(
        Host(
            name=f"h{n:04d}", state="in_service", attributes={"tools": "1.9" if n % 2 else "2.0"}, added_at=now,
            slots=10,
        )
        for n in range(hosts)
    )  # fmt: skip
    Dyno.objects.bulk_create(
        Dyno(name=f"web.{host.name}", app=app, host=host, stack=stack, changed_at=now) for host in rows
    )
    deploy = Deploy.objects.create(
        key="d3", target="stack", kind="redeploy", stack=stack, started_at=this - 20 * MINUTE
    )
    old = [host for host in rows if host.attributes["tools"] == "1.9"]
    HostDeploy.objects.bulk_create(
        HostDeploy(deploy=deploy, host=host, at=this - 20 * MINUTE, outcome="overwrote") for host in old
    )
    CrashMinute.objects.bulk_create(
        _crash(host, app, this - age * MINUTE, recorded=age > 60) for host in old for age in (70, *range(2, 18))
    )
    incident = Incident.objects.create(
        verdict="deploy", subject="d3", headline="Redeploy d3 of cedar-14 damages hosts with tools 1.9", deploy=deploy,
        stack=stack, cohort={"tools": "1.9"}, began_at=this - 18 * MINUTE, opened_at=this - 15 * MINUTE,
        numbers={"rate_ratio": 9.1, "interval": [5.2, 15.8], "hosts_hit": len(old), "standing": True},
    )  # fmt: skip
    IncidentHost.objects.bulk_create(IncidentHost(incident=incident, host=host, since_at=now) for host in old)
    Suspect.objects.create(
        incident=incident, deploy=deploy, score=14.2, rate_ratio=9.1, interval=[5.2, 15.8], updated_at=now,
        speaks_for=["every exposed host crashes"], speaks_against=["one of them is well"],
    )  # fmt: skip
    Evidence.objects.bulk_create(
        Evidence(incident=incident, host=host, kind="kernel", bearing="for", summary=f"{host} lost", observed_at=now)
        for host in old[:20]
    )
    for host in old[:20]:
        record(incident_id=incident.pk, kind="hosts", text=f"{host} joined.", actor=SYSTEM, occurred_at=now)
    return Story(rows, deploy, incident, now)


def _crash(host: Host, app: App, minute: datetime, *, recorded: bool) -> CrashMinute:
    return CrashMinute(
        minute=minute, host=host, app_id=app.pk, kind=CrashKind.SEGV, count=1, first_at=minute,
        first_received_at=minute, recorded=recorded,
    )  # fmt: skip
