"""Every page shows what it is for, to those who may see it, in a fixed number of queries."""

import json
import re

import plotly.graph_objects as go
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from fleet.actor import SYSTEM
from fleet.models import Host
from incidents.models import Incident
from incidents.timeline.record import record
from tests.incidents.views.story import Story, signed_in, tell_story

pytestmark = pytest.mark.django_db
PAGES = [
    "/",
    "/incidents",
    "/incidents/{n}",
    "/hosts",
    "/hosts?sort=crashes",
    "/hosts/h0001",
    "/deploys",
    "/deploys/d3",
]


def address(page: str, story: Story) -> str:
    return page.format(n=story.incident.pk)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_needs_a_sign_in_and_then_opens(page: str) -> None:
    story = tell_story()
    assert Client().get(address(page, story)).headers["Location"].startswith("/sign-in?next=/")
    response = signed_in("viewer").get(address(page, story))
    assert response.status_code == 200
    assert 'id="main"' in response.text
    assert "<style>" not in response.text
    assert not re.search(r"<[^>]+ style=", response.text)


@pytest.mark.parametrize("page", PAGES)
def test_query_counts_do_not_grow_with_rows(page: str) -> None:
    client = signed_in("responder")
    small = tell_story(hosts=4)
    counts = [queries(client, address(page, small))]
    more = Host.objects.bulk_create(
        Host(name=f"more-{n}", state="in_service", attributes={"tools": "1.9"}, added_at=small.now) for n in range(300)
    )
    grow(small, more)
    counts.append(queries(client, address(page, small)))
    assert counts[0] == counts[1]
    assert counts[0] <= 34


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection, ) as captured:  # fmt: skip
        assert client.get(address).status_code == 200
    return len(captured)


def grow(story: Story, hosts: list[Host]) -> None:
    """The same kinds of rows for more hosts."""
    for table, column in (
        ("fleet_hostdeploy", "host_id"), ("incidents_incidenthost", "host_id"), ("fleet_crash_minute", "host_id"),
    ):  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table} WHERE {column} = %s LIMIT 20", [story.hosts[1].pk])  # noqa: S608
            names = [part.name for part in cursor.description or ()]
            kept = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            for host in hosts:
                for row in kept:
                    new = {key: value for key, value in row.items() if key != "id"} | {column: host.pk}
                    columns, marks = ", ".join(new), ", ".join(["%s"] * len(new))
                    cursor.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(new.values()))  # noqa: S608


def test_htmx_gets_the_main_part_alone() -> None:
    story = tell_story()
    client = signed_in("viewer")
    address = f"/incidents/{story.incident.pk}"
    part = client.get(address, headers={"HX-Request": "true"}).text
    assert part.startswith("<title>")
    assert "<html" not in part
    assert 'id="main"' in part
    assert "<html" in client.get(address).text


def test_the_figures_are_ones_that_plotly_knows() -> None:
    story = tell_story()
    client = signed_in("viewer")
    found = {}
    for page in ("/", f"/incidents/{story.incident.pk}", "/hosts/h0001"):
        for key, figure in re.findall(
            r'<script id="(figure-\w+)" type="application/json">(.*?)</script>', client.get(page).text
        ):
            found[key] = json.loads(figure)
    assert set(found) == {"figure-pulse", "figure-heat", "figure-exposure"}
    for figure in found.values():
        go.Figure(painted(figure))


def painted(value: object) -> object:
    """With a colour in place of each token, as the page's script does it."""
    if isinstance(value, str):
        return "#123456" if value.startswith("--") else value
    if isinstance(value, dict):
        return {key: painted(inner) for key, inner in value.items()}
    return [painted(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("verdict", "against", "beside"),
    [("fleet", "no deploy explains this", "the usual"), ("group", "two deploys fit as well", "the others")],
)
def test_what_no_deploy_explains_says_why(story: Story, verdict: str, against: str, beside: str) -> None:
    numbers = {
        "rate_ratio": 2.6,
        "interval": [1.9, 3.6],
        "for": ["31.0 crashes where 12.0 were due"],
        "against": [against],
    }
    opened = Incident.objects.create(
        verdict=verdict, subject="all", headline="More crash", numbers=numbers, began_at=story.now, opened_at=story.now
    )
    page = signed_in("viewer").get(f"/incidents/{opened.pk}").text
    assert f"Crashes against {beside}<" in page
    assert '<li class="for"><span>31.0 crashes where 12.0 were due</span></li>' in page
    assert f'<li class="against"><span>{against}</span></li>' in page


def test_each_note_can_be_corrected_and_kept_out_of_exports(story: Story) -> None:
    note = record(incident_id=story.incident.pk, kind="note", text="Called them.", actor=SYSTEM, occurred_at=story.now)
    page = signed_in("responder").get(f"/incidents/{story.incident.pk}").text
    form = page[page.index(f'id="revise-{note.sequence}"') :]
    addresses = re.findall(r'action="([^"]*)"', form)[:2]
    assert addresses == [reverse("incident-act", args=[story.incident.pk, what]) for what in ("correct", "hide")]


def test_before_anything_is_known_there_is_no_empty_card(story: Story) -> None:
    bare = Incident.objects.create(
        verdict="app", subject="blog", headline="blog crashes", began_at=story.now, opened_at=story.now
    )
    assert "What it is" not in signed_in("viewer").get(f"/incidents/{bare.pk}").text


def test_the_recorded_past_is_marked_as_such() -> None:
    tell_story()
    assert "recorded past" in signed_in("viewer").get("/").text


def test_a_quiet_fleet_says_so_and_an_empty_one_teaches() -> None:
    client = signed_in("viewer")
    assert "make demo" in client.get("/").text
    story = tell_story()
    assert "1 incident going on" in client.get("/").text
    type(story.incident).objects.filter(pk=story.incident.pk).update(state="resolved")
    assert "All quiet" in client.get("/").text


def test_the_list_of_hosts_finds_by_name_and_attribute() -> None:
    tell_story(hosts=6)
    client = signed_in("viewer")
    assert "3 hosts like “tools=1.9”" in client.get("/hosts?q=tools=1.9").text
    assert "1 host like “h0002”" in client.get("/hosts?q=h0002").text
    assert "No host is like that" in client.get("/hosts?q=nowhere").text
