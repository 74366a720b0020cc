"""Backtests on the page of settings: asked for by a plain form, watched, cancelled, read."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from incidents.backtesting.running import run_backtest
from incidents.models import Backtest
from tests.incidents.views.story import Story, person, signed_in

pytestmark = pytest.mark.django_db
DETECTION = "/settings/detection"


def form(story: Story, **typed: str) -> dict[str, str]:
    since = story.now - timedelta(minutes=40)
    return {"since": f"{since:%Y-%m-%dT%H:%M}", "until": f"{story.now:%Y-%m-%dT%H:%M}"} | typed


def test_it_is_for_administrators_alone(story: Story, ada: Client) -> None:
    ada.post(DETECTION, form(story))
    number = Backtest.objects.get().pk
    client = signed_in("responder", name="robin")
    for address in (DETECTION, f"{DETECTION}/backtests/{number}"):
        assert client.get(address).status_code == 403
    assert client.post(DETECTION, form(story)).status_code == 403
    assert client.post(f"{DETECTION}/backtests/{number}/cancel").status_code == 403
    assert Backtest.objects.get().state == "queued"
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person("bo", "administrator"))
    assert strict.post(DETECTION, form(story)).status_code == 403


def test_the_thresholds_in_use_are_shown(story: Story, ada: Client) -> None:
    page = ada.get(DETECTION).text
    assert "Score that a deploy needs before it is blamed" in page
    assert "Hosts and dynos are taken as they are now" in page
    assert "A deploy is blamed from a score of 11 on" in ada.get("/settings").text


def test_one_is_asked_for_run_and_read(story: Story, ada: Client) -> None:
    page = ada.post(DETECTION, form(story, page_score="12", tie_score=" "), follow=True).text
    assert "Waits for a worker" in page
    assert "Score that a deploy needs before it is blamed: 12 points, now 11" in page
    assert "<progress" in page
    backtest = Backtest.objects.get()
    assert (backtest.changes, backtest.requested_by) == ({"page_score": 12.0}, "ada")
    run_backtest(backtest.pk)
    page = ada.get(f"{DETECTION}/backtests/{backtest.pk}").text
    assert "0 pages, and there were 0" in page
    assert "Nothing was paged in that time" in page
    assert "<progress" not in page
    assert "no difference" in ada.get(DETECTION).text


def test_both_sides_are_shown(story: Story, ada: Client) -> None:
    side = {
        "at": story.now.timestamp(), "verdict": "deploy", "subject": "d3", "words": "Redeploy d3", "hosts": 3,
        "score": 14.2, "incident": story.incident.pk,
    }  # fmt: skip
    rows = [
        {"would": side, "was": None, "difference": "would have been paged, and was not", "notice": False},
        {"would": None, "was": side, "difference": "was paged, and would not have been", "notice": True},
    ]
    result = {"summary": ["1 page more"], "would": 1, "was": 0, "rows": rows, "left_out": 4}
    backtest = Backtest.objects.create(
        state="done", result=result, since_at=story.now - timedelta(hours=1), until_at=story.now,
        requested_at=timezone.now(), requested_by="ada",
    )  # fmt: skip
    page = ada.get(f"{DETECTION}/backtests/{backtest.pk}").text
    assert f'<a href="/incidents/{story.incident.pk}">' in page
    for words in ("1 page, and there were 0", "score 14.2, 3 hosts", "notice, no page", "4 more are left out"):
        assert words in page


def test_one_is_cancelled_and_then_it_is_too_late(story: Story, ada: Client) -> None:
    ada.post(DETECTION, form(story))
    address = f"{DETECTION}/backtests/{Backtest.objects.get().pk}/cancel"
    page = ada.post(address, follow=True).text
    assert "ada cancelled it." in page
    assert "has ended already" in ada.post(address, follow=True).text
    assert ada.get(address).status_code == 405


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"page_score": "high"}, "page_score is a number from 1 to 1000"),
        ({"since": "yesterday"}, "Say from when to when"),
        ({"until": ""}, "Say from when to when"),
        ({"since": "2001-01-01T00:00"}, "The stored past begins at"),
        ({"since": "2099-01-01T00:00", "until": "2099-01-02T00:00"}, "The span is"),
    ],
)
def test_what_makes_no_sense_is_said_and_what_was_typed_stays(
    story: Story, ada: Client, typed: dict[str, str], words: str
) -> None:
    response = ada.post(DETECTION, form(story, least_hosts_hit="7") | typed)
    assert response.status_code == 422
    assert words in response.text
    assert 'value="7"' in response.text
    assert not Backtest.objects.exists()


def test_the_page_opens_without_any_past(ada: Client) -> None:
    assert "No crash is stored yet" in ada.get(DETECTION).text
    assert ada.get(f"{DETECTION}/backtests/7").status_code == 404
