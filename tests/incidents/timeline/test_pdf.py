"""PDFs are printed by Chromium where there is one; where there is none, it is said what to do."""

import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from fleet.actor import SYSTEM
from incidents.models import Incident
from incidents.timeline.export import export
from incidents.timeline.export.pdf import PROGRAMS, NoPrinter, PrinterFailed
from incidents.timeline.record import record
from tests.fleet.api.conftest import Caller, problem

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)


@pytest.fixture
def incident() -> Incident:
    made = Incident.objects.create(verdict="fleet", subject="fleet", headline="All", began_at=NOW, opened_at=NOW)
    record(incident_id=made.pk, kind="note", text="a note", actor=SYSTEM, occurred_at=NOW)
    return made


def program(folder: Path, text: str) -> Path:
    """A stand-in for the browser: any program can be named."""
    path = folder / "browser"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.browser
@pytest.mark.skipif(not any(map(shutil.which, PROGRAMS)), reason="Chromium is not here; apt-get install chromium")
def test_chromium_prints_the_document(incident: Incident) -> None:
    document = export(incident, "pdf")
    assert document.content.startswith(b"%PDF-")
    assert document.content.rstrip().endswith(b"%%EOF")
    assert (document.filename, document.content_type) == (f"incident-{incident.pk}.pdf", "application/pdf")


def test_without_chromium_it_is_said_what_to_install(incident: Incident, settings: Any, tmp_path: Path) -> None:
    settings.CHROMIUM = tmp_path / "nowhere"
    with pytest.raises(NoPrinter, match="apt-get install chromium"):
        export(incident, "pdf")
    answer = Caller("read")("GET", f"/api/v1/incidents/{incident.pk}/export?format=pdf")
    assert "apt-get install chromium" in problem(answer, 501)["detail"]
    client = Client()
    client.force_login(User.objects.create_user("vera", password="quiet-night-17"))
    page = client.get(f"/incidents/{incident.pk}/export.pdf", follow=True)
    assert page.redirect_chain == [(f"/incidents/{incident.pk}", 302)]
    assert "apt-get install chromium" in page.text


def test_one_that_hangs_is_ended_with_its_children(incident: Incident, settings: Any, tmp_path: Path) -> None:
    settings.CHROMIUM = program(tmp_path, f"sleep 61.5 & echo $! > {tmp_path}/child; wait")
    settings.PDF_SECONDS = 1.0
    began = time.monotonic()
    with pytest.raises(PrinterFailed, match="within 1 s"):
        export(incident, "pdf")
    assert time.monotonic() - began < 20
    child = (tmp_path / "child").read_text().strip()
    state = subprocess.run(["ps", "-o", "stat=", "-p", child], capture_output=True, text=True, check=False).stdout
    assert state[:1] in {"", "Z"}


def test_one_that_prints_nothing_is_no_document(incident: Incident, settings: Any, tmp_path: Path) -> None:
    settings.CHROMIUM = program(tmp_path, "exit 0")
    answer = Caller("read")("GET", f"/api/v1/incidents/{incident.pk}/export?format=pdf")
    assert "printed nothing" in problem(answer, 503)["detail"]
    assert answer.headers["Retry-After"] == "10"
