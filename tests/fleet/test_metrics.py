"""What monitoring is told."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from fleet.ingest.receipts import Receipt, Rejection
from fleet.lifecycle import HostState
from fleet.metrics import Family, Intake, exposition
from fleet.models import Host

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
LINE = re.compile(r'^(# (HELP|TYPE) faultline_\w+ .+|faultline_\w+(\{\w+="[^"]*"\})? -?[0-9.e+-]+)$')


def samples(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")}


def test_a_process_counts_what_it_took_in() -> None:
    intake = Intake()
    intake.count(Receipt(5, 2, [Rejection(1, "x")]))
    intake.count(Receipt(1))
    intake.turn_away()
    assert intake.samples() == ({"accepted": 6, "duplicate": 2, "rejected": 1}, 1)


def test_labels_are_quoted_and_numbers_whole_where_they_are() -> None:
    lines = list(Family("f", "gauge", "m", {'a"\n': 2.0, "b": 0.25}, "of").lines())
    assert lines == ["# HELP f m", "# TYPE f gauge", 'f{of="a\\"\\n"} 2', 'f{of="b"} 0.25']


@pytest.mark.django_db
def test_rows_are_counted_by_state_with_the_states_nobody_is_in() -> None:
    for number in range(3):
        Host.objects.create(name=f"h{number}", state=HostState.TAINTED, added_at=NOW)
    told = samples(exposition(now=NOW))
    assert told['faultline_hosts{state="tainted"}'] == 3
    assert told['faultline_hosts{state="drained"}'] == 0
    assert told['faultline_moves{state="planned"}'] == 0
    assert told['faultline_deliveries{status="not_understood"}'] == 0


@pytest.mark.django_db
def test_how_long_ago_hosts_were_read() -> None:
    for name, age in (("h1", 5), ("h2", 65)):
        reached = {"address": "192.0.2.1", "host_key": "ssh-ed25519 AAAA"}
        Host.objects.create(name=name, added_at=NOW, feed_at=NOW - timedelta(seconds=age), **reached)
    told = samples(exposition(now=NOW))
    assert told['faultline_feed_age_seconds{host="newest"}'] == 5
    assert told['faultline_feed_age_seconds{host="oldest"}'] == 65


@pytest.mark.django_db
def test_the_text_is_what_prometheus_reads(client: Client) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.content.decode().splitlines()
    assert lines
    assert all(LINE.match(line) for line in lines)
    assert samples(answer.content.decode()) == samples(exposition(now=timezone.now()))
    assert client.post("/metrics").status_code == 405
