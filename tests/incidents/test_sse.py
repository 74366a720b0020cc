"""A change announced in the database reaches the pages that show it, and no others."""

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient

from fleet.live import announce
from incidents import sse
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
