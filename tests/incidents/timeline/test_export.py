import csv
import io
import json
import time
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from markdown_it import MarkdownIt

from fleet.actor import Actor
from fleet.models import Taint
from incidents.errors import Refused
from incidents.gates import close_gate
from incidents.models import Incident, TimelineEntry
from incidents.postmortems.draft import draft_postmortem
from incidents.responding import acknowledge_incident, add_note, file_report, resolve_incident
from incidents.timeline.chain import first_break_in
from incidents.timeline.export import FORMATS, export
from incidents.timeline.export.csv import inert
from incidents.timeline.record import digest_of, record
from tests.incidents.fleet_in_trouble import Fleet

EVIL = '<script>alert("x")</script> | *not bold* =cmd()'
ADA = Actor("person", "Ada <ada@example.org>", 1)


@pytest.fixture
def incident(troubled_fleet: Fleet) -> Incident:
    incident, now = Incident.objects.get(), troubled_fleet.now
    acknowledge_incident(incident=incident, actor=ADA, now=now)
    assert incident.stack is not None
    close_gate(stack=incident.stack, incident=incident, reason="in doubt", actor=ADA, now=now)
    for host in troubled_fleet.hosts[:4]:
        Taint.objects.create(host=host, reason="damaged", reference=incident.reference, owner="ada", set_at=now)
    add_note(incident=incident, text=EVIL, actor=ADA, now=now)
    add_note(incident=incident, text="=1+1", actor=ADA, now=now)
    return resolve_incident(incident=incident, actor=ADA, now=now)


