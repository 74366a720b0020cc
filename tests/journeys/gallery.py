"""Pictures of every page at both widths and in both themes, with what the browser and axe say of each.

make gallery        pictures in var/gallery; the last line printed is one JSON object
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("BROKER_URL", "memory://")
django.setup()

from axe_playwright_python.base import AXE_SCRIPT  # noqa: E402 - models need the set-up
from django.core.management import call_command  # noqa: E402
from playwright.sync_api import Browser, ConsoleMessage, Page, expect  # noqa: E402

from tests.journeys import scenes  # noqa: E402
from tests.journeys.browser import browsing, serving  # noqa: E402

FOLDER = Path(__file__).parents[2] / "var" / "gallery"
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
Theme = Literal["light", "dark"]
Variant = tuple[str, Theme]
VARIANTS: list[Variant] = [("desk", "light"), ("desk", "dark"), ("phone", "light"), ("phone", "dark")]
OPPOSITES: list[Variant] = [("desk", "light"), ("phone", "dark")]  # each width and each theme, at half the price
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES = {"runOnly": TAGS, "resultTypes": ["violations"]}
COMPLAINTS = """
async (rules) => (await axe.run(rules)).violations.map(
  (found) => `${found.id}, ${found.help}: ${found.nodes.slice(0, 3).map((node) => node.target.join(" ")).join("; ")}`)
"""
# Not a wait of the browser driver's own, which evaluates text in the page: the page's policy forbids that.
SETTLED = """
async () => {
  const frame = () => new Promise(requestAnimationFrame);
  const drawn = (place) => Math.abs(place.clientWidth - (place.querySelector("svg.main-svg")?.clientWidth ?? -9)) < 2;
  const charts = [...document.querySelectorAll("[data-chart]")], until = performance.now() + 30000;
  await frame();
  do await frame(); while (!charts.every(drawn) && performance.now() < until);
  return charts.every(drawn);
}
"""
TAINTING = """
(fields) => {
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const form = Object.assign(document.createElement("form"), { method: "post", action: "/hosts/taint" });
  for (const [name, value] of [["csrfmiddlewaretoken", token], ...fields])
    form.append(Object.assign(document.createElement("input"), { name, value }));
  document.body.append(form);
  form.submit();
}
"""
HALF = [["host", str(number)] for number in range(1, 41)]
POSTS: dict[str, tuple[list[list[str]], str]] = {  # what is sent, and the heading of the page after it
    "POST": ([], "Not for your role"),
    "POST too much": (HALF * 30, "Not understood"),
    "POST old form": ([["csrfmiddlewaretoken", "of-yesterday"]], "Send it again"),
    "POST beyond": ([*HALF, ["reason", "a bad batch of disks"]], "Taint 40 hosts, beyond the policy?"),
}
BROKEN = Path(__file__).parents[2] / "templates" / "500.html"
Shot = tuple[str, str, str]  # name of the picture, who looks, address
EMPTY: list[Shot] = [
    ("sign-in", "", "/sign-in"), ("now-no-hosts", "robin", "/"),
    ("settings-notifications-none", "ada", "/settings/notifications"), ("hosts-none", "robin", "/hosts"),
    ("incidents-none", "robin", "/incidents?state=all"), ("deploys-none", "robin", "/deploys"),
]  # fmt: skip
QUIET: list[Shot] = [("now-quiet", "robin", "/"), ("incidents-quiet", "robin", "/incidents")]
TROUBLE: list[Shot] = [
    ("now-trouble", "robin", "/"), ("incident-fresh", "robin", "/incidents/1"),
    ("incident-viewer", "vera", "/incidents/1"), ("incident-notice", "robin", "/incidents/2"),
    ("incidents", "robin", "/incidents"), ("hosts", "robin", "/hosts"),
    ("hosts-by-crashes", "robin", "/hosts?sort=crashes&q=tools%3D1.9"),
    ("hosts-not-found", "robin", "/hosts?q=nowhere"),
    ("host", "robin", "/hosts/h01"), ("host-long", "robin", f"/hosts/{scenes.LONG_HOST}"),
    ("deploys", "robin", "/deploys"), ("deploy-bad", "robin", "/deploys/d3"), ("deploy-good", "robin", "/deploys/d1"),
    ("incident-one-kind", "robin", "/incidents/1?kind=hosts"), ("hosts-viewer", "vera", "/hosts"),
    ("not-found", "robin", "/incidents/4711"), ("not-allowed", "vera", "POST"),
    ("not-understood", "robin", "POST too much"), ("not-fresh", "robin", "POST old form"),
    ("not-working", "robin", "BROKEN"), ("hosts-taint-beyond", "ada", "POST beyond"),
]  # fmt: skip
SET: list[Shot] = [
    ("settings", "ada", "/settings"), ("settings-notifications", "ada", "/settings/notifications"),
    ("settings-channel", "ada", "/settings/notifications/1"),
    ("settings-channel-new", "ada", "/settings/notifications/new"), ("not-settings", "vera", "/settings"),
    ("settings-policy", "ada", "/settings/policy"), ("settings-detection", "ada", "/settings/detection"),
    ("settings-backtest", "ada", "/settings/detection/backtests/1"),
    ("settings-backtest-running", "ada", "/settings/detection/backtests/2"),
]  # fmt: skip
TAKEN: list[Shot] = [
    ("incident-plan", "robin", "/incidents/1"), ("deploys-gate-closed", "robin", "/deploys"),
    ("deploy-gate-closed", "robin", "/deploys/d3"),
]  # fmt: skip
MOVING: list[Shot] = [
    ("incident-migrating", "robin", "/incidents/1"), ("now-migrating", "robin", "/"),
    ("host-draining", "robin", "/hosts/h01"), ("hosts-draining", "robin", "/hosts?state=draining"),
]  # fmt: skip
PAUSED: list[Shot] = [("incident-paused", "robin", "/incidents/1")]
FAILED: list[Shot] = [("incident-faltered", "robin", "/incidents/1")]
OVER: list[Shot] = [("incident-resolved", "robin", "/incidents/1"), ("incidents-all", "robin", "/incidents?state=all")]
NIGHT: list[tuple[Callable[[], object], list[Shot]]] = [
    (scenes.people, EMPTY), (scenes.quiet, QUIET), (scenes.trouble, TROUBLE), (scenes.settings, SET),
    (scenes.take, TAKEN),
    (scenes.migrate, MOVING), (scenes.pause, PAUSED), (scenes.falter, FAILED), (scenes.resolve, OVER),
]  # fmt: skip


@dataclass
class Findings:
    """What was seen while looking at the pages."""

    pictures: int = 0
    pages: int = 0
    console: list[str] = field(default_factory=list)
    axe: list[str] = field(default_factory=list)
    too_wide: list[str] = field(default_factory=list)


@dataclass
class Looker:
    """Somebody with a browser of their own, who looks at page after page; nobody where the name is empty."""

    name: str
    browser: Browser
    address: str
    findings: Findings
    keep: Path | None
    shot: str = ""

    def __post_init__(self) -> None:
        width, height = SIZES["desk"]
        context = self.browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
        self.page = context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.findings.console.append(f"{self.shot}: {error}"))
        if self.name:
            sign_in(self.page, self.address, self.name)

    def look(self, shot: Shot) -> None:
        """Opens a page and looks at it at every width and in every theme, or without pictures at what differs most."""
        self.shot, _, path = shot
        variants = VARIANTS if self.keep else OPPOSITES
        self._show_at(variants[0])
        self._open(path)
        self.page.evaluate(AXE_SCRIPT)
        self.findings.pages += 1
        for variant in variants:
            self._show_at(variant)
            settle(self.page)
            self._look_once("-".join((self.shot, *variant)))

    def _open(self, path: str) -> None:
        if path in POSTS:
            fields, heading = POSTS[path]
            self.page.goto(f"{self.address}/hosts")
            self.page.evaluate(TAINTING, fields)
            expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)
            return
        if path == "BROKEN":  # as it is sent when all else fails: a file, with nothing filled in
            shown = {"status": 500, "content_type": "text/html", "body": BROKEN.read_text()}
            self.page.route("**/BROKEN", lambda route: route.fulfill(**shown))
            path = "/BROKEN"
        self.page.goto(f"{self.address}{path}")

    def _show_at(self, variant: Variant) -> None:
        """Pictures show the whole height, so that what sticks to an edge of the screen stands at the picture's edge."""
        size, theme = variant
        width, height = SIZES[size]
        self.page.emulate_media(color_scheme=theme)
        self.page.set_viewport_size({"width": width, "height": height})
        if size == "phone" and self.keep:
            whole = self.page.evaluate("document.documentElement.scrollHeight")
            self.page.set_viewport_size({"width": width, "height": max(height, whole)})

    def _look_once(self, name: str) -> None:
        if self.keep:
            self.page.screenshot(path=self.keep / f"{name}.png", full_page=True)
            self.findings.pictures += 1
        if self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            self.findings.too_wide.append(name)
        self.findings.axe += [f"{name}: {words}" for words in self.page.evaluate(COMPLAINTS, RULES)]

    def _hear(self, line: ConsoleMessage) -> None:
        expected = self.shot.startswith("not-") and "Failed to load resource" in line.text
        if line.type in {"error", "warning"} and not expected:
            self.findings.console.append(f"{self.shot}: {line.text}")


