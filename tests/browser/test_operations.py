"""The pages of operations and models in headless Chromium: usable by everybody, whatever a record holds."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog

from core.clock import MovableClock
from core.settings import Settings
from opinion.model_care import RegistryCare
from storage.engine import connect
from tests.browser.pictures_operations import NOW, StandingStill, fill
from tests.support.consoles import serving
from web.app import create_app

pytestmark = pytest.mark.needs_browser


def test_pages_are_accessible_and_nothing_in_them_runs(chromium: Browser, database_url: str) -> None:
    """Axe finds nothing, in light and dark; hostile records widen and run nothing; the lag comes by itself."""
    engine = connect(database_url)
    pages = fill(engine)
    app = create_app(
        engine,
        clock=MovableClock(NOW),
        model_care=RegistryCare(Settings(), engine),
        operations=StandingStill(),
    )
    found = {}
    ran: list[Dialog] = []
    with serving(app) as url:
        for scheme, width, names in (
            ("light", 1360, tuple(pages)),
            ("dark", 390, ("operations", "letters", "models")),
        ):
            context = chromium.new_context(
                locale="en-US",
                color_scheme=scheme,  # type: ignore[arg-type]
                viewport={"width": width, "height": 800},
            )
            page = context.new_page()
            page.on("dialog", lambda dialog: ran.append(dialog))
            for path in map(pages.__getitem__, names):
                page.goto(f"{url}{path}")
                if path == "/operations":
                    page.get_by_text("80 records wait").wait_for()
                found[scheme, path] = [
                    (one["id"], one["nodes"][0]["html"]) for one in Axe().run(page).response["violations"]
                ]
                assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            context.close()
    engine.dispose()
    assert ran == []
    assert {place: said for place, said in found.items() if said} == {}
