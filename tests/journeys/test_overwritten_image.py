"""The whole story in a real browser: from a quiet fleet to an exported postmortem, by pressing what the page offers.

With JOURNEY_PICTURES=FOLDER each page on the way is kept as a picture, at both widths and in both themes.
"""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import RunningDemo

PICTURES = os.environ.get("JOURNEY_PICTURES")
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
STEPS = 9
MINUTE = 60_000


def keep_pictures(page: Page, name: str) -> None:
    if not PICTURES:
        return
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.screenshot(path=Path(PICTURES) / f"{name}-{size}-{theme}.png", full_page=True)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="light")


def sign_in(page: Page, demo: RunningDemo) -> None:
    page.goto(demo.url)
    keep_pictures(page, "sign-in")
    page.get_by_label("Name").fill(demo.user)
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()


def take_steps(page: Page) -> None:
    """Confirms each step as its turn comes; the page itself says when, without a reload."""
    for place in range(STEPS):
        turn = page.locator("#runbook li.step").nth(place)
        expect(turn).to_have_attribute("aria-current", "step", timeout=2 * MINUTE)
        button = turn.locator("form[id^=confirm] button.main")
        expect(button).to_be_visible(timeout=MINUTE)
        keep_pictures(page, f"step-{place + 1}")
        button.click()
        expect(turn).to_have_attribute("data-state", re.compile("running|succeeded"), timeout=MINUTE)
        if place == 4:
            expect(page.locator("#runbook progress").first).to_be_visible()
            keep_pictures(page, "migrating")
        expect(turn).to_have_attribute("data-state", "succeeded", timeout=3 * MINUTE)


@pytest.mark.browser
@pytest.mark.timeout(480)
def test_a_responder_carries_the_story_through(demo: RunningDemo, chromium: Browser, tmp_path: Path) -> None:
    page = chromium.new_context(viewport={"width": 1440, "height": 900}).new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    sign_in(page, demo)
    keep_pictures(page, "quiet")

    named = page.get_by_role("link", name=re.compile("Redeploy .* probably damages hosts with tools 1.9")).first
    expect(named).to_be_visible(timeout=2 * MINUTE)
    keep_pictures(page, "now")
    named.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("tools 1.9")
    page.get_by_role("button", name="Take this incident").click()
    page.get_by_role("button", name="Start “Overwritten image”").click()
    take_steps(page)

    page.get_by_role("button", name="Resolve").click()
    expect(page.locator(".head .state").first).to_have_text("resolved")
    keep_pictures(page, "resolved")
    for form in ("md", "html", "json", "csv"):
        with page.expect_download() as download:
            page.locator(f"a[href$='export.{form}']").first.click()
        path = tmp_path / f"postmortem.{form}"
        download.value.save_as(path)
        assert "redeploy" in path.read_text()
    for place in ("hosts", "deploys"):
        page.goto(demo.url + place)
        keep_pictures(page, place)
    page.goto(demo.url + "hosts")
    page.locator("table a").first.click()
    keep_pictures(page, "host")
    page.goto(demo.url + "deploys")
    page.get_by_role("link", name=re.compile("redeploy")).first.click()
    keep_pictures(page, "deploy")
    assert complaints == []
