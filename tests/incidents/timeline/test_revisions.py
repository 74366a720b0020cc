"""Nothing written is changed: a correction is another entry, and what is hidden is hidden from documents alone."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from fleet.actor import Actor
from incidents.errors import Refused
from incidents.models import Incident
from incidents.responding import add_note, file_report
from incidents.timeline.chain import first_break_in
from incidents.timeline.export import export
from incidents.timeline.record import is_whole, record
from incidents.timeline.revisions import correct_note, hide_from_exports, show_in_exports

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
ADA, BOB = Actor("person", "ada", 1), Actor("person", "bob", 2)
SECRET = "the password is hunter2"


@pytest.fixture
def incident() -> Incident:
    made = Incident.objects.create(verdict="fleet", subject="fleet", headline="All", began_at=NOW, opened_at=NOW)
    add_note(incident=made, text=SECRET, actor=ADA, now=NOW)
    return made


def exported(incident: Incident) -> dict[str, str]:
    return {name: export(incident, name).content.decode() for name in ("md", "html", "json", "csv")}


def test_a_correction_leaves_the_note_and_both_are_exported(incident: Incident) -> None:
    entry = correct_note(incident=incident, sequence=1, text="There is no password", actor=BOB)
    assert (entry.kind, entry.actor, entry.occurred_at) == ("correction", "bob", NOW)
    rows = list(csv.DictReader(io.StringIO(exported(incident)["csv"], newline="")))
    assert [row["text"] for row in rows] == [
        f"{SECRET} (corrected by entry 2)", "Correction of entry 1: There is no password",
    ]  # fmt: skip
    assert "corrected by entry 2" in exported(incident)["html"]
    again = correct_note(incident=incident, sequence=2, text="Now right", actor=ADA)
    assert again.text == "Correction of entry 2: Now right"
    assert is_whole(incident)


def test_what_happened_cannot_be_corrected(incident: Incident) -> None:
    record(incident_id=incident.pk, kind="taint", text="Tainted h1", actor=ADA, occurred_at=NOW)
    for sequence, text, why in ((2, "no", "Only notes"), (9, "no", "no entry 9"), (1, " ", "empty")):
        with pytest.raises(Refused, match=why):
            correct_note(incident=incident, sequence=sequence, text=text, actor=ADA)
    assert incident.timeline.count() == 2


def test_a_hidden_entry_is_in_no_export_and_the_file_still_verifies(incident: Incident) -> None:
    hide_from_exports(incident=incident, sequence=1, reason="a secret", actor=BOB, now=NOW)
    for text in exported(incident).values():
        assert "hunter2" not in text
        assert "kept out of exports by bob" in text
    timeline = json.loads(exported(incident)["json"])["timeline"]
    assert first_break_in(timeline) is None
    with pytest.raises(Refused, match="already"):
        hide_from_exports(incident=incident, sequence=1, reason="a secret", actor=ADA, now=NOW)
    show_in_exports(incident=incident, sequence=1, actor=ADA, now=NOW)
    assert all("hunter2" in text for text in exported(incident).values())
    with pytest.raises(Refused, match="is in the exports"):
        show_in_exports(incident=incident, sequence=1, actor=ADA, now=NOW)
    assert is_whole(incident)


def test_a_file_cannot_withhold_what_nobody_hid(incident: Incident) -> None:
    add_note(incident=incident, text="true", actor=ADA, now=NOW)
    timeline = json.loads(exported(incident)["json"])["timeline"]
    timeline[1] |= {"text": "false", "withheld": True}
    assert first_break_in(timeline) == 2


def test_a_hidden_report_is_left_out_of_the_reports_too(incident: Incident) -> None:
    file_report(text="my key is 12345", actor=BOB, now=NOW, incident=incident)
    assert exported(incident)["html"].count("12345") == 2
    hide_from_exports(incident=incident, sequence=2, reason="a key", actor=ADA, now=NOW)
    assert not any("12345" in text for text in exported(incident).values())


def test_times_are_told_in_utc_wherever_they_were_written(incident: Incident) -> None:
    there = datetime(2026, 3, 4, 5, 5, tzinfo=timezone(timedelta(hours=2)))
    add_note(incident=incident, text="earlier, and elsewhere", actor=ADA, now=NOW, occurred_at=there)
    rows = list(csv.DictReader(io.StringIO(exported(incident)["csv"], newline="")))
    assert rows[0]["occurred_at"] == "2026-03-04T03:05:00.000Z"
    assert rows[0]["recorded_at"] != rows[0]["occurred_at"]
    assert "| 2026-03-04 03:05:00 |" in exported(incident)["md"]
    entry = incident.timeline.get(sequence=2)
    assert f"(recorded {entry.recorded_at:%Y-%m-%d %H:%M:%S} UTC)" in exported(incident)["html"]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "2024-01-01T00:00:00+00:00"])
def test_a_note_is_not_dated_into_another_age(incident: Incident, at: str) -> None:
    with pytest.raises(Refused, match="more than a year before"):
        add_note(incident=incident, text="x", actor=ADA, now=NOW, occurred_at=datetime.fromisoformat(at))


def test_too_long_a_text_is_refused_and_not_cut(incident: Incident) -> None:
    with pytest.raises(Refused, match="more than 20000 characters"):
        add_note(incident=incident, text="x" * 20_001, actor=ADA, now=NOW)
    with pytest.raises(Refused, match="more than 10000 characters"):
        file_report(incident=incident, text="x" * 10_001, actor=ADA, now=NOW)
    assert add_note(incident=incident, text="x" * 20_000, actor=ADA, now=NOW).text == "x" * 20_000


def test_plain_forms_correct_and_hide(incident: Incident) -> None:
    user = User.objects.create_user("robin", password="quiet-night-17")
    user.groups.add(Group.objects.get_or_create(name="responder")[0])
    client = Client()
    client.force_login(user)

    def act(word: str, **form: Any) -> str:
        return client.post(f"/incidents/{incident.pk}/{word}", form, follow=True).text

    assert "Correction of entry 1: Right" in act("correct", entry=1, text="Right")
    assert "corrected later" in act("correct", entry="²", text="Right")
    assert "kept out of exports" in act("hide", entry=1, reason="secret")
    assert "Exports show that entry again" in act("show", entry=1)
    assert "no entry 0" in act("correct", entry="one", text="Right")


def test_the_command_names_the_first_broken_entry(incident: Incident, tmp_path: Path, capsys: Any) -> None:
    call_command("verify_timelines")
    assert capsys.readouterr().out == "1 timeline checked, 0 broken\n"
    file = tmp_path / "incident.json"
    file.write_bytes(export(incident, "json").content)
    call_command("verify_timelines", file=file)
    file.write_text(file.read_text().replace("hunter2", "hunter3"))
    with pytest.raises(CommandError, match="not the one"):
        call_command("verify_timelines", file=file)
    file.write_text("[]")
    with pytest.raises(CommandError, match="no export"):
        call_command("verify_timelines", file=file)
    capsys.readouterr()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE incidents_timelineentry DISABLE TRIGGER USER")
        cursor.execute("UPDATE incidents_timelineentry SET actor = 'nobody'")
        cursor.execute("ALTER TABLE incidents_timelineentry ENABLE TRIGGER USER")
    with pytest.raises(CommandError):
        call_command("verify_timelines")
    assert f"Incident {incident.pk}: not as it was written from entry 1 on" in capsys.readouterr().out
