"""Stops reading bodies over the cap while they come in, before the framework would put them aside on disk."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings

from fleet.api.intake import too_large

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class OverCap(Exception):  # noqa: N818 - it is an answer
    """More came in than may."""


def capped(application: Application) -> Application:
    """The same application behind a cap on bodies."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        cap = settings.WEBHOOK_MAX_BYTES if scope["path"].startswith("/hooks/") else settings.INGEST_MAX_BYTES
        try:
            await application(scope, counted(receive, cap), send)
        except OverCap:
            await refuse(send, cap)

    return answer


def counted(receive: Receive, cap: int) -> Receive:
    """The same stream of messages, ended by OverCap when the body grows over the cap."""
    size = 0

    async def receive_counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > cap:
            raise OverCap
        return message

    return receive_counted


async def refuse(send: Send, cap: int) -> None:
    """Answers 413 and ends the connection: the rest of the body is not read."""
    response = too_large(cap).response()
    headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
    start = {"type": "http.response.start", "status": response.status_code}
    await send({**start, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": response.content})
