"""Pages while others write, times as the contract has them, and files that tell what they are."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from fleet.actor import SYSTEM
from fleet.models import App, Deploy, Host, HostDeploy, Stack
from incidents.models import Incident, Report
from incidents.timeline.record import record
from tests.fleet.api.conftest import Caller, problem

NOW = datetime(2026, 1, 5, 12, 0, 0, 250_000, tzinfo=UTC)
RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
pytestmark = pytest.mark.django_db


def get(path: str, *scopes: str) -> Any:
    return Caller(*(scopes or ("read",)))("GET", f"/api/v1/{path}")


def make(subject: str = "h1", **changes: Any) -> Incident:
    facts = {"verdict": "host", "headline": "x", "began_at": NOW, "opened_at": NOW}
    return Incident.objects.create(subject=subject, **{**facts, **changes})


def note(incident: Incident, text: str, *, at: datetime = NOW) -> None:
    record(incident_id=incident.pk, kind="note", text=text, actor=SYSTEM, occurred_at=at)


def walked(path: str, limit: int, between: Any = lambda: None) -> list[dict[str, Any]]:
    """All items by following `next`, something else happening between the pages."""
    items: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(50):
        page = get(f"{path}limit={limit}&cursor={cursor}").json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = page["next"]
        between()
    raise AssertionError("the pages have no end")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 500])
def test_a_timeline_that_grows_is_read_whole_and_once(limit: int) -> None:
    incident, written = make(), 7
    for number in range(written):
        note(incident, f"n{number}", at=NOW - timedelta(minutes=number))

    def another() -> None:
        nonlocal written
        if written < 12:
            note(incident, f"n{written}", at=NOW - timedelta(hours=1))
            written += 1

    items = walked(f"incidents/{incident.pk}/timeline?", limit, another)
    assert [item["text"] for item in items] == [f"n{number}" for number in range(written)]
    assert [item["sequence"] for item in items] == list(range(1, written + 1))


def test_a_timeline_holds_its_own_entries_alone() -> None:
    one, two = make("h1"), make("h2")
    for incident in (one, two, one):
        note(incident, f"of {incident.subject}")
    assert [item["text"] for item in walked(f"incidents/{one.pk}/timeline?", 1)] == ["of h1"] * 2
    empty = get(f"incidents/{make('h3').pk}/timeline").json()
    assert empty == {"items": [], "next": None}


def test_a_last_page_that_is_just_full_says_that_it_is_the_last() -> None:
    for number in range(4):
        make(f"h{number}")
    assert get("incidents?limit=4").json()["next"] is None
    assert get("incidents?limit=3").json()["next"] is not None


def test_pages_of_a_state_show_no_other_state_though_states_change_between() -> None:
    rows = [make(f"h{number}", state="open" if number % 2 else "resolved") for number in range(10)]

    def resolve_one_shown() -> None:
        Incident.objects.filter(pk=rows[9].pk).update(state="resolved")

    items = walked("incidents?state=open&", 2, resolve_one_shown)
    assert [item["number"] for item in items] == [rows[number].pk for number in (9, 7, 5, 3, 1)]


@pytest.mark.parametrize("path", ["incidents?", "incidents/{}/timeline?"])
@pytest.mark.parametrize("cursor", ["!", "w7w", "LTE", "x" * 400, "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk"])
def test_a_cursor_that_is_none_of_ours_is_told_what_to_do(path: str, cursor: str) -> None:
    detail = problem(get(path.format(make().pk) + f"cursor={cursor}"), 422)["detail"]
    assert "cursor" in detail


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=many", "state=sad"])
def test_what_does_not_fit_is_named_by_its_place(query: str) -> None:
    told = problem(get(f"incidents?{query}"), 422)
    assert told["errors"][0]["path"] == f"query.{query.split('=', maxsplit=1)[0]}"


def times_in(answer: Any) -> list[str]:
    if isinstance(answer, dict):
        named = [value for key, value in answer.items() if key in {"at", "since"} or key.endswith("_at")]
        return [value for value in named if value] + [t for value in answer.values() for t in times_in(value)]
    return [t for value in answer for t in times_in(value)] if isinstance(answer, list) else []


def test_every_time_is_utc_as_rfc_3339_has_it() -> None:
    east = NOW.astimezone(timezone(timedelta(hours=9)))
    stack = Stack.objects.create(name="cedar-14")
    deploy = Deploy.objects.create(
        key="d3", target="stack", kind="redeploy", stack=stack, started_at=east, finished_at=east
    )
    HostDeploy.objects.create(deploy=deploy, host=Host.objects.create(name="h1", added_at=NOW), at=east)
    changes: dict[str, Any] = dict.fromkeys(
        ("named_at", "acknowledged_at", "mitigated_at", "resolved_at", "opened_at"), east
    )
    incident = make(state="resolved", began_at=east, **changes)
    note(incident, "n", at=east)
    paths = ["incidents", f"incidents/{incident.pk}", f"incidents/{incident.pk}/timeline", "deploys/d3"]
    times = [time for path in paths for time in times_in(get(path).json())]
    assert len(times) >= 17
    assert [time for time in times if not RFC_3339_UTC.fullmatch(time)] == []
    assert set(times) >= {"2026-01-05T12:00:00.250Z"} or set(times) >= {"2026-01-05T12:00:00.250000Z"}


TYPES = {
    "md": "text/markdown; charset=utf-8", "html": "text/html; charset=utf-8", "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
}  # fmt: skip


@pytest.mark.parametrize(("form", "kind"), TYPES.items())
def test_a_file_has_its_type_its_name_and_the_whole_record(form: str, kind: str) -> None:
    incident = make()
    note(incident, "größer, \"quoted\"")  # fmt: skip
    answer = get(f"incidents/{incident.pk}/export?format={form}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="incident-{incident.pk}.{form}"'
    assert "größer" in answer.content.decode()


def test_machines_read_their_formats_back() -> None:
    incident = make()
    note(incident, "a, \"b\"\nc")  # fmt: skip
    told = json.loads(get(f"incidents/{incident.pk}/export?format=json").content)
    assert [entry["text"] for entry in told["timeline"]] == ['a, "b"\nc']
    rows = list(csv.DictReader(io.StringIO(get(f"incidents/{incident.pk}/export?format=csv").content.decode())))
    assert [row["text"] for row in rows] == ['a, "b"\nc']


def test_an_export_is_markdown_unless_asked_for_otherwise() -> None:
    answer = get(f"incidents/{make().pk}/export")
    assert answer.headers["Content-Type"] == TYPES["md"]
    for form in ("docx", "", "MD"):
        assert problem(get(f"incidents/{make(f'h{form}x').pk}/export?format={form}"), 422)["errors"]


def report(body: dict[str, Any], *scopes: str) -> Any:
    caller = Caller(*(scopes or ("respond",)))
    return caller("POST", "/api/v1/reports", json.dumps(body), content_type="application/json")


def test_a_report_goes_without_an_incident_where_none_is_meant() -> None:
    make()
    App.objects.create(name="app-1")
    answer = report({"text": "  it crashes  ", "app": "app-1"})
    assert (answer.status_code, answer.json()["incident"]) == (201, None)
    assert RFC_3339_UTC.fullmatch(answer.json()["reported_at"])
    assert Report.objects.get().text == "it crashes"


@pytest.mark.parametrize(
    ("body", "word"), [({"text": "x", "app": "who"}, "app"), ({"text": "x", "host": "who"}, "host")]
)
def test_a_report_about_a_stranger_is_told_how_to_go_on(body: dict[str, Any], word: str) -> None:
    assert f"leave {word} out" in problem(report(body), 422)["detail"]


def test_a_report_at_its_longest_is_kept_and_a_longer_one_is_not() -> None:
    assert report({"text": "x" * 10_000}).status_code == 201
    assert problem(report({"text": "x" * 10_001}), 422)["errors"][0]["path"] == "body.text"
    problem(report({"text": "x"}, "crashes", "inventory", "deploys", "read"), 403)
    assert Report.objects.count() == 1
