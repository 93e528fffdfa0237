"""Every page of the bar, over documents that want to break it, for every reader."""

from typing import Any

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from core.clock import MovableClock
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.hostile import add_hostile
from tests.support.records import START
from tests.support.visits import DESKTOP, PHONE, Visit
from web.app import create_app
from web.navigation import ENTRIES

pytestmark = pytest.mark.needs_browser

READERS: dict[str, dict[str, Any]] = {
    "zh, light, desk": {"locale": "zh-CN", "color_scheme": "light", "viewport": DESKTOP},
    "en, dark, desk": {"locale": "en-US", "color_scheme": "dark", "viewport": DESKTOP},
    "zh, dark, phone": {"locale": "zh-CN", "color_scheme": "dark", "viewport": PHONE},
}
WIDE = "desk"  # there axe looks at each page, once in each language and colour


def test_no_page_is_broken_or_obeys_what_was_crawled(chromium: Browser, database_url: str) -> None:
    """Nothing written by others runs, widens a page, or leaves the host; every page is for everybody."""
    engine = connect(database_url)
    made = add_hostile(engine, START)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM document")) == 13
    paths = [one.path for one in ENTRIES]
    paths += ["/?by=source&compare=week", "/?by=language&range=1h", f"/incidents/{made}", "/nothing"]
    with serving(create_app(engine, clock=MovableClock(START))) as url:
        for reader, options in READERS.items():
            context = chromium.new_context(**options)
            visit = Visit(context.new_page(), url)
            visit.watch()
            for path in paths:
                page = visit.go(path)
                if page.locator("[data-series]").count():
                    page.wait_for_selector("[data-drawn]")
                if path == "/nothing":
                    visit.complaints.clear()  # the browser calls a missing page an error
                heights = page.locator(".document").evaluate_all("(all) => all.map((one) => one.offsetHeight)")
                assert max(heights, default=0) < 600, path  # nothing pushes its neighbours out of sight
                page.evaluate("document.querySelectorAll('main details').forEach((one) => { one.open = true; })")
                visit.assert_clean()
                assert "49" not in page.locator("main").inner_text().split(), (reader, path)  # {{7*7}}
                if WIDE in reader:
                    visit.assert_accessible()
            context.close()
    engine.dispose()
