"""Labelling by keyboard alone, in headless Chromium."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from sqlalchemy import Engine

from core.clock import MovableClock
from core.watchlists import Watchlist
from storage import human_labels, watchlists
from storage.engine import connect
from storage.human_labels import LabelRow
from tests.support.consoles import serving
from tests.support.records import START, row, says
from tests.support.rows import store_rows
from tests.support.waiting import wait_for
from web.app import create_app

pytestmark = pytest.mark.needs_browser

HOSTILE = "苹果<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>" + "长" * 3000 + "\u202egnp"
READERS = [
    pytest.param({"locale": "zh-CN", "color_scheme": "light"}, id="zh-light"),
    pytest.param(
        {"locale": "en-US", "color_scheme": "dark", "viewport": {"width": 390, "height": 844}}, id="en-phone"
    ),
]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Three documents, the newest one hostile."""
    engine = connect(database_url)
    with engine.begin() as connection:
        watchlists.put(connection, [Watchlist("苹果", any=("苹果",))], by="li")
    store_rows(
        engine,
        [
            row(
                f"weibo:{nth}",
                nth,
                text=HOSTILE if nth == 3 else f"第 {nth} 条",
                lang="zh",
                published_at=START + timedelta(minutes=nth),
                mentions=[says("苹果")] if nth == 3 else None,
            )
            for nth in (1, 2, 3)
        ],
    )
    yield engine
    engine.dispose()


@pytest.fixture
def page(chromium: Browser, engine: Engine, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A console in which Li is about to answer; the page may not complain, nor ask another host for anything."""
    complaints: list[str] = []
    with serving(create_app(engine, clock=MovableClock(START + timedelta(hours=1)), guideline="1")) as url:
        context = chromium.new_context(**({"locale": "en-US"} | getattr(request, "param", {})))
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if is_fault(message) else None)
        page.on("request", lambda one: None if one.url.startswith(url) else complaints.append(one.url))
        page.goto(f"{url}/label")
        page.keyboard.type("Li")
        page.keyboard.press("Enter")
        expect(page.locator("html[data-keys] #answer")).to_be_visible()
        yield page
        assert complaints == []
        assert page.evaluate("window.hacked") is None
        context.close()


def is_fault(message: ConsoleMessage) -> bool:
    """Not what Chromium itself says of an answer with an error status."""
    return message.type == "error" and "status of 503" not in message.text


def press(page: Page, keys: str) -> None:
    for key in keys.split():
        page.keyboard.press(key)


def expect_document(page: Page, nth: int) -> None:
    expect(page.locator("#answer input[name=document]")).to_have_value(f"weibo:{nth}")


def chosen(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all("#answer input:checked", "all => all.map(one => one.value)")
    return found


def stored(engine: Engine) -> list[LabelRow]:
    with engine.connect() as connection:
        return list(human_labels.rows(connection))


@pytest.mark.parametrize("page", READERS, indirect=True)
def test_the_whole_way_by_keyboard(page: Page, engine: Engine) -> None:
    """Choose, submit, skip, undo, choose again: answers are stored with the time they took; nothing sticks out."""
    expect_document(page, 3)
    assert page.locator("mark").count() == 1
    wide, seen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= seen
    press(page, "1 4")
    assert chosen(page) == ["negative", "technology"]
    press(page, "Enter")
    expect_document(page, 2)
    assert chosen(page) == []
    press(page, "s")
    expect_document(page, 1)
    press(page, "u")
    expect_document(page, 3)
    assert stored(engine) == []
    press(page, "l 3 Enter")  # the topic by its letter, before the sentiment
    expect_document(page, 1)  # what was skipped does not come back
    rows = stored(engine)
    assert {one.head: one.answer for one in rows} == {"topic": "lifestyle_consumer", "sentiment": "positive"}
    assert {(one.annotator, one.intake, one.guideline) for one in rows} == {("Li", "console", "1")}
    assert all(one.seconds is not None and one.seconds >= 0 for one in rows)


def test_keys_choose_in_the_current_question(page: Page) -> None:
    """Digits go on to the next question, Backspace goes back, and U clears before it takes anything back."""
    active = page.locator("fieldset.active")
    expect(active).to_have_attribute("data-head", "sentiment")
    press(page, "9")
    assert chosen(page) == []  # there is no ninth sentiment
    press(page, "2")
    expect(active).to_have_attribute("data-head", "topic")
    press(page, "9 Backspace 3")
    assert chosen(page) == ["positive", "entertainment"]
    press(page, "u")
    assert chosen(page) == []
    expect_document(page, 3)
    press(page, "Control+a Alt+1 x")
    assert chosen(page) == []


def test_half_an_answer_is_confirmed(page: Page, engine: Engine) -> None:
    """The first Enter asks, the second submits one head alone; with nothing chosen nothing is sent."""
    notice = page.locator("#labelling > .notice")
    press(page, "Enter")
    expect(notice).to_have_text("Nothing is chosen yet.")
    press(page, "2 Enter")
    expect(notice).to_contain_text("Enter again")
    assert stored(engine) == []
    press(page, "Enter")
    expect_document(page, 2)
    assert [(one.head, one.answer) for one in stored(engine)] == [("sentiment", "neutral")]


def test_the_verdict_is_hidden_until_asked_for(page: Page) -> None:
    """Nobody is led by the model; V shows it, ? the keys, and both hide again with the next document."""
    verdict, keys = page.locator("details.verdict p").first, page.locator("details.help dl")
    expect(verdict).to_be_hidden()
    press(page, "v ?")
    expect(verdict).to_contain_text("88 %")
    expect(keys).to_be_visible()
    press(page, "v")
    expect(verdict).to_be_hidden()
    press(page, "v 1 1 Enter")
    expect_document(page, 2)
    expect(page.locator("details.verdict p").first).to_be_hidden()


def test_a_held_key_answers_one_document(page: Page, engine: Engine) -> None:
    """Enter that repeats, or is pressed again before the next document is there, submits nothing by itself."""
    press(page, "1 1")
    page.evaluate(
        """() => { for (let nth = 0; nth < 5; nth += 1) document.body.dispatchEvent(
            new KeyboardEvent("keydown", {key: "Enter", code: "Enter", bubbles: true, repeat: nth % 2 === 1})) }"""
    )
    expect_document(page, 2)
    assert {one.document_id for one in stored(engine)} == {"weibo:3"}


def test_a_lost_console_is_said_and_nothing_is_forgotten(page: Page, engine: Engine) -> None:
    """The choice stays on the page until it could be sent."""
    press(page, "1 1")
    wait_for(lambda: chosen(page) == ["negative", "finance"], 10, "the keys to be heard")
    page.route("**/label", lambda route: route.fulfill(status=503, body="away"))
    with page.expect_response("**/label"):
        press(page, "Enter")
    expect(page.locator("#labelling > .notice")).to_contain_text("Not saved")
    assert chosen(page) == ["negative", "finance"]
    page.unroute("**/label")
    press(page, "Enter")
    expect_document(page, 2)
    assert len(stored(engine)) == 2
