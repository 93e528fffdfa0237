"""`python -m tests.browser.pictures_access FOLDER` draws login, account, people and audit log."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser
from sqlalchemy import Engine

from core.clock import MovableClock
from core.roles import Role
from storage import api_tokens, people
from tests.browser.pictures import database
from tests.support.accounts import PASSWORD, cheap, settle
from tests.support.consoles import chromium_browser, serving
from web.access import Access
from web.app import create_app

NOW = datetime(2026, 3, 10, 15, tzinfo=UTC)
READERS = (
    ("zh-light", {"locale": "zh-CN", "color_scheme": "light", "viewport": {"width": 1360, "height": 900}}),
    ("en-dark", {"locale": "en-US", "color_scheme": "dark", "viewport": {"width": 1360, "height": 900}}),
    ("zh-phone", {"locale": "zh-CN", "color_scheme": "dark", "viewport": {"width": 390, "height": 844}}),
    ("en-phone", {"locale": "en-US", "color_scheme": "light", "viewport": {"width": 390, "height": 844}}),
)
PEOPLE: tuple[tuple[str, Role], ...] = (
    ("admin", "admin"),
    ("王芳", "analyst"),
    ("李雷", "annotator"),
    ("Zoë", "viewer"),
)


def draw(folder: Path, engine: Engine, browser: Browser) -> None:
    """`access-{login,account,people,audit}-{reader}.png`."""
    for name, role in PEOPLE:
        settle(engine, name, role)
    with engine.begin() as connection:
        people.add(connection, "新同事", "annotator", cheap().hash(PASSWORD), by="admin")
        people.disable(connection, people.named(connection, "Zoë").id, NOW)
        api_tokens.create(connection, "weibo-crawler", ["documents:write"])
        api_tokens.create(connection, "值班机器人", ["write"])
    clock = MovableClock(NOW)
    app = create_app(engine, clock=clock, access=Access(passwords=cheap()), signing_secret=b"s" * 32)
    with serving(app) as url:
        for reader, options in READERS:
            context = browser.new_context(**options)  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(f"{url}/login")
            page.screenshot(path=folder / f"access-login-{reader}.png", full_page=True)
            for name, password in (("王芳", "wrong"), ("王芳", PASSWORD), ("admin", PASSWORD)):
                page.goto(f"{url}/account")
                if page.locator("form[action='/logout']").count():
                    page.locator("form[action='/logout'] button").click()
                    page.wait_for_url("**/login")
                page.locator("[name=name]").fill(name)
                page.locator("[name=password]").fill(password)
                with page.expect_navigation():
                    page.keyboard.press("Enter")
                clock.advance(timedelta(seconds=41))
            for path in ("account", "people", "audit"):
                page.goto(f"{url}/{path}")
                if path == "people":
                    page.locator("form[action$='/reset'] button").first.click()
                    page.wait_for_selector(".secret")
                page.screenshot(path=folder / f"access-{path}-{reader}.png", full_page=True)
            context.close()


if __name__ == "__main__":
    with database() as engine, chromium_browser() as browser:
        assert browser is not None, "no Chromium here"
        draw(Path(sys.argv[1]), engine, browser)
