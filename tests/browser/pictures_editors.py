"""`python -m tests.browser.pictures_editors FOLDER` draws the editors' pages, light and dark, wide and on a phone."""

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page
from sqlalchemy import Engine

from core.clock import MovableClock
from tests.browser.pictures import database
from tests.support.consoles import chromium_browser, serving
from tests.support.editing import NOW, prepare
from web.app import create_app

RECEIVERS = (("webhook", "desk"), ("feishu", "值班群"))
PAGES = {
    "watchlists": "/watchlists",
    "watchlist": "/watchlists/edit?name=苹果",
    "rules": "/rules",
    "rule": "/rules/edit?name=desk",
    "silences": "/silences?incident=1",
    "subscriptions": "/subscriptions",
    "subscription": "/subscriptions/edit?name=night",
    "conflicts": "/label/conflicts",
    "agreement": "/label/agreement",
}
LOOKS = {
    "zh-light": {"locale": "zh-CN", "color_scheme": "light", "viewport": {"width": 1360, "height": 900}},
    "en-dark": {"locale": "en-US", "color_scheme": "dark", "viewport": {"width": 1360, "height": 900}},
    "zh-phone": {"locale": "zh-CN", "color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
}


def draw(folder: Path, engine: Engine, browser: Browser) -> None:
    """`editors-PAGE-LOOK.png`."""
    prepare(engine)
    app = create_app(engine, clock=MovableClock(NOW), receivers=RECEIVERS)  # type: ignore[arg-type]
    with serving(app) as url:
        for look, options in LOOKS.items():
            context = browser.new_context(**options)
            page = context.new_page()
            for name, path in PAGES.items():
                page.goto(f"{url}{path}")
                previewed(page)
                page.screenshot(path=folder / f"editors-{name}-{look}.png", full_page=True)
            context.close()


def previewed(page: Page) -> None:
    """Wait for a live preview, where the page has one."""
    if page.locator("#editor").count():
        page.locator("html[data-editing]").wait_for()
        page.locator("#preview .verdict-line").wait_for()


if __name__ == "__main__":
    with database() as engine, chromium_browser() as browser:
        assert browser is not None, "no Chromium here"
        draw(Path(sys.argv[1]), engine, browser)
