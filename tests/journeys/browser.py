"""The system's Chromium, and a Faultline of one's own for it to look at."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

from django.db import connection, connections
from playwright.sync_api import Browser, sync_playwright

from config.embedded import Supervisor
from config.launch.services import web

CHROMIUM = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--no-first-run"]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser. Its event loop runs in this thread, where the ORM refuses to work unless it is told otherwise.

    While it runs, the ORM has connections of its own, which nobody would find again once it has ended.
    """
    with patch.dict(os.environ, DJANGO_ALLOW_ASYNC_UNSAFE="true"), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
            connections.close_all()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The web process on the database that this process uses; gives its address."""
    named = connection.settings_dict["NAME"]
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{named}").geturl()
    given = {"DATABASE_URL": url, "BROKER_URL": "memory://", "CHART_CACHE_SECONDS": "0", "COLLECT_SECONDS": "600"}
    environment = {**os.environ, **given, "FAULTLINE_VAR": str(folder)}
    port = free_port()
    with Supervisor(say=lambda _name, _state: None) as supervisor:
        (folder / "log").mkdir(parents=True, exist_ok=True)
        supervisor.spawn(web(folder, port=port, environment=environment))
        yield f"http://127.0.0.1:{port}"
