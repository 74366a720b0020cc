"""Every deploy has a verdict in the rows, on its page and over HTTP; what came late is said."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from fleet.models import Deploy, HostDeploy
from incidents.correlation.standing import Standing
from incidents.correlation.verdict import Board, Suspect, Verdict
from incidents.models import DeployVerdict, Incident
from incidents.queries import under_suspicion
from incidents.watching.late import Late
from incidents.watching.memory import Look
from incidents.watching.saying_late import say_late
from incidents.watching.standings import told
from tests.fleet.api.conftest import Caller
from tests.incidents.fleet_in_trouble import Fleet

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fast_ticks")]
FINE = Standing("d2", 2, 12, 12_400.0, 0.97, (0.81, 1.16), 30.0, 31.0, 2.0, alone=False)
QUIET = Board(0.0, (), (), (), ())


def suspect(score: float, deploy: str = "d2") -> Suspect:
    return Suspect(deploy, score, {}, 3.2, (1.4, 7.0), 30.0, 3, False, ("it fits (+6.1)",), ("few hosts (-0.5)",))


def test_a_harmless_deploy_says_so_with_its_numbers() -> None:
    row = told(FINE, QUIET)
    assert row["word"] == "harmless"
    assert row["sentence"] == (
        "No sign of harm: 0.97 [0.81, 1.16] times the crashes of the hosts it had not reached, after 12,400 host"
        " minutes. A doubling would have been seen by now."
    )
    assert (row["speaks_for"], row["score"]) == ([], 0.0)


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (replace(FINE, seen_from=10.0), "Too early to tell: 0.97"),
        (replace(FINE, seen_from=10.0), "10 times the crashes would have been seen by now."),
        (replace(FINE, seen_from=None), "No rise of any size would have been seen by now."),
        (replace(FINE, rate_ratio=None, seen_from=None), "Too early to tell: no crash on either side after 12,400"),
        (replace(FINE, interval=(0.81, 1e5)), "0.97 [0.81, …] times"),
        (replace(FINE, alone=True, seen_from=None), "by time only, which proves little."),
        (replace(FINE, alone=True, rate_ratio=None), "There were no crashes before."),
    ],
)
def test_what_cannot_be_told_is_not_called_harmless(standing: Standing, words: str) -> None:
    assert words in told(standing, QUIET)["sentence"]


@pytest.mark.parametrize(("score", "word"), [(2.5, "harmless"), (6.0, "suspect")])
def test_a_suspect_stands_with_what_speaks_for_and_against(score: float, word: str) -> None:
    row = told(FINE, replace(QUIET, suspects=(suspect(score),)))
    assert (row["word"], row["score"]) == (word, score)
    assert (row["speaks_for"], row["speaks_against"]) == (["it fits (+6.1)"], ["few hosts (-0.5)"])


def test_live_deploys_are_judged_and_shown(troubled_fleet: Fleet) -> None:
    troubled_fleet.pass_ticks(6, dying=0.2)
    held = {row.deploy.key: row for row in DeployVerdict.objects.select_related("deploy")}
    assert held["d3"].word == "cause"
    assert held["d3"].speaks_for
    assert held["d2"].word in {"early", "harmless"}
    assert held["d2"].hosts == 2
    assert held["d2"].controls == 12
    assert held["d2"].host_minutes > 0
    answer = Caller("deploys")("GET", "/api/v1/deploys/d2").json()["verdict"]
    assert (answer["verdict"], answer["incident"]) == ("none", None) or answer["verdict"] == "suspect"
    assert answer["standing"] == held["d2"].word
    assert answer["sentence"] == held["d2"].sentence
    assert answer["host_minutes"] == held["d2"].host_minutes
    cause = Caller("deploys")("GET", "/api/v1/deploys/d3").json()["verdict"]
    assert (cause["verdict"], cause["standing"]) == ("cause", "cause")
    assert cause["speaks_for"]
    client = Client()
    client.force_login(User.objects.create_user("robin"))
    shown = client.get("/deploys/d2").content.decode()
    assert "host minutes" in shown
    assert held["d2"].get_word_display() in client.get("/deploys").content.decode()


def test_suspects_stand_on_now_while_they_are_fresh(quiet_fleet: Fleet) -> None:
    deploy = quiet_fleet.upgrade("d2")
    row = told(FINE, replace(QUIET, suspects=(suspect(7.0),)))
    DeployVerdict.objects.create(deploy=deploy, judged_to=quiet_fleet.now, **row)
    assert [held.deploy.key for held in under_suspicion(quiet_fleet.now)] == ["d2"]
    assert not under_suspicion(quiet_fleet.now + timedelta(hours=1))


def late(**changes: Any) -> Late:
    at = 1772593800.0
    facts: dict[str, Any] = {
        "crashes": 12, "host_deploys": 3, "first_at": at, "last_at": at + 240, "known_at": at + 1260,
        "hosts": frozenset({"h00"}), "deploys": frozenset({"d3"}),
    }  # fmt: skip
    return Late(**(facts | changes))


def look(fleet: Fleet, came: Late, *, before: float, after: float) -> Look:
    verdict = Verdict("deploy", "d3", fleet.now.timestamp(), {}, ("h00", "h01"), after, 8.0, (4.0, 14.0), hosts_hit=2)
    return Look(1, Board(fleet.now.timestamp(), (verdict,), (), (), ()), {"d3": before}, came)


@pytest.mark.parametrize(
    ("came", "before", "said"),
    [
        (late(), 14.2, True),
        (late(host_deploys=0, deploys=frozenset()), 14.2, True),
        (late(), 17.5, False),
        (late(crashes=2, host_deploys=0), 14.2, False),
        (late(hosts=frozenset({"h09"}), deploys=frozenset()), 14.2, False),
    ],
    ids=["it changed much", "crashes alone", "it changed little", "hardly anything came", "it concerns other hosts"],
)
def test_what_came_late_is_told_where_it_changed_the_verdict(
    troubled_fleet: Fleet, came: Late, before: float, said: bool
) -> None:
    say_late(look(troubled_fleet, came, before=before, after=17.9), now=troubled_fleet.now)
    incident = Incident.objects.get()
    assert incident.timeline.filter(kind="late").exists() is said
    if said:
        text = incident.timeline.get(kind="late").text
        assert text.endswith("arrived at 03:31; the verdict was recomputed: its score went from 14.2 to 17.9.")
        assert text.startswith("12 crashes")
        assert " from 03:10 to 03:14 UTC " in text
        assert incident.numbers["late"] == text
        troubled_fleet.pass_ticks(1, dying=0.2)
        incident.refresh_from_db()
        assert incident.numbers["late"] == text, "it stays on the page"


def test_a_host_deploy_that_was_told_late_says_so() -> None:
    fleet = Fleet()
    deploy = Deploy.objects.create(key="d1", target="config", kind="upgrade", started_at=fleet.now)
    for host, minutes in zip(fleet.hosts, (None, 1, 20), strict=False):
        told_at = None if minutes is None else fleet.now + timedelta(minutes=minutes)
        HostDeploy.objects.create(deploy=deploy, host=host, at=fleet.now, outcome="installed", received_at=told_at)
    assert [row.came_late for row in HostDeploy.objects.order_by("pk")] == [False, False, True]
    client = Client()
    client.force_login(User.objects.create_user("robin"))
    assert client.get("/deploys/d1").content.decode().count("told at") == 1
