"""The console in headless Chromium: what people see, and what hostile text cannot do."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import Engine

from core.clock import MovableClock
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.records import START, row
from tests.support.rows import add_incident, store_rows
from tests.support.visits import DESKTOP, PHONE, Visit
from web.app import create_app

pytestmark = pytest.mark.needs_browser

NOW = START + timedelta(hours=5, minutes=59, seconds=30)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A fresh database."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def console(engine: Engine) -> Iterator[str]:
    """The address of a console on that database, in the minute of the newest document."""
    with serving(create_app(engine, clock=MovableClock(NOW))) as url:
        yield url


@pytest.fixture
def visit(chromium: Browser, console: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A Chinese reader at a desk; parametrise indirectly with context options for others."""
    options = {"locale": "zh-CN", "viewport": DESKTOP} | getattr(request, "param", {})
    context = chromium.new_context(**options)
    visit = Visit(context.new_page(), console)
    visit.page.set_default_timeout(10_000)
    visit.watch()
    yield visit
    context.close()


def fill(engine: Engine) -> int:
    """Six hours with a surge of negatives in the fifth, and its incident."""
    rows = []
    for nth in range(360):
        is_surge = 240 <= nth < 300
        rows.append(
            row(
                f"d{nth}",
                nth,
                text=f"第 {nth} 条 text",
                published_at=START + timedelta(minutes=nth),
                topic_label="finance" if is_surge else ("finance", "health", "sports")[nth % 3],
                sentiment="negative" if is_surge else ("neutral", "positive", "negative", "neutral")[nth % 4],
                source=("weibo", "paper")[nth % 2],
                lang=("zh", "en")[nth % 2],
                url=f"https://example.org/{nth}",
            )
        )
    store_rows(engine, rows)
    with engine.begin() as connection:
        return add_incident(
            connection, starts_at=START + timedelta(minutes=240), last_fired_at=START + timedelta(minutes=300)
        )


READERS = [
    pytest.param({"locale": "zh-CN", "color_scheme": "light"}, id="zh-light"),
    pytest.param({"locale": "en-US", "color_scheme": "dark"}, id="en-dark"),
    pytest.param({"locale": "zh-CN", "color_scheme": "dark", "viewport": PHONE}, id="zh-dark-phone"),
]


@pytest.mark.parametrize("visit", READERS, indirect=True)
def test_an_empty_console_is_whole_too(visit: Visit) -> None:
    """Before the first document every page says what is missing and what to do."""
    for path in ("/", "/documents", "/incidents"):
        visit.go(path)
        expect(visit.page.get_by_text("opinion demo")).to_be_visible()
        visit.assert_clean()


def test_the_range_is_in_the_address_and_changes_what_is_shown(visit: Visit, engine: Engine) -> None:
    """A link is the whole state: it can be shared, and the back button returns."""
    fill(engine)
    page = visit.go_and_draw("/")
    documents = page.locator(".figures dd").first
    expect(documents).to_have_text("360")
    page.get_by_role("link", name="1 小时").click()
    expect(page).to_have_url(re.compile(r"\?range=1h$"))
    expect(documents).to_have_text("60")
    page.wait_for_load_state()  # the form submits itself once its script is there
    page.locator("select[name=topic]").select_option("health")
    expect(page).to_have_url(re.compile(r"\?range=1h&topic=health$"))
    expect(documents).to_have_text("20")
    page.go_back()
    expect(documents).to_have_text("60")
    visit.assert_clean()


def test_old_data_are_shown_up_to_their_end(chromium: Browser, engine: Engine) -> None:
    """After an import of history the first page is full, and says where the range ends."""
    fill(engine)
    with serving(create_app(engine, clock=MovableClock(NOW + timedelta(days=900)))) as url:
        context = chromium.new_context(locale="en-US")
        page = context.new_page()
        page.goto(url)
        expect(page.locator(".notice:not(.lost)")).to_contain_text("so the range ends there")
        expect(page.locator(".figures dd").first).to_have_text("360")
        context.close()


def test_a_reader_can_switch_the_language_and_it_stays(visit: Visit, engine: Engine) -> None:
    """The switch keeps the address and is remembered on the next page."""
    fill(engine)
    page = visit.go_and_draw("/?range=6h&by=source")
    expect(page.get_by_role("heading", name="负面占比走势")).to_be_visible()
    page.get_by_label("语言与配色").click()
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", name="Negative share over time")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?range=6h&by=source$"))
    page.get_by_role("link", name="Incidents", exact=True).click()
    expect(page.get_by_role("heading", name="Incidents")).to_be_visible()


