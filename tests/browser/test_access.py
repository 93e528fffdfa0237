"""The first login as somebody does it: one-time password, own password, out again; readable for everybody."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from core.clock import MovableClock
from storage import people
from storage.engine import connect
from tests.support.accounts import cheap
from tests.support.consoles import serving
from web.access import Access
from web.app import create_app

pytestmark = pytest.mark.needs_browser

NOW = datetime(2026, 3, 10, 15, tzinfo=UTC)
ONCE = "abcde-fghjk-mnpqr-stuvw"
OWN = "four unrelated small words"
HOSTILE = '<img src=x onerror="window.hacked = 1">\u202egnp {{ 7 * 7 }} ' + "长" * 20
READERS = [
    pytest.param({"locale": "zh-CN", "color_scheme": "light"}, id="zh-light"),
    pytest.param(
        {"locale": "en-US", "color_scheme": "dark", "viewport": {"width": 390, "height": 844}}, id="en-dark-phone"
    ),
]
SAYS = {"zh-CN": ("退出", "修改密码"), "en-US": ("Log out", "Change password")}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An admin who has not been here, and somebody of a hostile name."""
    engine = connect(database_url)
    with engine.begin() as connection:
        people.add(connection, "admin", "admin", cheap().hash(ONCE), by="test")
        people.add(connection, HOSTILE, "viewer", cheap().hash(ONCE), by=HOSTILE)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("reader", READERS)
def test_first_login_own_password_and_out(chromium: Browser, engine: Engine, reader: dict[str, object]) -> None:
    """In both languages and schemes, at a desk and on a phone: nothing fails, sticks out or shuts anybody out."""
    complaints: list[str] = []
    app = create_app(engine, clock=MovableClock(NOW), access=Access(passwords=cheap()), signing_secret=b"s" * 32)
    with serving(app) as url:
        context = chromium.new_context(**reader)  # type: ignore[arg-type]
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda one: None if one.url.startswith(url) else complaints.append(one.url))
        leave, change = SAYS[str(reader["locale"])]

        def log_in(password: str) -> None:
            page.locator("[name=name]").fill("admin")
            page.locator("[name=password]").fill(password)
            page.keyboard.press("Enter")

        page.goto(f"{url}/documents?q=a")
        expect(page).to_have_url(f"{url}/login?next=/documents%3Fq%3Da")
        fits(page)
        log_in("guess")
        expect(page.get_by_role("alert")).to_be_visible()
        check(page)
        log_in(ONCE)
        expect(page).to_have_url(f"{url}/account")
        check(page)
        page.locator("#old").fill(ONCE)
        page.locator("#new").fill(OWN)
        page.locator("#again").fill(OWN)
        page.get_by_role("button", name=change).click()
        expect(page.get_by_role("status")).to_be_visible()
        page.goto(f"{url}/account")
        fits(page)
        page.goto(f"{url}/audit")
        check(page)
        page.goto(f"{url}/people")
        page.locator("#new-name").fill("li")
        page.locator("#new-name").press("Enter")
        expect(page.locator(".secret")).to_be_visible()
        check(page)
        page.get_by_role("button", name=leave, exact=True).click()
        expect(page).to_have_url(f"{url}/login")
        page.goto(f"{url}/people")
        expect(page).to_have_url(f"{url}/login?next=/people")
        log_in(OWN)
        expect(page).to_have_url(f"{url}/people")
        assert page.evaluate("window.hacked") is None
        context.close()
    assert complaints == []


def fits(page: Page) -> None:
    """Nothing sticks out sideways."""
    wide, seen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= seen, page.url


def check(page: Page) -> None:
    """It fits, and axe finds nothing."""
    fits(page)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
