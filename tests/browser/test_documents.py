"""The pages of documents in headless Chromium: from a search to the reason of a verdict to its correction."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import Engine

from core.clock import MovableClock
from storage.engine import connect
from tests.browser.pictures_documents import explain
from tests.support.consoles import serving
from tests.support.document_rows import ARTICLE, fill
from tests.support.hostile import TEXTS
from tests.support.records import START, row
from tests.support.rows import store_rows
from tests.support.visits import DESKTOP, PHONE, Visit
from web.app import create_app
from web.rendering import document_url

pytestmark = pytest.mark.needs_browser

NOW = START + timedelta(hours=3)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Posts, an article with comments, copies; and documents that try to break the page."""
    engine = connect(database_url)
    fill(engine, START)
    hostile = [
        row(
            name,
            500 + nth,
            text=text,
            title=text,
            quoted_text=text,
            author=text,
            source=text[:200],
            url="javascript:1",
        )
        for nth, (name, text) in enumerate(TEXTS.items())
    ]
    store_rows(engine, hostile)
    revised = [
        one._replace(text=f"{one.text}!", crawled_at=NOW, content_hash=b"new", record_offset=900) for one in hostile
    ]
    comments = [row(f"c-{one.id}", 950, text=one.text, parent_id=one.id, kind="comment") for one in hostile]
    store_rows(engine, [*revised, *comments])
    yield engine
    engine.dispose()


@pytest.fixture
def visit(chromium: Browser, engine: Engine) -> Iterator[Visit]:
    """A Chinese reader at a desk."""
    with serving(create_app(engine, clock=MovableClock(NOW), explain=explain)) as url:
        context = chromium.new_context(locale="zh-CN", viewport=DESKTOP)
        visit = Visit(context.new_page(), url)
        visit.page.set_default_timeout(10_000)
        visit.watch()
        yield visit
        context.close()


def test_from_a_search_to_a_reason_to_a_correction(visit: Visit) -> None:
    """Search, narrow by a count, open a document, ask why, say who one is, correct it; each step by what is seen."""
    page = visit.go("/documents")
    page.get_by_role("searchbox").fill("奶茶 (排队 OR 差)")
    page.keyboard.press("Enter")
    facets = page.locator("#facets")
    expect(facets.get_by_text("共 21 篇文档")).to_be_visible()
    expect(page.locator(".document mark").first).to_have_text("奶茶")
    count = facets.locator("li", has_text="新闻").locator(".number")
    expect(count).to_have_text("1")
    facets.get_by_role("link", name="新闻").click()
    expect(page.locator(".document")).to_have_count(1)
    visit.assert_accessible()
    page.get_by_role("link", name="详情").click()
    expect(page.locator("h1")).to_have_text("奶茶店再开业")
    expect(page.locator(".whole-text mark").last).to_have_text("排队")
    page.get_by_role("link", name="情感判断的依据").click()
    expect(page.locator("#why .for-3").first).to_have_text("停业整顿")
    expect(page.locator("#why")).to_contain_text("得分下降 0.410")
    assert page.url.startswith(visit.url + document_url(ARTICLE))  # it came into the page
    visit.assert_accessible()
    page.get_by_role("link", name="先填写你的名字").click()
    page.get_by_role("textbox").fill("李敏")
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_be_visible()
    page.goto(visit.url + document_url(ARTICLE))
    page.get_by_label("中性").check()
    page.get_by_role("button", name="保存标注").click()
    expect(page.locator("#labels")).to_contain_text("李敏")
    expect(page.locator(".document-head .tag").first).to_have_text("中性")
    assert page.url == visit.url + document_url(ARTICLE)
    visit.assert_clean()


def test_every_page_is_whole_and_accessible_for_every_reader(visit: Visit, chromium: Browser) -> None:
    """Both languages, both schemes, desk and phone: also a query that is not understood, and nothing found."""
    pages = ["/documents", document_url(ARTICLE)]
    more = ["/documents?q=奶茶 AND (", "/documents?q=没有这个词", f"{document_url('copy:1')}/why"]
    for options, paths in (
        ({"locale": "zh-CN", "color_scheme": "light", "viewport": DESKTOP}, pages),
        ({"locale": "en-US", "color_scheme": "dark", "viewport": PHONE}, [*pages, *more]),
    ):
        context = chromium.new_context(**options)
        reader = Visit(context.new_page(), visit.url)
        reader.watch()
        for path in paths:
            reader.go(path)
            reader.page.wait_for_load_state("networkidle")
            reader.assert_accessible()
            refused = [one for one in reader.complaints if "422" in one]
            assert bool(refused) == ("AND" in path)
            reader.complaints.clear()
            reader.assert_clean()
        context.close()


def test_hostile_documents_stay_text_on_their_pages(visit: Visit) -> None:
    """Markup, direction marks, endless words and emoji as text, title, quotation, author, comment and revision."""
    page = visit.page
    for viewport in (DESKTOP, PHONE):
        page.set_viewport_size(viewport)
        for name in TEXTS if viewport is PHONE else ("script", "word"):
            visit.go(document_url(name))
            expect(page.locator("#versions")).to_be_visible()
            visit.assert_clean()
            assert page.evaluate("document.querySelector('.whole-text').offsetHeight <= window.innerHeight")
            assert not page.locator("a[href^='javascript']").count()
    for query in ("script", "W*", '"</script><script>window.hacked = 7</script>"'):
        visit.go(f"/documents?q={query}")
        expect(page.locator("#facets [role=status]")).to_be_visible()
        visit.assert_clean()
    visit.go(f"{document_url('script')}/why")
    assert re.search("window.hacked = 1", page.locator("#why").inner_text())
    visit.assert_clean()
