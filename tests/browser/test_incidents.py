"""An incident in headless Chromium: what people do about it, the page for phones, and files to pass on."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import Engine

from core.clock import MovableClock
from storage import silences
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.hostile import TEXTS
from tests.support.records import START, row
from tests.support.rows import EVIDENCE, add_incident, store_rows
from tests.support.visits import PHONE, Visit
from web.app import create_app
from web.phone_links import path_of

pytestmark = pytest.mark.needs_browser

NOW = START + timedelta(minutes=30)
SECRET = b"b" * 32
SMALLEST = {"width": 320, "height": 640}
RECEIVERS: Any = (("webhook", TEXTS["script"]), ("feishu", "值班群"))
SERIES = {
    "starts_at": START.isoformat(),
    "bucket_seconds": 300.0,
    "negatives": [1, 2, 30],
    "expected": [2.0, 2.0, 2.0],
    "lower": [0, 0, 0],
    "upper": [5, 5, 5],
}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def console(engine: Engine) -> Iterator[str]:
    app = create_app(engine, clock=MovableClock(NOW), receivers=RECEIVERS, signing_secret=SECRET)
    with serving(app) as url:
        yield url


def fill(engine: Engine) -> int:
    """An incident in which everything that was crawled is hostile."""
    texts = list(TEXTS.values())
    store_rows(
        engine,
        [row(f"bad:{nth}", nth, text=text, title=text, source=text[:40]) for nth, text in enumerate(texts)],
    )
    [document] = EVIDENCE["documents"]
    part = {"negative": 30, "total": 40, "usual": 2.5, "excess": 27.5}
    body = {
        **EVIDENCE,
        "since": START.isoformat(),
        "observed": 42.0,
        "expected": 6.0,
        "series": SERIES,
        "drivers": {
            dimension: [{**part, "name": text} for text in texts[:4]]
            for dimension in ("cluster", "source", "topic", "term")
        },
        "documents": [
            {**document, "id": f"bad:{nth}", "title": text[:280], "text": text[:280]}
            for nth, text in enumerate(texts)
        ],
    }
    labels = {"alertname": "NegativeSurge", "topic": TEXTS["script"], "source": TEXTS["word"][:400]}
    with engine.begin() as connection:
        return add_incident(connection, labels=labels, evidence=body)


def assert_accessible(page: Page) -> None:
    """What axe finds wrong; with the rule and the elements in the message."""
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found] == []


def visiting(context: BrowserContext, url: str) -> Visit:
    visit = Visit(context.new_page(), url)
    visit.page.set_default_timeout(10_000)
    visit.watch()
    return visit


@pytest.mark.parametrize(
    ("locale", "scheme", "size", "said"),
    [
        (
            "zh-CN",
            "light",
            {"width": 1360, "height": 900},
            ("确认接手", "添加备注", "现在会被静默的进行中事件：1 个", "静默", "已静默", "没用", "提交反馈"),
        ),
        (
            "en-GB",
            "dark",
            PHONE,
            ("Acknowledge", "Comment", "would mute now: 1", "Silence", "Silenced", "not useful", "Say so"),
        ),
    ],
)
def test_an_incident_is_tended_from_its_page(
    chromium: Browser, console: str, engine: Engine, locale: str, scheme: Any, size: Any, said: tuple[str, ...]
) -> None:
    """Acknowledge, comment, silence with its preview, feedback: in both languages and looks, wide and narrow; hostile
    text stays text, and axe finds nothing."""
    take, comment, mutes, silence, silenced, noise, send = said
    number = fill(engine)
    context = chromium.new_context(locale=locale, color_scheme=scheme, viewport=size)
    visit = visiting(context, console)
    page = visit.go("/incidents?severity=critical")
    assert_accessible(page)
    visit.assert_clean()
    page.locator(".incident a").first.click()
    page.wait_for_selector("[data-drawn]")
    page.get_by_role("button", name=take, exact=True).click()
    expect(page.locator("p.acknowledged")).to_be_visible()
    page.locator("#care-text").fill(TEXTS["script"])
    with page.expect_response(lambda answer: answer.url.endswith(f"/incidents/{number}")):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('refresh'))")
    expect(page.locator("#care-text")).to_have_value(TEXTS["script"])
    page.get_by_role("button", name=comment, exact=True).click()
    expect(page.locator(".timeline .said", has_text="window.hacked")).to_be_visible()
    page.locator("#silence-match").fill('source="other"')
    page.locator("#silence-match").blur()
    expect(page.locator("#silence-preview")).not_to_contain_text(mutes)
    page.locator("#silence-match").fill('alertname="NegativeSurge"')
    page.locator("#silence-match").blur()
    expect(page.locator("#silence-preview")).to_contain_text(mutes)
    with engine.connect() as connection:
        assert silences.known(connection) == []
    page.locator("#silence").get_by_role("button", name=silence, exact=True).click()
    expect(page.get_by_role("status").filter(has_text=silenced)).to_be_visible()
    expect(page.locator(".muting")).to_be_visible()
    page.get_by_label(noise, exact=True).check()
    page.get_by_role("button", name=send).click()
    expect(page.locator(".timeline .feedback")).to_be_visible()
    page.wait_for_selector("[data-drawn]")
    assert_accessible(page)
    visit.assert_clean()
    for path in (f"/incidents/{number}/dossier", "/reports"):
        visit.go(path)
        assert_accessible(page)
        visit.assert_clean()
    context.close()


def test_the_light_page_works_on_the_smallest_phone_without_scripts(
    chromium: Browser, console: str, engine: Engine
) -> None:
    """At 320 pixels, scripts off: everything fits, and the one button takes the incident over."""
    number = fill(engine)
    link = path_of(SECRET, number, "值班群", NOW + timedelta(days=7))
    for scheme, has_scripts in (("dark", True), ("light", False)):
        context = chromium.new_context(
            locale="zh-CN",
            viewport=SMALLEST,
            java_script_enabled=has_scripts,
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        visit = visiting(context, console)
        page = visit.go(link)
        if has_scripts:
            assert_accessible(page)
            visit.assert_clean()
        else:
            button = page.get_by_role("button", name="确认接手")
            box = button.bounding_box()
            assert box is not None
            assert box["height"] >= 44  # a thumb's width
            widths = [one.bounding_box() for one in page.locator("main *").all()]
            assert max(one["x"] + one["width"] for one in widths if one) <= SMALLEST["width"]
            button.click()
            expect(page.get_by_text("值班群 已于")).to_be_visible()
            assert visit.foreign == []
        context.close()
