"""The first page as things happen: the stream as it comes, what was expected, the keyboard, the colours."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import Engine, insert

from core.clock import MovableClock
from storage.documents import DocumentRow
from storage.engine import connect
from storage.tables import model_switch
from tests.support.consoles import serving
from tests.support.live_streams import HandFed
from tests.support.records import START, row
from tests.support.rows import store_rows
from tests.support.surges import SURGE_AT, campaign, judge, usual_hours
from tests.support.visits import DESKTOP, Visit
from tests.support.waiting import wait_for
from web.app import create_app

pytestmark = pytest.mark.needs_browser


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A fresh database."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


def visiting(chromium: Browser, url: str, **options: Any) -> Visit:
    """A reader of English at a desk."""
    reader: dict[str, Any] = {"locale": "en-US", "viewport": DESKTOP} | options
    visit = Visit(chromium.new_context(**reader).new_page(), url)
    visit.page.set_default_timeout(10_000)
    visit.watch()
    return visit


def test_the_stream_is_shown_as_it_comes(chromium: Browser, engine: Engine) -> None:
    """A few documents a second, the others counted and linked; paused, lost and refused are said; the browser comes
    back with its cursor; the page does not grow for ever."""
    store_rows(engine, [row("first", text="stored before", published_at=START)])
    feed = HandFed()
    app = create_app(engine, clock=MovableClock(START))
    feed.serve(app)

    def document(key: str, **changes: Any) -> DocumentRow:
        return row(key, text=f"text of {key}", published_at=START + timedelta(seconds=30), **changes)

    with serving(app) as url:
        visit = visiting(chromium, url)
        page = visit.go_and_draw("/?topic=finance")
        chip, rows = page.locator(".stream-state"), page.locator("#stream .document")
        expect(chip).to_have_attribute("data-state", "live")
        assert feed.asked == [{"topic": "finance", "last": ""}]

        evil = "<img src=x onerror='window.hacked = 1'>"
        feed.send(document("a", title=evil, source=evil, topic_label=evil))
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("text of a")
        expect(rows.first.locator("h3")).to_have_text(evil)
        feed.send(*[document(f"burst {nth}") for nth in range(30)])
        link = page.locator(".stream-hidden")
        expect(link).to_have_text(re.compile(r"^2[3-7] hidden$"))  # four a second, whenever the second began
        assert (
            link.get_attribute("href") == "/documents?topic=finance&from=2024-05-01T12%3A00Z&to=2024-05-01T12%3A01Z"
        )

        page.keyboard.press("p")
        expect(chip).to_have_attribute("data-state", "paused")
        shown = rows.count()
        feed.send(document("unseen"))
        expect(link).to_have_text(re.compile(r"^2[4-8] hidden$"))
        assert rows.count() == shown
        page.get_by_role("button", name="Resume").click()
        expect(chip).to_have_attribute("data-state", "live")

        feed.hang_up()
        wait_for(lambda: len(feed.asked) == 2 and feed.is_heard, 10, "the browser to come back")
        expect(chip).to_have_attribute("data-state", "live")
        assert feed.asked[-1]["last"] == "32"
        feed.say("gap")
        expect(page.locator(".stream-why")).to_contain_text("Some documents came while")
        visit.assert_clean()

        feed.is_refusing = True
        feed.hang_up()
        expect(chip).to_have_attribute("data-state", "none")
        expect(page.locator(".stream-why")).to_contain_text("opinion doctor")
        visit.page.context.close()


def test_charts_show_what_was_expected_and_lead_to_documents(chromium: Browser, engine: Engine) -> None:
    """A band by the rule that watches what is shown, the incident and the model by name, a click to the documents;
    where no rule watches, the page says so."""
    usual_hours(engine)
    store_rows(engine, campaign())
    incident = judge(engine)
    with engine.begin() as connection:
        switch = {"clock": "all", "old_version": "starter", "new_version": "m2", "factor": 1.25, "basis": "overlap"}
        connection.execute(insert(model_switch).values(at=SURGE_AT - timedelta(hours=3), **switch))
    with serving(create_app(engine, clock=MovableClock(SURGE_AT + timedelta(minutes=14)))) as url:
        visit = visiting(chromium, url)
        page = visit.go_and_draw("/")
        expect(page.locator(".band-note")).to_contain_text("the detector expects by rule overall")
        expect(page.locator(".marks")).to_contain_text("Model m2")
        expect(page.locator(".marks")).to_contain_text("finds 1.25 times the negatives of starter")
        assert page.locator(".marks a").first.get_attribute("href") == f"/incidents/{incident.id}"
        page.locator("[data-chart=volume] summary").click()
        expect(page.locator("[data-chart=volume] thead")).to_contain_text("usual negatives (95 %)")
        newest = page.locator("[data-chart=volume] tbody tr").first
        negatives = newest.locator("td").nth(1)
        usual = [int(part) for part in newest.locator("td").nth(4).inner_text().split(" – ")]
        assert int(negatives.inner_text()) > usual[1]
        visit.assert_clean()

        links = page.locator("[data-chart=volume] td:nth-child(3) a").evaluate_all(
            "(all) => all.map((one) => one.href)"
        )
        canvas = page.locator("[data-chart=volume] canvas")
        width, height = canvas.evaluate("(one) => [one.offsetWidth, one.offsetHeight]")
        canvas.click(position={"x": width - 40, "y": height - 28})  # the foot of one of the newest bars
        expect(page).to_have_url(re.compile(r"/documents\?from=\S+&to=\S+&sentiment=negative$"))
        assert page.url in links[:8]

        visit.go_and_draw("/?topic=automobile&source=weibo")
        expect(page.locator(".band-note")).to_contain_text("no rule watches exactly these filters")
        visit.page.context.close()


def test_every_page_by_keyboard_and_in_the_colours_that_were_chosen(chromium: Browser, engine: Engine) -> None:
    """? and g work outside of fields alone; the theme holds on every page, from the first paint, without a script."""
    store_rows(engine, [row("a", published_at=START)])
    with serving(create_app(engine, clock=MovableClock(START))) as url:
        visit = visiting(chromium, url)
        page = visit.go("/documents")
        page.keyboard.press("/")
        expect(page.locator("input[type=search]")).to_be_focused()
        page.keyboard.type("g?i")
        expect(page.locator("input[type=search]")).to_have_value("g?i")
        expect(page.locator("dialog")).to_be_hidden()
        visit.go("/models")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        visit.assert_accessible()
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.keyboard.press("i")
        expect(page).to_have_url(f"{url}/incidents")
        visit.page.context.close()

        plain = visiting(chromium, url, java_script_enabled=False)
        page = plain.go("/incidents")
        page.get_by_label("Language and colours").focus()
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Dark").click()
        expect(page).to_have_url(f"{url}/incidents")
        assert page.locator("html").get_attribute("data-theme") == "dark"
        page.goto(f"{url}/documents")
        assert page.locator("link[href='/static/dark.css']").get_attribute("media") == "all"
        plain.page.context.close()
