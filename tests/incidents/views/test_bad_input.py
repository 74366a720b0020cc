"""What people, scripts and mistakes put into addresses and forms: an answer each time, never a broken page."""

import pytest
from django.test import Client
from django.utils import timezone

from fleet.models import Host, Taint
from incidents.models import Gate, Incident, RunbookRun, TimelineEntry
from tests.incidents.views.story import Story, person

pytestmark = pytest.mark.django_db
HUGE = "9" * 40
ODD_WORDS = [
    "'; DROP TABLE fleet_host; --", "%00", "%", "_", "\\", "=", "tools=", "=1.9", '{"a":1}',
    "<script>alert(1)</script>", "h" * 5000, "a=b " * 400, "日本語", "%F0%9F%92%A9", "' OR 1=1 --", "tools=%00",
]  # fmt: skip


@pytest.mark.parametrize("words", ODD_WORDS)
def test_any_search_gives_a_page(story: Story, responder: Client, words: str) -> None:
    response = responder.get(f"/hosts?q={words}" if "%" in words else "/hosts", None if "%" in words else {"q": words})
    assert response.status_code == 200
    assert "<script>alert(1)" not in response.text
    assert Host.objects.count() == len(story.hosts)


def test_the_signs_of_a_pattern_mean_themselves(story: Story, responder: Client) -> None:
    for sign in ("%25", "_"):
        assert "No host is like that" in responder.get(f"/hosts?q={sign}").text


@pytest.mark.parametrize("page", ["0", "-1", "1000000000", HUGE, "x", "", "1.5", "²", "%00"])
@pytest.mark.parametrize("address", ["/hosts", "/incidents", "/deploys", "/deploys/d3", "/hosts?sort=crashes"])
def test_any_page_number_gives_a_page(story: Story, responder: Client, address: str, page: str) -> None:
    response = responder.get(f"{address}{'&' if '?' in address else '?'}page={page}")
    assert response.status_code == 200
    assert "h0001" in response.text or "d3" in response.text


@pytest.mark.parametrize(
    "query",
    ["sort=nothing", "sort=name;--", "sort=-attributes", "state=gone", "state=%00", "sort=%00", f"q=&page={HUGE}"],
)  # fmt: skip
def test_an_unknown_order_or_state_shows_all_by_name(story: Story, responder: Client, query: str) -> None:
    text = responder.get(f"/hosts?{query}").text
    assert text.index("h0000") < text.index("h0001") < text.index("h0005")


@pytest.mark.parametrize("query", [f"before={HUGE}", "before=²", "before=-3", "before=x", "kind=%00", "kind=nothing"])
def test_an_odd_part_of_the_timeline_is_the_newest(story: Story, responder: Client, query: str) -> None:
    response = responder.get(f"/incidents/{story.incident.pk}?{query}")
    assert response.status_code == 200
    assert "h0001 joined." in response.text


@pytest.mark.parametrize(
    "address",
    [
        f"/incidents/{HUGE}", "/incidents/0", "/hosts/%00", "/hosts/nobody", "/deploys/%00", "/deploys/none",
        "/incidents/x", f"/incidents/{HUGE}/export.md", "/incidents/1/export.exe", "/nothing",
    ],
)  # fmt: skip
def test_what_is_not_there_is_said_to_be_not_there(story: Story, responder: Client, address: str) -> None:
    response = responder.get(address)
    assert response.status_code == 404
    assert "No such page" in response.text


@pytest.mark.parametrize("chosen", [["x"], ["²"], [HUGE], ["-1"], [""], ["\x00"], [HUGE, "x", "²"]])
def test_tainting_what_is_no_host_taints_none(story: Story, responder: Client, chosen: list[str]) -> None:
    response = responder.post("/hosts/taint", {"host": chosen, "reason": "odd"}, follow=True)
    assert "Nothing was tainted" in response.text
    assert not Taint.objects.exists()


@pytest.mark.parametrize("hours", ["-4", "99999999", "x", "\x00", "24.5"])
def test_an_odd_expiry_is_none(story: Story, responder: Client, hours: str) -> None:
    responder.post("/hosts/taint", {"host": story.hosts[0].pk, "reason": "odd", "hours": hours})
    assert Taint.objects.get().expires_at is None