def sign_in(page: Page, address: str, name: str) -> None:
    """By the form, as everybody does."""
    page.goto(f"{address}/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(scenes.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".who")).to_be_visible()


def settle(page: Page) -> None:
    """Waits until what a new theme set off has been done, and every chart is drawn as wide as its place."""
    assert page.evaluate(SETTLED), "a chart is not drawn, or not as wide as its place"


def look_at_everything(browser: Browser, address: str, *, keep: Path | None = None) -> Findings:
    """Tells the night scene by scene and looks at every page of each."""
    findings, lookers = Findings(), dict[str, Looker]()
    for tell, shots in NIGHT:
        tell()
        for shot in shots:
            who = shot[1]
            if who not in lookers:
                lookers[who] = Looker(who, browser, address, findings, keep)
            lookers[who].look(shot)
    return findings


def main() -> int:
    """The command; returns its exit status: 1 where a browser would complain."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    call_command("migrate", verbosity=0)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as address, browsing() as browser:
        findings = look_at_everything(browser, address, keep=FOLDER)
    for line in (*findings.console, *findings.axe, *(f"{name}: wider than the screen" for name in findings.too_wide)):
        print(line)
    counts = {"pages": findings.pages, "pictures": findings.pictures, "console_errors": len(findings.console)}
    print(json.dumps(counts | {"axe_violations": len(findings.axe), "too_wide": len(findings.too_wide)}))
    return int(bool(findings.console or findings.axe or findings.too_wide))


if __name__ == "__main__":
    sys.exit(main())
