"""Tainting by hand is held to the same blast radius as the steps of runbooks."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from fleet.models import Host, Taint
from tests.incidents.views.story import person, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ten_hosts(settings: Any) -> list[Host]:
    settings.BLAST_RADIUS_SHARE = 0.5
    now = timezone.now()
    return Host.objects.bulk_create(Host(name=f"h{n}", state="in_service", added_at=now) for n in range(10))


@pytest.fixture
def responder(client: Client) -> Client:
    client.force_login(person("robin", "responder"))
    return client


@pytest.fixture
def administrator() -> Client:
    return signed_in("administrator", name="root")


def taint(client: Client, hosts: list[Host], **words: str) -> str:
    form = {"host": [host.pk for host in hosts], "reason": "looks sick", **words}
    return client.post("/hosts/taint", form, follow=True).content.decode()


def confirmed(page: str) -> str:
    found = re.search(r'name="confirmed" value="([^"]*)"', page)
    assert found
    return found[1]


def test_a_responder_may_taint_within_the_policy_and_not_beyond(responder: Client, ten_hosts: list[Host]) -> None:
    page = taint(responder, ten_hosts[:6])
    assert "60% of its hosts" in page
    assert "Only an administrator may pass that" in page
    assert not Taint.objects.exists()
    assert "Tainted 5 hosts" in taint(responder, ten_hosts[:5])
    assert "Nothing was tainted" in taint(responder, ten_hosts[5:6])  # those out of service count
    assert Taint.objects.count() == 5


def test_a_responder_cannot_confirm_it_by_hand(responder: Client, administrator: Client, ten_hosts: list[Host]) -> None:
    words = confirmed(taint(administrator, ten_hosts))
    assert "Nothing was tainted" in taint(responder, ten_hosts, confirmed=words)
    assert not Taint.objects.exists()


def test_an_administrator_confirms_what_was_shown(administrator: Client, ten_hosts: list[Host]) -> None:
    page = taint(administrator, ten_hosts[:6], hours="4")
    assert "Taint 6 hosts all the same" in page
    assert 'hx-get="/hosts/taint"' not in page  # what comes live would put nothing in the place of the question
    assert escape("looks sick") in page
    assert not Taint.objects.exists()
    page = taint(administrator, ten_hosts[:6], hours="4", confirmed=confirmed(page))
    assert "Tainted 6 hosts" in page
    assert Taint.objects.filter(reason__contains="confirmed by root", expires_at__isnull=False).count() == 6


def test_a_confirmation_dies_when_the_fleet_changes(administrator: Client, ten_hosts: list[Host]) -> None:
    words = confirmed(taint(administrator, ten_hosts[:6]))
    Host.objects.filter(name="h9").update(state="drained")
    page = taint(administrator, ten_hosts[:6], confirmed=words)
    assert "70% of its hosts" in page
    assert not Taint.objects.exists()
    assert "Tainted 6 hosts" in taint(administrator, ten_hosts[:6], confirmed=confirmed(page))
