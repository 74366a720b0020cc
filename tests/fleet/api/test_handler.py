"""The web application as the server runs it: programs and pages each get the layers that they need."""

import asyncio
import json
import sys
from typing import Any

import pytest

from config.asgi import application


async def ask(path: str, method: str = "GET", *, host: str = "localhost") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer, over the ASGI interface."""
    told: list[Any] = []
    came, gone = asyncio.Event(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not came.is_set():
            came.set()
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        told.append(message)

    scope = {
        "type": "http", "http_version": "1.1", "method": method, "path": path, "query_string": b"", "scheme": "http",
        "headers": [(b"host", host.encode())], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    await application(scope, receive, send)
    headers = {name.decode().lower(): value.decode() for name, value in told[0]["headers"]}
    return told[0]["status"], headers, b"".join(message.get("body", b"") for message in told[1:])


def test_programs_are_answered_without_sessions_but_with_the_safety_of_pages() -> None:
    status, headers, body = asyncio.run(ask("/healthz"))
    assert (status, json.loads(body)) == (200, {"status": "alive"})
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "cookie" not in headers.get("vary", "").lower()


@pytest.mark.parametrize(("path", "host", "expected"), [("/api/none", "localhost", 404), ("/healthz", "evil", 400)])
def test_their_errors_are_told_as_to_everybody(path: str, host: str, expected: int) -> None:
    status, headers, body = asyncio.run(ask(path, host=host))
    assert status == expected
    if path.startswith("/api/"):
        assert headers["content-type"] == "application/problem+json"
        assert json.loads(body)["status"] == expected


@pytest.mark.django_db(transaction=True)
def test_pages_keep_all_their_layers() -> None:
    status, headers, _ = asyncio.run(ask("/sign-in"))
    assert status == 200
    assert "cookie" in headers["vary"].lower()


def test_busy_threads_give_way_soon() -> None:
    assert sys.getswitchinterval() <= 0.001
