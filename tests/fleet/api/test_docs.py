"""The examples of docs/api.md, pasted into a shell against a running web process."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from config.embedded.ports import free_port
from fleet.ingest.formats import FEEDS
from fleet.models import Crash, Deploy, Dyno, Host, HostDeploy
from incidents.models import Report

ROOT = Path(settings.BASE_DIR)
BLOCKS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def environment(transactional_db: None) -> Iterator[dict[str, str]]:
    """A web process on this test's database, and what a shell needs to reach both."""
    place, port = connection.settings_dict, free_port()
    login = f"{place['USER']}:{place['PASSWORD']}" if place["PASSWORD"] else place["USER"]
    database = f"postgres://{login}@{place['HOST']}:{place['PORT']}/{place['NAME']}"
    environment = {**os.environ, "DATABASE_URL": database, "URL": f"http://127.0.0.1:{port}"}
    argv = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(port), "--lifespan", "off"]
    with subprocess.Popen(argv, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as web:
        assert web.stderr
        for line in web.stderr:
            if "running on" in line:
                break
        yield environment
        web.terminate()
        web.communicate(timeout=20)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE fleet_crash, fleet_crash_minute")


def test_every_example_works_as_it_is_pasted(environment: dict[str, str]) -> None:
    blocks = BLOCKS.findall((ROOT / "docs" / "api.md").read_text())
    script = "set -eu\n" + "\necho\n".join(blocks).replace(".venv/bin/python", sys.executable)
    script = script.replace("curl -sS", "curl -sS -w '\\n%{http_code}\\n'")
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    statuses = re.findall(r"^(\d{3})$", done.stdout, re.MULTILINE)
    hooks, reading, health = ["202"] * 4, ["200", "200", "200", "201"], ["200"] * 3
    assert statuses == ["202", *["202"] * len(FEEDS), "200", "200", *hooks, *reading, *health]
    receipt, *fed = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"accepted"')]
    assert fed == [{"accepted": 1, "duplicates": 0, "rejected": []}] * len(FEEDS)
    assert (receipt["accepted"], receipt["rejected"][0]["line"]) == (2, 3)
    assert (Crash.objects.count(), Host.objects.count(), Dyno.objects.count(), Report.objects.count()) == (8, 2, 3, 1)
    outcomes = dict(HostDeploy.objects.values_list("host__name", "outcome"))
    assert outcomes == {"h0007": "overwrote", "h0008": "skipped"}
    assert Deploy.objects.get().finished_at
