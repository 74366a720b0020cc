"""The host program as hosts have it: one file, run by its argv, spoken to in lines."""

import contextlib
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fleet.hostkit import bundle, linux
from fleet.hostkit.dynohost import Json


class HostProgram:
    """A root folder, and the program on it; every `ask` is a process of its own, as every connection is."""

    def __init__(self, folder: Path) -> None:
        self.file, self.root = folder / "dynohost", folder / "root"
        self.digest = bundle.write(self.file)

    def argv(self, python: str = sys.executable) -> list[str]:
        return [python, "-I", "-S", str(self.file), "--root", str(self.root)]

    def begin(self, **how: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.argv(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", **how)

    def talk(self, text: bytes) -> list[Json]:
        """All answers to what is written, in order of arrival."""
        done = subprocess.run(self.argv(), input=text, capture_output=True, timeout=60, check=True, cwd="/")
        assert done.stderr == b""
        return [json.loads(line) for line in done.stdout.splitlines()]

    def ask(self, verb: str, **words: Any) -> Json:
        (answer,) = self.talk(json.dumps({"verb": verb, "fence": 1, **words}).encode() + b"\n")
        return answer

    def ask_all(self, requests: Sequence[Json]) -> list[Json]:
        return self.talk(b"".join(json.dumps(request).encode() + b"\n" for request in requests))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostProgram]:
    yield HostProgram(tmp_path)
    for image in (tmp_path / "root" / "images").glob("*/*"):
        linux.set_immutable(image, False)


class Depot:
    """Serves one file over HTTP; `content` may promise more than it gives, or wait for `go`."""

    def __init__(self) -> None:
        self.content, self.missing_bytes = b"", 0
        self.asked, self.go = threading.Event(), threading.Event()
        self.go.set()
        depot = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                depot.asked.set()
                depot.go.wait(20)
                self.send_response(200)
                self.send_header("Content-Length", str(len(depot.content) + depot.missing_bytes))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(depot.content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/image"


@pytest.fixture
def depot() -> Iterator[Depot]:
    depot = Depot()
    thread = threading.Thread(target=depot.server.serve_forever, daemon=True)
    thread.start()
    yield depot
    depot.go.set()
    depot.server.shutdown()
    depot.server.server_close()
    thread.join(5)