def test_dark_mode_is_dark_and_charts_follow_a_change(visit: Visit, engine: Engine) -> None:
    """The system's choice decides, also while the page is open."""
    fill(engine)
    page = visit.go_and_draw("/")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    drawn = page.locator("[data-series]").get_attribute("data-drawn")
    page.emulate_media(color_scheme="dark")
    expect(page.locator("[data-series]")).not_to_have_attribute("data-drawn", drawn or "")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert brightness(light) > 200
    assert brightness(dark) < 60
    visit.assert_clean()


def brightness(colour: str) -> float:
    """Of `rgb(r, g, b)`, 0 to 255."""
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


def test_new_documents_appear_without_a_reload(visit: Visit, engine: Engine) -> None:
    """The live part refreshes by itself, and leaves open what the reader has opened."""
    fill(engine)
    page = visit.go_and_draw("/")
    page.locator("[data-chart=share] summary").click()
    expect(page.locator("[data-chart=share] tbody tr").first).to_be_visible()
    store_rows(engine, [row("late", 999, text="刚刚到来的一条", published_at=NOW, sentiment="negative")])
    expect(page.get_by_text("刚刚到来的一条")).to_be_visible(timeout=15_000)
    expect(page.locator(".figures dd").first).to_have_text("361")
    expect(page.locator("[data-chart=share] tbody tr").first).to_be_visible()
    visit.assert_clean()


def test_the_live_refresh_can_be_paused(visit: Visit, engine: Engine) -> None:
    """Someone who reads is not moved about."""
    fill(engine)
    page = visit.go_and_draw("/")
    button = page.get_by_role("button", name="实时")
    button.click()
    expect(page.get_by_role("button", name="已暂停")).to_have_attribute("aria-pressed", "false")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # would refresh if it were not paused
    assert requests == []


def test_the_charts_table_holds_the_charts_figures(visit: Visit, engine: Engine) -> None:
    """Who cannot see the chart reads the same figures, with links to the documents behind them."""
    fill(engine)
    page = visit.go_and_draw("/?range=6h")
    page.locator("[data-chart=volume] summary").click()
    rows = page.locator("[data-chart=volume] tbody tr")
    expect(rows.first).to_be_visible()
    totals = [int(text) for text in rows.locator("td:nth-child(2)").all_inner_texts()]
    assert sum(totals) == 360
    first = int(rows.locator("td:nth-child(2)").first.inner_text())
    rows.first.get_by_role("link").first.click()
    expect(page.locator(".document")).to_have_count(first)


def test_an_incident_is_taken_on_with_the_keyboard(visit: Visit, engine: Engine) -> None:
    """Overview, incident, acknowledge: without a mouse, and the page shows who and when."""
    made = fill(engine)
    page = visit.go_and_draw("/")
    page.locator(".incident a").first.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/incidents/{made}$"))
    expect(page.get_by_text("话题 财经：负面 42 条")).to_be_visible()
    button = page.get_by_role("button", name="确认接手")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("console 已于")).to_be_visible()
    expect(page.get_by_role("button", name="确认接手")).to_have_count(0)
    visit.assert_clean()


def test_the_first_tab_stop_skips_to_the_content(visit: Visit, engine: Engine) -> None:
    """Keyboard readers need not pass the navigation on every page."""
    fill(engine)
    page = visit.go("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    assert page.locator("main h1").count() == 1
    unnamed = page.evaluate(
        "[...document.querySelectorAll('select, input:not([type=hidden]), button')]"
        ".filter((e) => !e.labels?.length && !e.textContent.trim() && !e.ariaLabel).length"
    )
    assert unnamed == 0


def test_a_lost_database_leaves_the_figures_and_says_so(visit: Visit, engine: Engine) -> None:
    """A failed refresh neither empties the page nor hides that its figures are old."""
    fill(engine)
    page = visit.go_and_draw("/")
    page.route("**/*", lambda route: route.fulfill(status=503, body="{}"))
    expect(page.locator(".notice.lost")).to_be_visible(timeout=15_000)
    expect(page.locator(".figures dd").first).to_have_text("360")
    page.unroute("**/*")
    expect(page.locator(".notice.lost")).to_be_hidden(timeout=15_000)
