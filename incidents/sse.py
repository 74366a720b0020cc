"""Server-sent events: one listener on the database for each process, fanned out to every page that is open there.

A page asks again for what it shows whenever a topic of its own changed, and whenever it (re)connects; so a lost event
or connection costs delay, and never shows something wrong for long.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection

from fleet.live import CHANNEL

BEAT_SECONDS = 10.0
GATHER_SECONDS = 0.4
RETRY_SECONDS = 2.0
log = logging.getLogger(__name__)


@dataclass(eq=False)
class Subscriber:
    """One open page: the topics that it shows, and those of them that changed."""

    topics: frozenset[str]
    changed: set[str] = field(default_factory=set)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, topic: str) -> None:
        """Remembers that a topic changed, if the page shows it."""
        if topic in self.topics:
            self.changed.add(topic)
            self.woken.set()

    def tell_all(self) -> None:
        """Anything may have changed."""
        self.changed |= self.topics
        self.woken.set()


class Listener:
    """Listens while there are subscribers; `hears` says whether it is connected."""

    def __init__(self) -> None:
        self.subscribers: set[Subscriber] = set()
        self.hears = False
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def subscribed(self, topics: frozenset[str]) -> AsyncIterator[Subscriber]:
        """A subscription for as long as the block lasts."""
        subscriber = Subscriber(topics)
        self.subscribers.add(subscriber)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen(), name="live-listener")
        try:
            yield subscriber
        finally:
            self.subscribers.discard(subscriber)
            if not self.subscribers and self._task:
                self._task.cancel()
                self._task = None

    async def _listen(self) -> None:
        """Connects again and again; after each new connection everything may have changed."""
        while True:
            try:
                await self._hear()
            except (psycopg.Error, OSError) as error:
                log.warning("live pages: lost the database, trying again: %s", error)
            self._deaf()
            await asyncio.sleep(RETRY_SECONDS)

    async def _hear(self) -> None:
        arguments = connection.get_connection_params()
        for own in ("cursor_factory", "context", "prepare_threshold", "pool"):
            arguments.pop(own, None)
        async with await psycopg.AsyncConnection.connect(**arguments, autocommit=True) as listening:
            await listening.execute(f"LISTEN {CHANNEL}")
            self.hears = True
            for subscriber in self.subscribers:
                subscriber.tell_all()
            async for notice in listening.notifies():
                self.hand_on(notice.payload)

    def hand_on(self, payload: str) -> None:
        """Tells the pages that show the topic."""
        topic = str(json.loads(payload).get("topic", ""))
        for subscriber in self.subscribers:
            subscriber.tell(topic)

    def _deaf(self) -> None:
        self.hears = False
        for subscriber in self.subscribers:
            subscriber.woken.set()


_listeners: "WeakKeyDictionary[asyncio.AbstractEventLoop, Listener]" = WeakKeyDictionary()


def listener() -> Listener:
    """The one of this process (of its event loop)."""
    return _listeners.setdefault(asyncio.get_running_loop(), Listener())


async def events(topics: frozenset[str]) -> AsyncIterator[bytes]:
    """What one page is sent: `faultline-changed` for what it shows, `faultline-beat` as a sign of life."""
    heard = listener()
    async with heard.subscribed(topics) as subscriber:
        yield b"retry: 1000\n\n"
        subscriber.tell_all()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(subscriber.woken.wait(), BEAT_SECONDS)
            await asyncio.sleep(GATHER_SECONDS)
            subscriber.woken.clear()
            changed, subscriber.changed = sorted(subscriber.changed), set()
            if changed:
                yield _event("faultline-changed", changed)
            yield _event("faultline-beat" if heard.hears else "faultline-deaf", [])


def _event(name: str, topics: list[str]) -> bytes:
    """An id that grows, so that a proxy or a browser can say where it stopped; every reconnection asks for all."""
    return f"id: {time.time_ns()}\nevent: {name}\ndata: {json.dumps(topics)}\n\n".encode()
