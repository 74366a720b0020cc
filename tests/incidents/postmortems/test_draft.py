"""The sections of a postmortem, of every kind of incident, with much in the record and with nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.actor import SYSTEM, Actor
from fleet.models import App, Crash, CrashKind, CrashMinute, Deploy, Dyno, Host, Migration, Move, Stack, Taint
from fleet.partitions import CRASHES, MINUTES, ensure_partitions
from incidents.gates import close_gate, open_gate
from incidents.models import Evidence, Incident, IncidentHost, Report, RunbookRun, RunStep, Suspect
from incidents.postmortems.draft import Draft, draft_postmortem, utc
from incidents.timeline.export import FORMATS, html, markdown
from incidents.timeline.record import record
from incidents.wording import Cause, headline

BEGAN = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)
NOW = BEGAN + timedelta(hours=1)
ANNA = Actor("person", "anna")
SUBJECTS = {"deploy": "d3", "host": "h1", "app": "app-1", "group": "zone=b", "fleet": "fleet"}
TEXTS = [name for name in FORMATS if name != "pdf"]
pytestmark = pytest.mark.django_db


def after(**since: float) -> datetime:
    return BEGAN + timedelta(**since)


def open_incident(verdict: str = "deploy", **changes: Any) -> Incident:
    deploy = None
    if verdict == "deploy":
        stack = Stack.objects.create(name="cedar-14")
        deploy = Deploy.objects.create(key="d3", target="stack", kind="redeploy", stack=stack, started_at=BEGAN)
    cause = Cause(verdict, SUBJECTS[verdict], "redeploy", "stack", "cedar-14", such=1, hit=1)
    facts = {"headline": headline(cause), "began_at": BEGAN, "opened_at": after(seconds=40), "deploy": deploy}
    return Incident.objects.create(verdict=verdict, subject=SUBJECTS[verdict], **{**facts, **changes})


def named(incident: Incident, *names: str) -> list[Host]:
    hosts = [Host.objects.get_or_create(name=name, defaults={"added_at": BEGAN})[0] for name in names]
    IncidentHost.objects.bulk_create(IncidentHost(incident=incident, host=host, since_at=BEGAN) for host in hosts)
    return hosts


def crash(host: Host, app: App | None, at: datetime, *, dyno: str = "", number: int = 1) -> None:
    ensure_partitions(CRASHES, times=[at])
    ensure_partitions(MINUTES, times=[at])
    minute = at.replace(second=0, microsecond=0)
    CrashMinute.objects.create(
        minute=minute, host=host, app_id=app.pk if app else 0, kind=CrashKind.SEGV, count=number, first_at=at,
        first_received_at=at,
    )  # fmt: skip
    if dyno:
        key = f"00000000-0000-0000-0000-{at.timestamp():012.0f}"
        Crash.objects.create(at=at, key=key, received_at=at, host=host, app=app, kind=CrashKind.SEGV, dyno=dyno)


def drafted(incident: Incident, now: datetime = NOW) -> Draft:
    return draft_postmortem(Incident.objects.get(pk=incident.pk), now=now)


@pytest.mark.parametrize("verdict", SUBJECTS)
@pytest.mark.parametrize("form", TEXTS)
def test_every_kind_of_incident_can_be_written_though_nothing_else_is_known(verdict: str, form: str) -> None:
    incident = open_incident(verdict)
    text = FORMATS[form][0](drafted(incident))
    assert isinstance(text, str)
    assert not [word for word in ("None", "nan", "inf ") if word in text]
    assert form == "csv" or incident.headline.split(" ")[0] in text


def test_an_incident_without_anything_says_so() -> None:
    draft = drafted(open_incident())
    assert draft.impact == ["No host is named."]
    assert (draft.numbers, draft.done, draft.hosts, draft.entries, draft.chain_digest) == ([], [], [], [], "")
    told = markdown.write(draft)
    assert "Nothing was done to hosts or gates." in told
    assert "No numbers were kept." in told
    assert "- 0 entries. The chain is whole." in told


@pytest.mark.parametrize(
    ("state", "words"),
    [("open", "It is open."), ("mitigated", "It is mitigated."),
     ("resolved", "It was resolved at 2026-03-04 03:50:00 UTC."),
     ("dismissed", "It was dismissed at 2026-03-04 03:50:00 UTC.")],
)  # fmt: skip
def test_the_summary_says_when_and_how_it_ended(state: str, words: str) -> None:
    over = state in {"resolved", "dismissed"}
    draft = drafted(open_incident(state=state, resolved_at=after(minutes=50) if over else None))
    assert draft.summary[1] == f"It began at {utc(BEGAN)} and was opened at 2026-03-04 03:00:40 UTC. {words}"


def test_the_impact_counts_what_came_between_beginning_and_end_on_the_named_hosts() -> None:
    incident = open_incident(state="resolved", resolved_at=after(minutes=30))
    [one, two] = named(incident, "h2", "h1")
    quiet = Host.objects.create(name="h3", added_at=BEGAN)
    app, other = App.objects.create(name="app-b"), App.objects.create(name="app-a")
    crash(one, app, after(minutes=-2), dyno="before")
    crash(one, app, after(minutes=3), dyno="web.1", number=2)
    crash(one, app, after(minutes=5), dyno="web.1")
    crash(two, other, after(minutes=30), dyno="web.2")
    crash(two, other, after(minutes=31), dyno="later")
    crash(quiet, app, after(minutes=6), dyno="elsewhere")
    assert drafted(incident).impact == [
        "2 hosts named: h1, h2.", "4 crashes there from the beginning on.", "2 apps affected: app-a, app-b.",
        "2 dynos died at least once.",
    ]  # fmt: skip


def test_one_of_each_is_told_as_one() -> None:
    incident = open_incident("host")
    [host] = named(incident, "h1")
    crash(host, App.objects.create(name="app-1"), after(minutes=1), dyno="web.1")
    assert drafted(incident).impact == [
        "1 host named: h1.", "1 crash there from the beginning on.", "1 app affected: app-1.",
        "1 dyno died at least once.",
    ]  # fmt: skip


def test_a_host_that_is_no_longer_named_counts_no_more() -> None:
    incident = open_incident()
    hosts = named(incident, "h1", "h2")
    for host in hosts:
        crash(host, None, after(minutes=1))
    IncidentHost.objects.filter(host=hosts[0]).update(until_at=after(minutes=5))
    draft = drafted(incident)
    assert (draft.hosts, draft.impact[1:]) == (["h2"], ["1 crash there from the beginning on.", "0 apps affected."])


def test_an_app_is_counted_on_every_host() -> None:
    incident = open_incident("app")
    app, other = App.objects.create(name="app-1"), App.objects.create(name="app-2")
    for number in range(3):
        host = Host.objects.create(name=f"h{number}", added_at=BEGAN)
        crash(host, app, after(minutes=number), dyno=f"app-1.{number}")
        crash(host, other, after(minutes=number))
    assert drafted(incident).impact == [
        "App app-1 is meant; no host is named.", "3 crashes there from the beginning on.", "1 app affected: app-1.",
        "3 dynos died at least once.",
    ]  # fmt: skip


def test_an_app_that_nobody_knows_any_more_has_no_figures() -> None:
    assert drafted(open_incident("app")).impact == ["App app-1 is meant; no host is named."]


def test_the_whole_fleet_is_counted_where_the_whole_fleet_is_meant() -> None:
    incident = open_incident("fleet")
    for number in range(2):
        host = Host.objects.create(name=f"h{number}", added_at=BEGAN)
        crash(host, None, after(minutes=number), number=5)
    assert drafted(incident).impact[:2] == [
        "The whole fleet is meant; no host is named.", "10 crashes there from the beginning on."
    ]  # fmt: skip


NUMBERS = {
    "score": 14.2, "rate_ratio": 9.1, "interval": [5.2, 15.8], "lag_seconds": 3725.4, "hosts_hit": 34,
    "hosts_exposed": 41, "controls": 120,
}  # fmt: skip


def test_the_numbers_of_a_deploy() -> None:
    assert drafted(open_incident(numbers=NUMBERS, cohort={"zone": "b", "tools": "1.9"})).numbers == [
        ("Crashes against those of the other hosts, with the 95 % interval", "9.1 times [5.2, 15.8]"),
        ("Score (log likelihood)", "14.2"),
        ("Hosts hit, of those exposed", "34 of 41"),
        ("Hosts to compare with", "120"),
        ("Time from the deploy to a host's first crash, median", "1 h 2 min 5 s"),
        ("Cohort", "tools=1.9, zone=b"),
    ]


def test_the_numbers_of_a_group_speak_of_no_deploy() -> None:
    rows = dict(drafted(open_incident("group", numbers={**NUMBERS, "lag_seconds": None})).numbers)
    assert rows["Hosts hit, of those named"] == "34 of 41"
    assert not [name for name in rows if "deploy" in name or "exposed" in name]


@pytest.mark.parametrize("verdict", ["host", "fleet"])
def test_a_host_and_the_fleet_are_held_against_their_own_past(verdict: str) -> None:
    rows = dict(drafted(open_incident(verdict, numbers={**NUMBERS, "hosts_exposed": 0, "lag_seconds": None})).numbers)
    assert rows == {
        "Crashes against the usual ones, with the 95 % interval": "9.1 times [5.2, 15.8]",
        "Score (log likelihood)": "14.2",
    }


def test_an_app_has_a_ratio_and_no_interval() -> None:
    numbers = {"score": 0.0, "rate_ratio": 12.0, "interval": [0.0, 0.0], "lag_seconds": None, "hosts_exposed": 0}
    assert drafted(open_incident("app", numbers=numbers)).numbers == [("Crashes against the usual ones", "12.0 times")]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [({"rate_ratio": 2000.0, "interval": [34.4, 2000.0]}, "at least 34.4 times"),
     ({"rate_ratio": 9.1, "interval": [None, None]}, "9.1 times"),
     ({"rate_ratio": 9.1, "interval": [5.2]}, "9.1 times"), ({"rate_ratio": 9.1}, "9.1 times")],
)  # fmt: skip
def test_a_bound_that_was_never_known_is_not_written(numbers: dict[str, Any], words: str) -> None:
    assert [value for _, value in drafted(open_incident(numbers=numbers)).numbers] == [words]


def test_numbers_that_could_not_be_kept_have_no_row() -> None:
    assert drafted(open_incident(numbers={"rate_ratio": None, "score": None, "standing": True})).numbers == []


def test_what_was_done_comes_from_the_rows_of_those_who_did_it() -> None:
    incident = open_incident()
    assert incident.deploy
    assert incident.deploy.stack
    [one, two] = named(incident, "h1", "h2")
    close_gate(stack=incident.deploy.stack, incident=incident, reason="overwritten", actor=SYSTEM, now=after(minutes=2))
    for host in (one, two, one):
        Taint.objects.create(host=host, reference=incident.reference, reason="x", owner="anna", set_at=BEGAN)
        Taint.objects.filter(host=host).update(lifted_at=NOW)
    assert drafted(incident).done == [
        "Deploy gate of cedar-14 closed at 2026-03-04 03:02:00 UTC by Faultline, still closed.",
        "2 hosts tainted: h1, h2.",
    ]
    open_gate(stack=incident.deploy.stack, actor=ANNA, now=after(minutes=9), reason="over")
    assert drafted(incident).done[0].endswith("by Faultline, opened at 2026-03-04 03:09:00 UTC by anna.")


def migrate(incident: Incident, *states: str, seconds: float | None = 9.84) -> None:
    source, target = (Host.objects.create(name=name, added_at=BEGAN) for name in ("old", "new"))
    app = App.objects.create(name="app-9")
    migration = Migration.objects.create(
        reference=incident.reference, actor="anna", created_at=BEGAN, started_at=BEGAN,
        finished_at=after(seconds=seconds) if seconds else None,
    )  # fmt: skip
    for place, state in enumerate(states):
        dyno = Dyno.objects.create(name=f"d{place}", app=app, host=source, changed_at=BEGAN)
        Move.objects.create(migration=migration, dyno=dyno, source=source, target=target, position=place, state=state)


@pytest.mark.parametrize(
    ("states", "seconds", "line"),
    [(["done"], 9.84, "1 of 1 dyno moved to fresh hosts in 9.8 s."),
     (["done", "done", "failed"], 60, "2 of 3 dynos moved to fresh hosts in 60.0 s, 1 failed."),
     (["planned", "planned"], None, "0 of 2 dynos moved to fresh hosts.")],
)  # fmt: skip
def test_a_migration_says_how_far_it_came(states: list[str], seconds: float | None, line: str) -> None:
    incident = open_incident()
    migrate(incident, *states, seconds=seconds)
    assert drafted(incident).done == [line]


def test_a_run_tells_how_its_steps_ended() -> None:
    incident = open_incident()
    run = RunbookRun.objects.create(
        incident=incident, runbook="x", title="Empty the hosts", plan={}, started_at=BEGAN, started_by="anna"
    )
    for place, state in enumerate(["succeeded", "skipped", "succeeded", "ready"]):
        RunStep.objects.create(run=run, position=place, key=f"s{place}", kind="note", title="x", state=state)
    assert drafted(incident).done == [
        "Runbook Empty the hosts, started by anna at 2026-03-04 03:00:00 UTC: steps 1 ready, 1 skipped, 2 succeeded."
    ]


def test_doings_of_other_incidents_stay_out() -> None:
    migrate(open_incident("host"), "done")
    assert drafted(open_incident()).done == []


def test_entries_come_in_the_order_in_which_things_occurred() -> None:
    incident = open_incident()
    for text, minutes in [("third", 30), ("first", 10), ("second", 20), ("also third", 30)]:
        record(incident_id=incident.pk, kind="note", text=text, actor=ANNA, occurred_at=after(minutes=minutes))
    draft = drafted(incident)
    assert [entry.text for entry in draft.entries] == ["first", "second", "third", "also third"]
    assert draft.chain_digest == incident.timeline.get(sequence=4).digest
    assert (draft.first_break, draft.drafted_at) == (None, NOW)


def test_a_broken_chain_is_said_in_the_document() -> None:
    incident = open_incident()
    entry = record(incident_id=incident.pk, kind="note", text="as it was", actor=ANNA, occurred_at=BEGAN)
    entry.previous_digest = "f" * 64
    assert "breaks" not in markdown.write(drafted(incident))
    Incident.objects.filter(pk=incident.pk).update(last_sequence=5)
    record(incident_id=incident.pk, kind="note", text="later", actor=ANNA, occurred_at=BEGAN)
    broken = drafted(incident)
    assert broken.first_break is not None
    for write in (markdown.write, html.write):
        assert f"The chain breaks at entry {broken.first_break}." in write(broken)


def test_suspects_evidence_and_reports_are_written_out() -> None:
    incident = open_incident()
    assert incident.deploy
    rival = Deploy.objects.create(key="d<1>", target="agent", kind="upgrade", started_at=BEGAN)
    for deploy, score in [(rival, 2.04), (incident.deploy, 14.2)]:
        Suspect.objects.create(incident=incident, deploy=deploy, score=score, speaks_for=[f"{score}"], updated_at=NOW)
    Evidence.objects.create(
        incident=incident, kind="kernel", bearing="against", summary="h1 is well", observed_at=BEGAN
    )
    Report.objects.create(incident=incident, text="it *segfaults*", reporter="bob", reported_at=BEGAN)
    draft = drafted(incident)
    assert [suspect.deploy.key for suspect in draft.suspects] == ["d3", "d<1>"]
    told, page = markdown.write(draft), html.write(draft)
    assert "### Suspect d\\<1\\> (score 2.0)" in told
    assert "d&lt;1&gt;" in page
    assert "<1>" not in page
    assert "bob, 2026-03-04 03:00:00 UTC: it \\*segfaults\\*" in told
    assert "gainst: h1 is well" in told
    assert "- nothing" in told
