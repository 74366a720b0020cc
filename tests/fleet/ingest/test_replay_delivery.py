"""Deliveries read again from the inbox."""

import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from fleet.actor import SYSTEM
from fleet.ingest.sources import create_source
from fleet.ingest.webhooks import NoDelivery, replay_delivery
from fleet.models import Deploy, HostDeploy, WebhookDelivery, WebhookSource

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
AT = "2026-01-05T01:04:19Z"
DEPLOY = {"type": "deploy.started", "data": {"deploy": "d3", "at": AT, "target": "stack", "stack": "cedar-14",
                                             "kind": "redeploy"}}  # fmt: skip
HOST = {"type": "host_deploy", "data": {"deploy": "d3", "host": "h1", "at": AT, "outcome": "overwrote"}}


@pytest.fixture
def source() -> WebhookSource:
    return create_source(name="ci", now=NOW)[0]


def keep(source: WebhookSource, delivery: str, payload: Any) -> WebhookDelivery:
    body = json.dumps(payload).encode()
    return WebhookDelivery.objects.create(
        source=source, delivery=delivery, received_at=NOW, body=body, status="not_understood"
    )


def replay(delivery: str, **options: str) -> str:
    said = StringIO()
    call_command("replay_delivery", delivery, stdout=said, **options)
    return said.getvalue()


def test_what_was_not_understood_is_once_its_deploy_is_known(source: WebhookSource) -> None:
    row = keep(source, "m1", HOST)
    with pytest.raises(CommandError, match=r"\$\.data\.deploy: no deploy d3 is known"):
        replay("m1")
    row.refresh_from_db()
    assert (row.status, row.problems[0]["path"]) == ("not_understood", "$.data.deploy")
    keep(source, "m2", DEPLOY)
    assert (replay("m2"), replay("m1")) == ("m2: accepted\n", "m1: accepted\n")
    row.refresh_from_db()
    assert (row.status, row.problems, row.deploy) == ("accepted", [], Deploy.objects.get())
    assert HostDeploy.objects.get().outcome == "overwrote"


def test_twice_is_as_good_as_once(source: WebhookSource) -> None:
    for delivery, payload in (("m1", DEPLOY), ("m2", HOST)):
        keep(source, delivery, payload)
    once = [replay_delivery(delivery=name, actor=SYSTEM, now=NOW) for name in ("m1", "m2")]
    rows = list(Deploy.objects.values()), list(HostDeploy.objects.values())
    assert [replay_delivery(delivery=name, actor=SYSTEM, now=NOW) for name in ("m1", "m2")] == once
    assert (list(Deploy.objects.values()), list(HostDeploy.objects.values())) == rows
    assert not any(outcome.duplicate for outcome in once)


def test_a_disabled_source_does_not_matter_to_what_it_sent_before(source: WebhookSource) -> None:
    keep(source, "m1", DEPLOY)
    WebhookSource.objects.update(enabled=False)
    assert replay("m1") == "m1: accepted\n"


def test_the_same_id_of_two_sources_is_asked_back(source: WebhookSource) -> None:
    other = create_source(name="cd", now=NOW)[0]
    keep(source, "m1", DEPLOY)
    keep(other, "m1", {"type": "deploy.lunch", "data": {}})
    with pytest.raises(NoDelivery, match="which one of cd, ci"):
        replay_delivery(delivery="m1", actor=SYSTEM, now=NOW)
    assert replay("m1", source="cd") == "m1: ignored\n"
    assert not Deploy.objects.exists()


def test_one_that_was_never_kept(source: WebhookSource) -> None:
    with pytest.raises(CommandError, match="keeps no delivery m9"):
        replay("m9")
    keep(source, "m1", DEPLOY)
    with pytest.raises(CommandError, match="keeps no delivery m1 of cd"):
        replay("m1", source="cd")
