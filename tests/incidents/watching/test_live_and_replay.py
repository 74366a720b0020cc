"""A small fleet's trouble over HTTP, some of it late, and the replay of the same records: the same pages."""

import io
import json
import urllib.request
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import call_command

from fleet.actor import SYSTEM
from fleet.ingest.signatures import new_secret, sign
from fleet.ingest.tokens import issue_token
from fleet.models import WebhookSource
from incidents import watch
from incidents.correlation.replay import stamp
from incidents.watching.watcher import Watcher
from tests.incidents.watching.recorded_fleet import (
    FIRST,
    MINUTES,
    Line,
    Recording,
    known_at,
    minute,
    order,
    recording,
    sent,
)


class Sender:
    """An inventory, a crash feed and a deploy tool, on the data's clock."""

    def __init__(self, address: str) -> None:
        self.address, self.secret, self.deliveries = address, new_secret(), 0
        WebhookSource.objects.create(name="ci", secret=self.secret, created_at=minute(0))
        scopes = ["crashes", "inventory", "read"]
        _, self.token = issue_token(name="test", scopes=scopes, actor=SYSTEM, now=minute(0))

    def call(self, path: str, body: bytes | None = None, *, method: str = "POST", **headers: str) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/x-ndjson", **headers}
        request = urllib.request.Request(f"{self.address}{path}", body, headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the test's own server
            return json.load(answer)

    def send(self, path: str, lines: Iterable[Line], *, method: str = "POST") -> None:
        body = "\n".join(json.dumps(line) for line in lines).encode()
        if body:
            assert self.call(path, body, method=method)["rejected"] == []

    def hook(self, event: Line, now: datetime) -> None:
        self.deliveries += 1
        body, delivery, at = json.dumps(event).encode(), f"delivery-{self.deliveries}", int(now.timestamp())
        signature = sign(secret=self.secret, delivery=delivery, timestamp=at, body=body)
        headers = {"webhook-id": delivery, "webhook-timestamp": str(at), "webhook-signature": signature}
        assert self.call("/hooks/ci", body, **headers)["status"] == "accepted"


def events(lines: Iterable[Line]) -> Iterator[Line]:
    """The deliveries of a deploy tool that tells once a minute."""
    lines = list(lines)
    for line in lines:
        if line["type"] == "deploy":
            yield {"type": "deploy.started", "data": line}
    touched = sorted((line for line in lines if line["type"] == "host_deploy"), key=lambda line: str(line["deploy"]))
    for deploy, hosts in groupby(touched, key=lambda line: str(line["deploy"])):
        yield {"type": "host_deploys", "data": {"deploy": deploy, "hosts": list(hosts)}}


def told_by_the_minute(recorded: Recording) -> dict[int, list[Line]]:
    """What is posted at the last second of each minute, with that as the time of its arrival."""
    told: dict[int, list[Line]] = {number: [] for number in range(FIRST, MINUTES)}
    for line in recorded.dated:
        arrived = datetime.fromisoformat(known_at(line))
        number = int((arrived - minute(0)) / timedelta(minutes=1))
        if number in told:
            posted = minute(number) + timedelta(seconds=59)
            told[number].append({**line, "received_at": stamp(posted.timestamp())})
    return told


@pytest.mark.django_db(transaction=True)
def test_the_same_pages_live_and_in_replay(live_server: Any, tmp_path: Path) -> None:
    recorded = recording()
    told = told_by_the_minute(recorded)
    with time_machine.travel(minute(FIRST), tick=False):
        sender, watcher = Sender(live_server.url), Watcher()
        for kind in ("host", "dyno"):
            lines = [line for line in recorded.inventory if line["type"] == kind]
            sender.send(f"/api/v1/{kind}s", lines, method="PUT")
    for number, lines in told.items():
        now = minute(number) + timedelta(seconds=59)
        with time_machine.travel(now, tick=False):
            for event in events(lines):
                sender.hook(event, now)
            sender.send("/api/v1/crashes", (line for line in lines if line["type"] == "crash"))
            assert watch.tick(now=now + timedelta(seconds=4), watcher=watcher) is not None

    path = tmp_path / "recorded.ndjson"
    path.write_text("\n".join(json.dumps(line) for line in [*recorded.inventory, *chain.from_iterable(told.values())]))
    printed = io.StringIO()
    call_command("replay", str(path), "--json", stdout=printed)
    replayed = sorted(map(json.loads, printed.getvalue().splitlines()), key=order)
    live = sent()
    assert [summary(line) for line in live] == [summary(line) for line in replayed]
    for one, other in zip(live, replayed, strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=0.01)
    page = next(line for line in live if line["verdict"] == "deploy")
    assert page["deploy"] == recorded.subject
    with time_machine.travel(minute(MINUTES), tick=False):
        incidents = sender.call("/api/v1/incidents", method="GET")["items"]
    assert (incidents[0]["subject"], incidents[0]["cohort"]) == (recorded.subject, {"tools": "1.9"})


def summary(line: Line) -> Line:
    keys = ("at", "verdict", "deploy", "host", "app", "group", "cohort", "hosts", "update")
    return {key: line[key] for key in keys if key in line}
