"""A small simulated fleet, some of it told late, as lines of a replay file and as rows of the database."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from django.db import transaction

from fleet.actor import SYSTEM
from fleet.ingest.crashes import ingest_crashes
from fleet.ingest.deploys import record_facts
from fleet.ingest.dynos import put_dynos
from fleet.ingest.formats import faultline
from fleet.ingest.inventory import put_hosts
from incidents import watch
from incidents.correlation.replay import as_json, replay, stamp
from incidents.correlation.simulation.recording import START, record, tell
from incidents.models import Incident, Notice, Watch
from incidents.watching.watcher import Watcher

FIRST, MINUTES = 200, 300  # nothing is told of the time before
BEGINS = datetime.fromtimestamp(START, UTC)
Line = dict[str, Any]


def minute(number: float) -> datetime:
    return BEGINS + timedelta(minutes=number)


def known_at(line: Line) -> str:
    return str(line.get("received_at") or line.get("at") or "")


@dataclass(frozen=True)
class Recording:
    """Lines in order of arrival; `subject` is the deploy to blame."""

    inventory: tuple[Line, ...]
    dated: tuple[Line, ...]
    subject: str

    def replayed(self) -> list[Line]:
        """Pages and updates, as `manage.py replay --json` prints them."""
        lines = ((f"line:{n}", json.dumps(line)) for n, line in enumerate((*self.inventory, *self.dated), 1))
        return sorted((as_json(notice) for notice in replay(lines)), key=order)


@cache
def recording(scenario: str = "overwritten_image", seed: int = 4, *, hosts: int = 44, dynos: int = 12) -> Recording:
    """A third of what the guilty deploy did, and five minutes of one host's crashes, are told ten minutes late.

    So are two in a hundred of all crashes, by a few minutes.
    """
    story = tell(scenario, seed=seed, hosts=hosts, dynos=dynos, minutes=MINUTES)
    lines = [json.loads(line) for line in record(story)]
    subject = story.truth.subject or ""
    late_host = story.fleet.names[int(np.isfinite(story.truth.faults[0].hurt).argmax())]
    onset = minute(story.truth.onset or 0)
    for line in lines:
        at = datetime.fromisoformat(line["at"]) if "at" in line else BEGINS
        is_late_host = line.get("host") == late_host and onset <= at < onset + timedelta(minutes=5)
        if (line["type"] == "host_deploy" and line["deploy"] == subject and int(line["host"][-2:]) % 3 == 0) or (
            line["type"] == "crash" and is_late_host
        ):
            line["received_at"] = stamp((at + timedelta(minutes=10)).timestamp())
    inventory = [line for line in lines if line["type"] in {"host", "dyno"}]
    begins = stamp(minute(FIRST).timestamp())
    before = {line["deploy"] for line in lines if line["type"] == "deploy" and line["at"] <= begins}
    told = [line for line in lines if line.get("at", "") > begins and line.get("deploy") not in before]
    dated = sorted(told, key=known_at)
    return Recording(tuple(inventory), tuple(dated), subject)


def order(line: Line) -> tuple[Any, ...]:
    return line["at"], bool(line.get("update")), line["verdict"], str(line.get(line["verdict"]))


def store(recorded: Recording) -> None:
    """All rows at once; each bears when it was received."""
    put_hosts(records=[line for line in recorded.inventory if line["type"] == "host"], now=BEGINS, actor=SYSTEM)
    put_dynos(records=[line for line in recorded.inventory if line["type"] == "dyno"], now=BEGINS, actor=SYSTEM)
    for line in recorded.dated:
        if line["type"] != "crash":
            parsed = faultline.parse(line)
            record_facts(facts=parsed.facts, source="ci", now=datetime.fromisoformat(known_at(line)))
    crashes = [line for line in recorded.dated if line["type"] == "crash"]
    assert not ingest_crashes(lines=crashes, source="test", now=minute(MINUTES), recorded=True).rejected


def watch_minutes(watcher: Watcher, minutes: Iterable[float]) -> None:
    """Ticks shortly after the end of each of these minutes."""
    for number in minutes:
        assert watch.tick(now=minute(number) + timedelta(seconds=3), watcher=watcher) is not None


def sent() -> list[Line]:
    """Pages and updates that went out."""
    return sorted((notice.content for notice in Notice.objects.all()), key=order)


def held() -> list[dict[str, Any]]:
    """What stands in the incidents, without when it was written."""
    rows = []
    for incident in Incident.objects.order_by("verdict", "subject"):
        named = incident.incident_hosts.filter(until_at__isnull=True).order_by("host__name")
        numbers = {name: value for name, value in incident.numbers.items() if name not in {"told", "silent", "late"}}
        rows.append(
            {
                "cause": (incident.verdict, incident.subject, incident.cohort, incident.headline),
                "hosts": list(named.values_list("host__name", flat=True)),
                "numbers": numbers,
                "began_at": incident.began_at,
            }
        )
    return rows


def hand_over() -> Watcher:
    """The process that watched is gone; the next one may begin at once."""
    Watch.objects.update(held_until=None)
    return Watcher()


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside is as if it had not been, in the database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
