"""What programs are told of incidents, gates and deploys."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.actor import SYSTEM
from fleet.models import App, Deploy, Host, HostDeploy, Stack
from incidents.gates import close_gate, open_gate
from incidents.models import Incident, IncidentHost, Report, Suspect
from incidents.timeline.record import record
from tests.fleet.api.conftest import Caller, problem

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def deploy(db: None) -> Deploy:
    stack = Stack.objects.create(name="cedar-14")
    return Deploy.objects.create(key="ci/d3", target="stack", kind="redeploy", stack=stack, started_at=NOW)


@pytest.fixture
def incident(deploy: Deploy) -> Incident:
    return Incident.objects.create(
        verdict="deploy", subject=deploy.key, headline="d3 broke it", deploy=deploy, stack=deploy.stack, began_at=NOW,
        opened_at=NOW, cohort={"tools": "1.9"},
    )  # fmt: skip


def get(path: str, *scopes: str) -> Any:
    return Caller(*(scopes or ("read",)))("GET", f"/api/v1/{path}")


def test_a_gate_is_open_until_it_is_closed(incident: Incident, deploy: Deploy) -> None:
    assert deploy.stack
    assert get("gate/cedar-14").json() == {"open": True, "reason": None, "incident": None, "since": None}
    close_gate(stack=deploy.stack, incident=incident, reason="images overwritten", actor=SYSTEM, now=NOW)
    closed = {"open": False, "reason": "images overwritten", "incident": incident.pk, "since": "2026-01-05T12:00:00Z"}
    assert get("gate/cedar-14", "deploys").json() == closed
    assert get("gate/never-heard-of").json()["open"]
    open_gate(stack=deploy.stack, actor=SYSTEM, now=NOW, reason="over")
    assert get("gate/cedar-14").json()["open"]
    problem(get("gate/cedar-14", "crashes"), 403)


def test_an_incident_with_its_hosts_and_suspects(incident: Incident, deploy: Deploy) -> None:
    for name, until in [("h2", None), ("h1", None), ("h3", NOW)]:
        host = Host.objects.create(name=name, added_at=NOW)
        IncidentHost.objects.create(incident=incident, host=host, since_at=NOW, until_at=until)
    Suspect.objects.create(
        incident=incident,
        deploy=deploy,
        score=14.2,
        rate_ratio=9.1,
        interval=[5.2, 15.8],
        speaks_for=["x"],
        updated_at=NOW,
    )
    told = get(f"incidents/{incident.pk}").json()
    assert (told["number"], told["deploy"], told["stack"], told["cohort"]) == (
        incident.pk, "ci/d3", "cedar-14", {"tools": "1.9"},
    )  # fmt: skip
    assert (told["hosts"], told["opened_at"], told["resolved_at"]) == (["h1", "h2"], "2026-01-05T12:00:00Z", None)
    assert (told["suspects"][0]["score"], told["suspects"][0]["interval"]) == (14.2, [5.2, 15.8])
    problem(get("incidents/999999"), 404)
    problem(get("incidents/nine"), 422)
    problem(get(f"incidents/{incident.pk}", "crashes"), 403)


def test_pages_by_cursor_show_each_incident_once_though_new_ones_open() -> None:
    def make(number: int) -> int:
        return Incident.objects.create(
            verdict="host", subject=f"h{number}", headline="x", began_at=NOW, opened_at=NOW
        ).pk

    numbers, seen, cursor = [make(number) for number in range(7)], [], ""
    for extra in range(4):
        page = get(f"incidents?limit=3&cursor={cursor}").json()
        seen += [item["number"] for item in page["items"]]
        make(100 + extra)
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == numbers[::-1]


def test_incidents_by_state() -> None:
    for state in ("open", "resolved", "mitigated"):
        Incident.objects.create(verdict="host", subject=state, headline="x", began_at=NOW, opened_at=NOW, state=state)
    assert [item["state"] for item in get("incidents?state=ongoing").json()["items"]] == ["mitigated", "open"]
    assert [item["state"] for item in get("incidents?state=resolved").json()["items"]] == ["resolved"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "cursor=!", "cursor=w7w", "cursor=LTE", "state=sad"]
)
def test_wrong_parameters_are_told(query: str) -> None:
    problem(get(f"incidents?{query}"), 422)


def test_the_timeline_in_its_order_by_pages(incident: Incident) -> None:
    for number in range(5):
        occurred_at = NOW - timedelta(minutes=number)
        record(incident_id=incident.pk, kind="note", text=f"n{number}", actor=SYSTEM, occurred_at=occurred_at)
    first = get(f"incidents/{incident.pk}/timeline?limit=3").json()
    second = get(f"incidents/{incident.pk}/timeline?limit=3&cursor={first['next']}").json()
    assert [entry["text"] for entry in first["items"] + second["items"]] == ["n0", "n1", "n2", "n3", "n4"]
    assert second["next"] is None
    assert first["items"][1]["previous_digest"] == first["items"][0]["digest"]


def test_exports_come_as_files(incident: Incident) -> None:
    record(incident_id=incident.pk, kind="note", text="a note", actor=SYSTEM, occurred_at=NOW)
    for form, kind in [
        ("md", "text/markdown"),
        ("html", "text/html"),
        ("json", "application/json"),
        ("csv", "text/csv"),
    ]:
        answer = get(f"incidents/{incident.pk}/export?format={form}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith(kind)
        assert f"incident-{incident.pk}.{form}" in answer.headers["Content-Disposition"]
        assert b"a note" in answer.content
    problem(get(f"incidents/{incident.pk}/export?format=docx"), 422)


def test_a_deploy_with_what_it_did_and_what_is_held_of_it(deploy: Deploy) -> None:
    host = Host.objects.create(name="h1", added_at=NOW)
    HostDeploy.objects.create(deploy=deploy, host=host, at=NOW, outcome="overwrote", tools_version="1.9")
    told = get("deploys/ci/d3").json()
    assert told["host_deploys"] == [
        {"host": "h1", "at": "2026-01-05T12:00:00Z", "outcome": "overwrote", "tools_version": "1.9", "detail": ""}
    ]
    assert (told["deploy"], told["stack"], told["verdict"]["verdict"]) == ("ci/d3", "cedar-14", "none")
    problem(get("deploys/unknown"), 404)


def test_the_verdict_on_a_deploy_has_its_numbers(deploy: Deploy, incident: Incident) -> None:
    Suspect.objects.create(
        incident=incident, deploy=deploy, score=14.2, speaks_for=["for"], speaks_against=["against"], updated_at=NOW
    )
    verdict = get("deploys/ci/d3").json()["verdict"]
    assert (verdict["verdict"], verdict["incident"], verdict["score"]) == ("cause", incident.pk, 14.2)
    assert (verdict["speaks_for"], verdict["speaks_against"]) == (["for"], ["against"])
    Incident.objects.update(verdict="host")
    assert get("deploys/ci/d3").json()["verdict"]["verdict"] == "suspect"
    Incident.objects.update(state="resolved")
    assert get("deploys/ci/d3").json()["verdict"]["verdict"] == "none"


def report(body: str) -> Any:
    return Caller("respond")("POST", "/api/v1/reports", body, content_type="application/json")


def test_a_report_is_kept_with_its_incident(incident: Incident) -> None:
    host = Host.objects.create(name="h1", added_at=NOW)
    IncidentHost.objects.create(incident=incident, host=host, since_at=NOW)
    App.objects.create(name="app-1")
    answer = report('{"text":"my app segfaults since noon","app":"app-1","host":"h1"}')
    assert (answer.status_code, answer.json()["incident"]) == (201, incident.pk)
    kept = Report.objects.get(pk=answer.json()["report"])
    assert (kept.text, kept.reporter, kept.host) == ("my app segfaults since noon", "caller", host)


@pytest.mark.parametrize(
    ("body", "status"),
    [("{}", 422), ('{"text":""}', 422), ('{"text":"  "}', 422), ('{"text":"a\\u0000"}', 422), ("nonsense", 400),
     ('{"text":"x","app":"unknown"}', 422), ('{"text":"x","host":"\\u0000"}', 422), ('{"text":5}', 422)],
)  # fmt: skip
def test_a_report_that_does_not_fit_is_told(body: str, status: int) -> None:
    problem(report(body), status)
    assert not Report.objects.exists()


def test_reading_does_not_let_write() -> None:
    problem(Caller("read")("POST", "/api/v1/reports", "{}"), 403)
