"""Bodies over the cap end while they come in."""

import asyncio
from typing import Any

import pytest

from fleet.api.cap import Message, Receive, Send, capped


async def swallow(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """An application that reads everything, as the framework does."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def ask(path: str, chunks: int) -> tuple[list[Message], int]:
    """What is sent for so many chunks of 1,000 bytes, and how many of them were read."""
    sent: list[Message] = []
    read = 0

    async def receive() -> Message:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b"x" * 1000, "more_body": read < chunks}

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await capped(swallow)({"type": "http", "path": path}, receive, send)

    asyncio.run(run())
    return sent, read


@pytest.fixture(autouse=True)
def caps(settings: Any) -> None:
    settings.WEBHOOK_MAX_BYTES, settings.INGEST_MAX_BYTES = 5_000, 20_000


@pytest.mark.parametrize(("path", "cap"), [("/hooks/ci", 5), ("/api/v1/crashes", 20), ("/sign-in", 20)])
def test_up_to_the_cap_and_no_further(path: str, cap: int) -> None:
    assert ask(path, cap)[0][0]["status"] == 200
    sent, read = ask(path, 1000)
    assert (sent[0]["status"], read) == (413, cap + 1)
    assert (b"content-type", b"application/problem+json") in sent[0]["headers"]
