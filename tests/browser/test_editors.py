"""Watchlists, rules, silences, subscriptions and conflicts in headless Chromium: tried while typing, then saved."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from core.clock import MovableClock
from storage import human_labels, rules, silences, subscriptions, watchlists
from storage.engine import connect
from tests.browser.pictures_editors import LOOKS, PAGES, RECEIVERS, previewed
from tests.support.consoles import serving
from tests.support.editing import NOW, prepare
from web.app import create_app

pytestmark = pytest.mark.needs_browser

PREVIEW_MS = 20_000  # a rule is replayed over days of counts, on a machine that is busy with other tests


@dataclass
class Desk:
    """A console with everything in it, and what went wrong in the browsers that looked at it."""

    url: str
    engine: Engine
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    def opened(self, **options: Any) -> Page:
        page = self.browser.new_context(**options).new_page()
        page.set_default_timeout(PREVIEW_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("request", lambda one: None if one.url.startswith(self.url) else self.complaints.append(one.url))
        return page


@pytest.fixture
def desk(database_url: str, chromium: Browser) -> Iterator[Desk]:
    engine = connect(database_url)
    prepare(engine)
    app = create_app(engine, clock=MovableClock(NOW), receivers=RECEIVERS)  # type: ignore[arg-type]
    with serving(app) as url:
        desk = Desk(url, engine, chromium)
        yield desk
        for context in chromium.contexts:
            context.close()
        assert desk.complaints == []
    engine.dispose()


def test_what_is_typed_is_tried_and_then_saved(desk: Desk) -> None:
    """A watchlist, a rule, a silence, a subscription and a conflict, each with its preview, by one analyst."""
    page = desk.opened(**LOOKS["en-dark"])
    preview = page.locator("#preview")

    page.goto(f"{desk.url}/watchlists/new")
    expect(page.locator("#editor[data-htmx-powered]")).to_be_visible()
    page.get_by_label("Any of these words").fill("手机")
    expect(preview.locator("mark").first).to_have_text("手机", timeout=PREVIEW_MS)
    expect(preview).to_contain_text("8 of 72 documents match")
    page.get_by_label("Query").fill("手机 AND")
    expect(page.locator("#fault-query")).to_contain_text("not understood", timeout=PREVIEW_MS)
    expect(page.get_by_label("Query")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Query").fill("")
    page.get_by_label("Not inside these phrases").fill("苹果手机")
    expect(preview).to_contain_text("kept out by the phrase “苹果手机”", timeout=PREVIEW_MS)
    expect(page.locator("#fault-query")).to_have_text("")
    page.get_by_label("Not inside these phrases").fill("")
    page.get_by_label("Name").fill("手机")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    expect(page.locator("table.edited")).to_contain_text("手机")

    page.goto(f"{desk.url}/rules/edit?name=desk")
    expect(preview).to_contain_text("The same as the rule that holds", timeout=PREVIEW_MS)
    page.get_by_label("Threshold").fill("100")
    expect(preview).to_contain_text("only the present one", timeout=PREVIEW_MS)
    expect(preview).to_contain_text("Incidents: 0")
    page.get_by_label("Threshold").fill("9")
    expect(preview.locator("td", has_text="both")).to_be_visible(timeout=PREVIEW_MS)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("table.edited")).to_contain_text("score 9")

    page.goto(f"{desk.url}/silences?incident=1")
    expect(preview).to_contain_text("Open incidents that it mutes: 1", timeout=PREVIEW_MS)
    page.get_by_label("Labels").fill("severity")
    expect(page.locator("#fault-match")).not_to_have_text("", timeout=PREVIEW_MS)
    page.get_by_label("Labels").fill('severity=~"warning|critical"')
    expect(preview).to_contain_text("Open incidents that it mutes: 2", timeout=PREVIEW_MS)
    page.get_by_role("button", name="Silence", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Silenced")

    page.goto(f"{desk.url}/subscriptions/edit?name=night")
    expect(preview).to_contain_text("It tells of 2 of the newest 3 incidents", timeout=PREVIEW_MS)
    expect(preview).to_contain_text("info is below warning")
    page.get_by_label("From severity").select_option("critical")
    expect(preview).to_contain_text("It tells of 1 of the newest 3 incidents", timeout=PREVIEW_MS)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("night")

    page.goto(f"{desk.url}/label/conflicts")
    expect(page.locator("html[data-keys]")).to_be_attached()
    first = page.locator("#answer input[name=text]").input_value()
    page.keyboard.press("s")
    expect(page.locator("#answer input[name=text]")).not_to_have_value(first)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_have_text("Settled.")

    with desk.engine.connect() as connection:
        assert watchlists.one(connection, "手机").definition == {"any": ["手机"]}
        assert rules.active(connection)[0].definition == {"group_by": ["topic"], "threshold": 9, "min_per_hour": 20}
        assert len(silences.active(connection, NOW)) == 2
        assert subscriptions.one(connection, "night").definition["min_severity"] == "critical"
        [settled] = [one for one in human_labels.rows(connection) if one.is_adjudication]
        assert (settled.answer, settled.annotator, settled.intake) == ("positive", "console", "console")


def test_every_page_is_accessible_and_holds_hostile_text(desk: Desk) -> None:
    """axe finds nothing in light or dark, nothing sticks out on a phone, and no script of a document runs."""
    page = desk.opened(**LOOKS["zh-light"])
    found = []
    for path in [*PAGES.values(), "/watchlists/new", "/rules/edit?name=from file"]:
        page.set_viewport_size({"width": 1360, "height": 900})
        page.goto(f"{desk.url}{path}")
        if path in PAGES.values():
            previewed(page)
        found += [(path, *one) for one in faults_of(page)]
        page.emulate_media(color_scheme="dark")
        found += [(path, "dark", *one) for one in faults_of(page, runOnly=["color-contrast"])]
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 390, "height": 844})
        wide, seen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= seen, path
        assert page.evaluate("window.hacked") is None
    assert found == []


def faults_of(page: Page, **options: Any) -> list[tuple[str, str]]:
    """Each fault that axe finds, with the first place it is at."""
    violations = Axe().run(page, options=options).response["violations"]
    return [(one["id"], str(one["nodes"][0]["failureSummary"])) for one in violations]
