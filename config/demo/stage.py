"""Sets the stage of the demo: people, tokens, the lab's hosts and a quiet past."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from fleet.actor import SYSTEM, Actor
from fleet.collecting import collect_hosts
from fleet.enrolment import enrol_host
from fleet.ingest.crashes import ingest_crashes
from fleet.ingest.sources import create_source
from fleet.ingest.tokens import issue_token
from fleet.lab.base import LabHost
from fleet.lab.past import PlacedDyno, quiet_past
from fleet.models import Dyno
from fleet.partitions import keep_partitions
from incidents.people import set_person

RESPONDER = "responder"
PAST_TICKS = 400


@dataclass(frozen=True)
class Credentials:
    """What the lab's deploy tool needs to talk to Faultline."""

    source: str
    secret: str
    token: str


def make_responder() -> tuple[Actor, str]:
    """The person who answers the story, with a new password each time."""
    user, password = set_person(name=RESPONDER, role="administrator")
    return Actor("person", user.get_username(), user.pk), password


@transaction.atomic
def make_credentials(*, tale: str, now: datetime) -> Credentials:
    """A webhook source and a token for the lab's deploy tool."""
    source, secret = create_source(name=f"lab-{tale}", format="faultline", now=now)
    _, token = issue_token(name=f"lab {tale}", scopes=["read", "deploys"], actor=SYSTEM, now=now)
    return Credentials(source.name, secret, token)


def enrol_lab(hosts: Sequence[LabHost], *, client_key: Path, now: datetime) -> None:
    """Enrols the lab's hosts and reads their dynos over SSH, once, before anything else watches."""
    for host in hosts:
        enrol_host(
            name=host.name,
            address=host.address,
            port=host.port,
            ssh_user=host.user,
            host_key=host.host_key,
            attributes=dict(host.attributes),
            memory_mb=host.memory_mb,
            slots=host.slots,
            actor=SYSTEM,
            now=now,
        )
    settings.SSH_KEY_FILE = client_key
    collect_hosts(now=now)


def load_past(*, crashes_per_dyno_hour: float, seed: int, now: datetime) -> int:
    """Gives the fleet a quiet past, marked as recorded; gives the number of its crashes."""
    keep_partitions(now=now)
    placed = Dyno.objects.placed().order_by("name").values_list("name", "app__name", "host__name")
    seconds = PAST_TICKS * settings.TICK_SECONDS
    past = quiet_past(
        [PlacedDyno(*row) for row in placed],
        until=now,
        seconds=seconds,
        crashes_per_dyno_hour=crashes_per_dyno_hour,
        seed=seed,
    )
    return ingest_crashes(lines=past, source="recorded", now=now, recorded=True).accepted
