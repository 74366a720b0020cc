"""What only a browser can show: pages without scripts, two people at once, live updates, keys."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from fleet.live import FLEET, announce
from fleet.models import Host, Taint
from incidents.models import Gate, RunbookRun, TimelineEntry
from tests.incidents.views.story import Story, person, tell_story
from tests.journeys.browser import serving
from tests.journeys.gallery import sign_in

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True, reset_sequences=True),
]


@pytest.fixture
def story() -> Story:
    person("robin", "responder")
    person("kim", "responder")
    return tell_story()


@pytest.fixture
def address(story: Story, tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path) as found:
        yield found


def browser_of(chromium: Browser, address: str, name: str, *, scripts: bool = True) -> Page:
    page = chromium.new_context(java_script_enabled=scripts, viewport={"width": 1280, "height": 900}).new_page()
    sign_in(page, address, name)
    return page


def test_everything_works_without_scripts(story: Story, address: str, chromium: Browser) -> None:
    page = browser_of(chromium, address, "robin", scripts=False)
    expect(page.get_by_text("Reload to see what is new")).to_be_visible()
    page.goto(f"{address}/incidents/1")
    page.get_by_label("Note").fill("Looks like the redeploy")
    page.get_by_role("button", name="Write it down").click()
    expect(page.locator("#timeline")).to_contain_text("Looks like the redeploy")

    page.get_by_role("button", name="Start “Overwritten image”").click()
    page.get_by_role("button", name="Close the deploy gate of cedar-14").click()
    expect(page.locator(".head")).to_contain_text("gate of cedar-14 closed")

    page.goto(f"{address}/hosts")
    page.get_by_label("Choose h0002").check()
    page.get_by_label("Taint the chosen hosts").fill("looks sick")
    page.get_by_role("button", name="Taint the chosen hosts").click()
    expect(page.get_by_text("Tainted 1 host")).to_be_visible()
    page.goto(f"{address}/hosts/h0002")
    page.get_by_text("Lift the taint", exact=True).click()
    page.get_by_label("What was checked?").fill("images verified")
    page.get_by_role("button", name="Lift the taint of h0002").click()
    expect(page.get_by_text("Lifted the taint of h0002")).to_be_visible()
    assert Host.objects.get(name="h0002").state == "in_service"


def test_nothing_is_done_twice_by_clicks_tabs_or_people(story: Story, address: str, chromium: Browser) -> None:
    robin, kim = (browser_of(chromium, address, name) for name in ("robin", "kim"))
    robin.goto(f"{address}/incidents/1")
    kim.goto(f"{address}/incidents/1")
    robin.get_by_role("button", name="Start “Overwritten image”").dblclick()
    for page in (robin, kim):
        expect(page.get_by_role("button", name="Close the deploy gate of cedar-14")).to_be_visible()
    assert RunbookRun.objects.count() == 1

    second_tab = robin.context.new_page()
    second_tab.goto(f"{address}/incidents/1")
    stale = second_tab.locator("form[id^=confirm]").evaluate("(form) => [...new FormData(form)]")
    kim.get_by_role("button", name="Close the deploy gate of cedar-14").dblclick()
    expect(robin.locator(".head")).to_contain_text("gate of cedar-14 closed")
    expect(second_tab.locator(".head")).to_contain_text("gate of cedar-14 closed")
    step = RunbookRun.objects.get().steps.get(key="close-gate")
    again = robin.request.post(
        f"{address}/incidents/1/steps/{step.pk}/confirm", form=dict(stale), headers={"Referer": address}
    )
    assert re.search("nothing was done|was first", again.text(), re.IGNORECASE)
    assert Gate.objects.count() == 1

    robin.goto(f"{address}/hosts")
    robin.go_back()
    robin.go_forward()
    assert TimelineEntry.objects.filter(kind="gate").count() == 1


def test_a_live_update_takes_nothing_from_the_person_at_the_page(story: Story, address: str, chromium: Browser) -> None:
    page = browser_of(chromium, address, "robin")
    page.goto(f"{address}/incidents/1")
    expect(page.locator("#live")).to_have_attribute("data-live", "yes")
    page.keyboard.press("n")
    expect(page.locator("#note")).to_be_focused()
    page.keyboard.type("half a sent")
    with page.expect_response(f"{address}/incidents/1"):
        announce("incident:1")
    page.keyboard.type("ence")
    expect(page.locator("#note")).to_have_value("half a sentence")
    expect(page.locator("#note")).to_be_focused()

    page.goto(f"{address}/hosts")
    expect(page.locator("#live")).to_have_attribute("data-live", "yes")
    page.get_by_label("Choose h0001").check()
    page.get_by_label("Choose h0003").check()
    page.get_by_label("Taint the chosen hosts").fill("looks sick")
    with page.expect_response(f"{address}/hosts"):
        announce(FLEET)
    expect(page.get_by_label("Choose h0001")).to_be_checked()
    page.get_by_role("button", name="Taint 2 hosts").click()
    expect(page.get_by_text("Tainted 2 hosts")).to_be_visible()
    assert set(Taint.objects.values_list("host__name", flat=True)) == {"h0001", "h0003"}


def test_keys_go_places_and_act_on_nothing(story: Story, address: str, chromium: Browser) -> None:
    page = browser_of(chromium, address, "robin")
    for keys, place in (("gi", "/incidents"), ("gh", "/hosts"), ("gd", "/deploys"), ("gn", "/")):
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_url(f"{address}{place}")
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("h0002")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/hosts?q=h0002")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("No key acts on a host.")
    page.keyboard.press("Escape")
    page.goto(f"{address}/incidents/1")
    page.keyboard.press("u")
    expect(page.locator(".head time").first).to_have_text(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"))
    assert not Taint.objects.exists()


def test_a_page_that_hears_nothing_says_so_and_asks(story: Story, address: str, chromium: Browser) -> None:
    context = chromium.new_context()
    page = context.new_page()
    context.route("**/live?*", lambda route: route.abort())
    sign_in(page, address, "robin")
    page.goto(f"{address}/incidents/1")
    expect(page.locator("#live")).to_have_text("Not live: reload to see what is new", timeout=15_000)
    with page.expect_response(f"{address}/incidents/1", timeout=15_000):
        pass
