"""Alive, able to serve, and what is told while the database is away."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from config.embedded.ports import free_port


@pytest.mark.django_db
def test_alive_and_ready(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    answer = client.get("/readyz")
    assert answer.json() == {"status": "ready", "database": "ok", "migrations": "ok", "broker": "ok"}
    assert client.post("/readyz").status_code == 405


@pytest.mark.django_db
def test_not_ready_without_a_broker(client: Client, settings: object) -> None:
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{free_port()}/0"  # type: ignore[attr-defined]
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["broker"]) == (503, "cannot be reached")


@pytest.fixture
def web_without_database() -> Iterator[str]:
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgres://nobody:secret@127.0.0.1:{free_port()}/none",
        "DATABASE_POOL": "4",
    }
    argv = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(port), "--lifespan", "off"]
    root = Path(settings.BASE_DIR)
    with subprocess.Popen(argv, cwd=root, env=environment, stderr=subprocess.PIPE, text=True) as web:
        assert web.stderr
        for line in web.stderr:
            if "running on" in line:
                break
        yield f"http://127.0.0.1:{port}"
        web.terminate()
        web.communicate(timeout=20)


def ask(request: urllib.request.Request) -> tuple[int, str | None, dict[str, object]]:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, None, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Retry-After"), json.load(error)


def test_without_a_database_senders_are_asked_to_come_back(web_without_database: str) -> None:
    url, token = web_without_database, {"Authorization": "Bearer x"}
    requests = [
        urllib.request.Request(f"{url}/healthz"),  # noqa: S310
        urllib.request.Request(f"{url}/readyz"),  # noqa: S310
        urllib.request.Request(f"{url}/api/v1/crashes", b"{}", token),  # noqa: S310
        urllib.request.Request(f"{url}/hooks/ci", b"{}"),  # noqa: S310
        urllib.request.Request(f"{url}/api/v1/gate/cedar-14", headers=token),  # noqa: S310
    ]
    with ThreadPoolExecutor(len(requests)) as pool:
        alive, ready, *others = pool.map(ask, requests)
    assert alive[0] == 200
    assert (ready[0], ready[2]["database"]) == (503, "cannot be reached")
    for status, retry_after, content in others:
        assert (status, content["status"]) == (503, 503)
        assert int(retry_after or 0) > 0
        assert "secret" not in json.dumps(content)
