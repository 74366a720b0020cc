"""A stand-in for Faultline's web side that a deploy tool speaks to: real HTTP, real signatures, a gate to close."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fleet.lab.base import LabHost
from fleet.lab.faultline import Faultline

SECRET = "whsec_" + base64.b64encode(b"a key of the tests alone").decode()
TOKEN = "gate-token"


class Hub:
    """`events` holds what arrived with a good signature, in order; the gate closes after `open_for` questions."""

    def __init__(self, *, open_for: int = 1000, ready: bool = True) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.refused: list[str] = []
        self.open_for, self.ready, self.asked = open_for, ready, 0
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/readyz":
                    return self.answer(200 if hub.ready else 503, {})
                if self.headers["Authorization"] != f"Bearer {TOKEN}":
                    return self.answer(401, {})
                hub.asked += 1
                return self.answer(200, {"open": hub.asked <= hub.open_for})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
                key = base64.b64decode(SECRET.removeprefix("whsec_"))
                wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
                if self.headers["webhook-signature"] != wanted:
                    hub.refused.append(self.path)
                    return self.answer(401, {})
                event = json.loads(body)
                hub.events.append((event["type"], event["data"]))
                return self.answer(202, {"status": "accepted"})

            def answer(self, status: int, content: dict[str, Any]) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def faultline(self, *, secret: str = SECRET, token: str = TOKEN) -> Faultline:
        return Faultline(self.url, "deploys", secret, token)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(5)


class NotingLab:
    """A lab that only notes what is done to it; hosts are named by tools and number."""

    def __init__(self, *, old: int = 2, new: int = 3, fresh: int = 1) -> None:
        kinds = [("1.9", "autumn")] * old + [("2.0", "winter")] * new + [("2.0", "fresh")] * fresh
        self.hosts = [
            LabHost(f"h{n}", "127.0.0.1", 22, "x", "key", {"tools": tools, "provisioned": provisioned})
            for n, (tools, provisioned) in enumerate(kinds, start=1)
        ]
        self.client_key, self.crashes_per_dyno_hour = Path("/nowhere"), 0.0
        self.images: Mapping[str, str] = {"original": "sha256:1", "upgrade": "sha256:2"}
        self.done: list[tuple[str, ...]] = []

    async def start(self) -> None:
        self.done.append(("start",))

    async def stop(self) -> None:
        self.done.append(("stop",))

    async def install(self, host_name: str, *, stack: str, image: str, tools: str) -> str:
        self.done.append(("install", host_name, stack, image, tools))
        return "installed" if self.host(host_name).attributes["tools"] == "1.9" else "skipped"

    async def drop_caches(self, host_name: str) -> None:
        self.done.append(("drop", host_name))

    def host(self, name: str) -> LabHost:
        return next(host for host in self.hosts if host.name == name)
