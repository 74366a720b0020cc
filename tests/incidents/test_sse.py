"""A change announced in the database reaches the pages that show it, and no others."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient
from django.utils import timezone

from fleet.actions import taint_hosts
from fleet.actor import SYSTEM
from fleet.lab.fleets import CALM, enrol_fleet, migration_fleet
from fleet.lab.running import RunningLab
from fleet.live import FLEET, announce
from fleet.migration.mover import create_migration, drive_migration, propose, start_migration
from fleet.models import Host, Migration
from fleet.partitions import keep_partitions
from incidents import sse
from incidents.models import Incident
from tests.incidents.views.story import person


async def next_event(stream: object, name: str) -> list[str]:
    """The data of the next event of that name."""
    async for part in stream:  # type: ignore[attr-defined]
        lines = dict(line.split(": ", 1) for line in part.decode().splitlines() if ": " in line)
        if lines.get("event") == name:
            return list(json.loads(lines["data"]))
    raise AssertionError("the stream ended")


@pytest.mark.django_db(transaction=True)
def test_a_page_hears_of_its_own_topics() -> None:
    async def story() -> list[str]:
        stream = sse.events(frozenset({"incident:12"}))
        assert await next_event(stream, "faultline-changed") == ["incident:12"]
        await next_event(stream, "faultline-beat")
        await sync_to_async(announce)("incident:13")
        await sync_to_async(announce)("incident:12")
        heard = await asyncio.wait_for(next_event(stream, "faultline-changed"), 5)
        await stream.aclose()  # type: ignore[attr-defined]
        await sync_to_async(connections.close_all)()
        assert not sse.listener().subscribers
        return heard

    assert asyncio.run(story()) == ["incident:12"]


@pytest.mark.django_db(transaction=True)
def test_the_stream_is_for_people_who_are_signed_in() -> None:
    async def ask() -> tuple[int, int, str]:
        client = AsyncClient()
        refused = await client.get("/live?topic=incidents")
        await client.aforce_login(await sync_to_async(person)("vera", "viewer"))
        response = await client.get("/live?topic=incidents&topic=no%20topic")
        await sync_to_async(connections.close_all)()
        return refused.status_code, response.status_code, response.headers["Content-Type"]

    assert asyncio.run(ask()) == (401, 200, "text/event-stream")


@contextmanager
def started_migration(folder: Path, reference: str, settings: Any) -> Iterator[Migration]:
    """A migration of one tainted host of a simulated lab, which waits to be driven."""
    now = timezone.now()
    lab = migration_fleet(folder, sources=1, targets=1, dynos=2, nature=CALM)
    with RunningLab(lab):
        settings.SSH_KEY_FILE = lab.client_key
        keep_partitions(now=now)
        enrol_fleet(lab, now=now)
        sources = list(Host.objects.filter(name__startswith="old-"))
        taint_hosts(hosts=sources, reason="test", reference="", actor=SYSTEM, now=now)
        migration = create_migration(plan=propose(sources=sources), reference=reference, actor=SYSTEM, now=now)
        start_migration(migration=migration, actor=SYSTEM, now=now)
        yield migration


@pytest.mark.django_db(transaction=True)
def test_pages_hear_of_hosts_as_a_migration_drains_them(tmp_path: Path, settings: Any) -> None:
    incident = Incident.objects.create(verdict="fleet", began_at=timezone.now(), opened_at=timezone.now())
    topics = frozenset({FLEET, incident.reference})

    async def story(migration: Migration) -> set[str]:
        stream = sse.events(topics)
        await next_event(stream, "faultline-beat")
        heard = set[str]()
        driving = asyncio.ensure_future(sync_to_async(drive_migration)(migration.pk))
        async with asyncio.timeout(30):
            while heard != topics:
                heard |= set(await next_event(stream, "faultline-changed"))
        await driving
        await stream.aclose()  # type: ignore[attr-defined]
        await sync_to_async(connections.close_all)()
        return heard

    with started_migration(tmp_path / "lab", incident.reference, settings) as migration:
        assert asyncio.run(story(migration)) == topics
    assert Host.objects.get(name__startswith="old-").state == "drained"
