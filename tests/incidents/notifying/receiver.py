"""A real receiver of messages: an HTTP server that keeps what it took and can be told to refuse, or to be slow."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.utils import timezone

from fleet.actor import Actor
from incidents.models import Channel
from incidents.notifying.message import masked
from incidents.notifying.sealing import seal

ADA = Actor("person", "ada")
SECRET = "kQ7-very-secret-path-91"


@dataclass
class Receiver:
    """`status`: what it answers; `took`: what it answered 200 to; `asked`: how often it was asked."""

    port: int = 0
    status: int = 200
    took: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    may_answer: threading.Event = field(default_factory=threading.Event)
    was_asked: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.port}/{SECRET}"

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.took]


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    """It listens as long as the block lasts, at the port it had before, if any."""
    receiver.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.asked += 1
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.was_asked.set()
            receiver.may_answer.wait(30)
            if receiver.status == 200:
                receiver.took.append(message)
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", receiver.port), Handler)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.may_answer.set()
        server.shutdown()
        server.server_close()
        thread.join()


def channel_to(address: str, *, name: str = "on call", **wants: list[str]) -> Channel:
    """A channel that wants everything that is a page, unless told otherwise."""
    wanted = {"verdicts": ["deploy", "host", "group", "fleet"], "severities": ["major", "minor"]} | wants
    return Channel.objects.create(
        name=name, sealed=seal(address), shown=masked(address), service="JSON", changed_at=timezone.now(), **wanted
    )