def test_text_may_hold_anything(story: Story, responder: Client) -> None:
    number, odd = story.incident.pk, "\x00<b>a</b> \u202e🔥 " + "x" * 15_000
    for act in ("note", "report"):
        assert responder.post(f"/incidents/{number}/{act}", {"text": odd}, follow=True).status_code == 200
    responder.post("/hosts/taint", {"host": story.hosts[0].pk, "reason": odd})
    responder.post(f"/hosts/{story.hosts[0].name}/untaint", {"proof": odd})
    responder.post("/gates/cedar-14/close", {"reason": odd})
    for address in (f"/incidents/{number}", "/hosts/h0000", "/deploys", "/"):
        page = responder.get(address)
        assert page.status_code == 200
        assert "<b>a</b>" not in page.text
    kept = TimelineEntry.objects.get(kind="note").text
    assert "🔥" in kept
    assert len(kept) <= 20_000
    assert Gate.objects.count() == Taint.objects.count() == 1


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("start", {"runbook": "nothing"}), ("start", {"runbook": "../../etc/passwd"}), ("start", {}),
        ("start", {"runbook": "\x00"}), ("note", {"text": "  "}), ("note", {}), ("report", {"text": ""}),
        ("note", {"text": "early", "occurred_at": "2999-01-01 00:00"}),
        ("note", {"text": "a", "occurred_at": "2026-02-31"}),
        ("note", {"text": "a", "occurred_at": "x"}), ("dismiss", {}), ("reopen", {"reason": "x"}),
    ],
)  # fmt: skip
def test_a_form_that_cannot_be_done_says_so(story: Story, responder: Client, path: str, form: dict[str, str]) -> None:
    before = TimelineEntry.objects.count()
    response = responder.post(f"/incidents/{story.incident.pk}/{path}", form, follow=True)
    assert response.status_code == 200
    assert 'data-tone="error"' in response.text
    assert TimelineEntry.objects.count() == before
    assert not RunbookRun.objects.exists()


def test_a_report_of_an_app_and_a_host_that_nobody_knows_is_kept_all_the_same(story: Story, responder: Client) -> None:
    form = {"text": "my app segfaults", "app": "unheard-of", "host": "\x00"}
    assert (
        "stands with the evidence" in responder.post(f"/incidents/{story.incident.pk}/report", form, follow=True).text
    )
    report = story.incident.reports.get()
    assert (report.app, report.host) == (None, None)


@pytest.mark.parametrize("run", ["x", "", HUGE, "0", "²", "\x00"])
def test_a_run_that_is_not_there_is_not_found(story: Story, responder: Client, run: str) -> None:
    assert responder.post(f"/incidents/{story.incident.pk}/run/pause", {"run": run}).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["shout", "run/shout", "steps/{step}/shout", "migrations/1/pause", "steps/999999/confirm", f"steps/{HUGE}/confirm"],
)
def test_an_act_that_does_not_exist_is_not_found(story: Story, responder: Client, path: str) -> None:
    number = story.incident.pk
    responder.post(f"/incidents/{number}/start", {"runbook": "overwritten-image"})
    run = RunbookRun.objects.get()
    path = path.format(step=run.steps.order_by("position").first().pk)  # type: ignore[union-attr]
    assert responder.post(f"/incidents/{number}/{path}", {"run": run.pk}).status_code == 404


def test_a_gate_is_neither_closed_nor_opened_by_another_word(story: Story, responder: Client) -> None:
    assert responder.post("/gates/cedar-14/slam", {"reason": "x"}).status_code == 404
    assert responder.post("/gates/unknown/close", {"reason": "x"}).status_code == 404
    assert not Gate.objects.exists()


def test_a_step_of_another_incident_is_not_found(story: Story, responder: Client) -> None:
    other = Incident.objects.create(
        verdict="fleet", subject="fleet", headline="x", began_at=timezone.now(), opened_at=timezone.now()
    )
    responder.post(f"/incidents/{story.incident.pk}/start", {"runbook": "overwritten-image"})
    step = RunbookRun.objects.get().steps.get(key="close-gate")
    response = responder.post(f"/incidents/{other.pk}/steps/{step.pk}/confirm", {"digest": step.digest})
    assert response.status_code == 404
    assert not Gate.objects.exists()


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "\x00", "/\\evil.example"]
)
def test_a_form_leads_back_to_our_own_pages_alone(story: Story, responder: Client, wanted: str) -> None:
    response = responder.post("/hosts/taint", {"host": "", "next": wanted})
    assert response.headers["Location"] == "/hosts"


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example"])
def test_signing_in_leads_to_our_own_pages_alone(wanted: str) -> None:
    person("robin", "responder")
    form = {"username": "robin", "password": "quiet-night-17", "next": wanted}
    assert Client().post("/sign-in", form).headers["Location"] == "/"


@pytest.mark.parametrize("address", ["/", "/incidents", "/hosts", "/deploys", "/hosts/h0001"])
def test_pages_are_only_read(story: Story, responder: Client, address: str) -> None:
    assert responder.post(address).status_code == 405


@pytest.mark.parametrize("address", ["/hosts/taint", "/incidents/1/acknowledge", "/gates/cedar-14/close"])
def test_nothing_is_done_by_a_link(story: Story, responder: Client, address: str) -> None:
    assert responder.get(address).status_code in {404, 405}
    assert not Taint.objects.exists()
    assert not Gate.objects.exists()


def test_what_breaks_on_our_side_says_so_and_nothing_of_the_inside(
    responder: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr("incidents.views.incident.listed", breaks)
    responder.raise_request_exception = False
    response = responder.get("/incidents")
    assert response.status_code == 500
    assert "Something broke on our side" in response.text
    assert "the inside" not in response.text