class Reader(HTMLParser):
    """Collects tags, outside addresses and the text that a person sees."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action"}]

    def handle_data(self, data: str) -> None:
        self.text += data


FACTS = ["Redeploy d3 of cedar-14 probably damages hosts with tools 1.9", "4 hosts tainted: h00, h01, h02, h03", "d3"]


def test_markdown_says_what_happened_and_shows_texts_as_they_are(incident: Incident) -> None:
    text = export(incident, "md").content.decode()
    shown = Reader()
    shown.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
    for fact in [*FACTS, EVIL, "Time to detect", "The chain is whole", "Deploy gate of cedar-14 closed"]:
        assert fact in shown.text
    assert "script" not in shown.tags
    assert shown.tags.count("h2") == 9
    assert incident.timeline.order_by("sequence").last().digest in shown.text  # type: ignore[union-attr]


def test_html_stands_alone_and_is_escaped(incident: Incident) -> None:
    text = export(incident, "html").content.decode()
    page = Reader()
    page.feed(text)
    for fact in [*FACTS, EVIL, ADA.name]:
        assert fact in page.text
    assert "script" not in page.tags
    assert page.addresses == []
    assert "url(" not in text
    assert "prefers-color-scheme: dark" in text
    assert page.tags.count("svg") == 2
    assert page.tags.count("rect") > 10
    assert len(text) < 400_000


def test_json_verifies_and_tells_of_tampering(incident: Incident) -> None:
    document = json.loads(export(incident, "json").content)
    timeline = document["timeline"]
    assert first_break_in(timeline) is None
    assert timeline[-1]["digest"] == document["chain"]["last_digest"]
    assert len(timeline) == document["chain"]["last_sequence"] == incident.timeline.count()
    assert document["incident"]["cohort"] == {"tools": "1.9"}
    assert document["incident"]["hosts"] == ["h00", "h01", "h02", "h03"]
    assert document["metrics"]["detect"]["seconds"] > 0
    timeline[2]["text"] += "!"
    assert first_break_in(timeline) == 3


def test_csv_reads_back_and_is_no_formula(incident: Incident) -> None:
    content = export(incident, "csv").content
    assert content.count(b"\r\n") == incident.timeline.count() + 1
    rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    assert [row["text"] for row in rows][-3:-1] == [EVIL, "'=1+1"]
    assert [inert(text) for text in ("=1", "+1", "-1", "@x", " =1", "\t=1", "plain")] == [
        "'=1", "'+1", "'-1", "'@x", "' =1", "'\t=1", "plain",
    ]  # fmt: skip


def test_every_format_has_a_name_and_a_type(incident: Incident) -> None:
    documents = [export(incident, name) for name in FORMATS if name != "pdf"]
    assert [d.filename for d in documents] == [
        f"incident-{incident.pk}.{name}" for name in ("md", "html", "json", "csv")
    ]
    assert all(document.content and document.content_type for document in documents)
    with pytest.raises(Refused, match="md, html, pdf, json, csv"):
        export(incident, "exe")


def test_broken_chain_is_said(incident: Incident) -> None:
    Incident.objects.filter(pk=incident.pk).update(last_sequence=99)
    text = export(incident, "md").content.decode()
    assert "The chain breaks at entry" in text


NASTY = [
    "<img src=x onerror=alert(1)>", "[click](javascript:alert(1))", "![x](http://evil.example/x.png)", "- not a list",
    "1. not a list", "+ not a list", "```\nnot code", "&lt;script&gt;", "# no heading",
    "</td></table><script>1</script>",
    "=HYPERLINK(\"http://evil.example\")", "\n=1+1", "@SUM(1)", "\N{FULLWIDTH EQUALS SIGN}1+1",
    "$(rm -rf /)", "\u202etxt.exe",
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("text", NASTY)
def test_texts_are_shown_and_never_done(text: str) -> None:
    now = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
    incident = Incident.objects.create(
        verdict="fleet", subject="fleet", headline=text, began_at=now, opened_at=now
    )  # fmt: skip
    record(incident_id=incident.pk, kind="note", text=text, actor=Actor("person", text), occurred_at=now)
    file_report(text=text, actor=ADA, now=now, incident=incident)
    page, shown = Reader(), Reader()
    page.feed(export(incident, "html").content.decode())
    shown.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(export(incident, "md").content.decode()))
    for reader in (page, shown):
        assert not {"script", "img", "a", "pre"} & set(reader.tags)
        assert reader.addresses == []
        assert " ".join(text.split()) in " ".join(reader.text.split())
    rows = list(csv.reader(io.StringIO(export(incident, "csv").content.decode(), newline="")))
    cells = [cell for row in rows[1:] for cell in row]
    assert not any(
        cell.lstrip(" ").startswith(("=", "+", "-", "@", "\n", "\N{FULLWIDTH EQUALS SIGN}")) for cell in cells
    )
    assert json.loads(export(incident, "json").content)["timeline"][0]["text"] == text


@pytest.mark.django_db
def test_thousands_of_entries_are_exported_in_a_moment() -> None:
    now = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
    incident = Incident.objects.create(verdict="fleet", subject="fleet", headline="x", began_at=now, opened_at=now)
    entries, previous = [], ""
    for sequence in range(1, 3_001):
        entry = TimelineEntry(
            incident=incident, sequence=sequence, occurred_at=now, recorded_at=now, kind="note", actor_kind="system",
            actor="Faultline", text=f"entry {sequence}", data={"n": sequence}, previous_digest=previous,
        )  # fmt: skip
        entry.digest = previous = digest_of(entry)
        entries.append(entry)
    TimelineEntry.objects.bulk_create(entries)
    Incident.objects.update(last_sequence=3_000)
    for name in ("md", "html", "json", "csv"):
        began = time.process_time()
        content = export(incident, name).content
        assert time.process_time() - began < 2
        assert b"entry 3000" in content


@pytest.mark.django_db(transaction=True)
def test_an_entry_written_during_an_export_breaks_no_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
    incident = Incident.objects.create(verdict="fleet", subject="fleet", headline="x", began_at=now, opened_at=now)
    note: dict[str, Any] = {"incident_id": incident.pk, "kind": "note", "actor": ADA, "occurred_at": now}
    record(text="one", **note)
    stale = Incident.objects.get(pk=incident.pk)
    record(text="two", **note)
    draft = draft_postmortem(stale, now=now)
    assert (draft.first_break, len(draft.entries)) == (None, 2)
