"""`python -m tests.browser.pictures_live FOLDER` draws the first page, for several readers."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from playwright.sync_api import Browser
from sqlalchemy import Engine, insert

from alerts.detection.detectors import DetectorOptions
from alerts.detection.judging import ClockOptions
from alerts.detection.rules import DEFAULT_RULES
from alerts.evaluate import EvaluateOptions, evaluate
from core.clock import MovableClock
from storage import bucket_counts
from storage.documents import DocumentRow
from storage.tables import model_switch
from tests.browser.pictures import database
from tests.support.consoles import chromium_browser, serving
from tests.support.live_streams import HandFed
from tests.support.minutes import MINUTE, Minute, add, add_mentions, surge, usual_day
from tests.support.rows import store_rows
from tests.support.surges import ANGER, GRUMBLES, START, document
from web.app import create_app

DAYS = 8
NOW = START + timedelta(days=DAYS)
SURGE_AT = NOW - timedelta(hours=5)
PAIRS = (("weibo", "automobile"), ("news", "sports"), ("forum", "finance"), ("blog", "technology"))
VIEWS: dict[str, tuple[str, dict[str, Any]]] = {
    "overview-zh-light": ("/", {"locale": "zh-CN"}),
    "overview-en-dark": ("/", {"locale": "en-US", "color_scheme": "dark"}),
    "overview-week": ("/?range=7d&compare=week&by=source", {"locale": "en-US"}),
    "overview-phone": ("/", {"locale": "zh-CN", "viewport": {"width": 390, "height": 844}}),
    "overview-phone-dark": (
        "/?range=6h",
        {"locale": "en-US", "color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
    ),
}


def fill(engine: Engine) -> None:
    """Eight days with a rhythm, judged; a surge five hours ago; another model since yesterday."""
    with engine.begin() as connection:
        for source, topic in PAIRS:
            usual = usual_day(START, DAYS * 1440, source=source, topic=topic)
            add(connection, (one for one in usual if _is_awake(one)))
        hot = surge(SURGE_AT, 75, source="weibo", topic="automobile")
        add(connection, hot)
        add_mentions(connection, hot, "Acme")
        switch = {"clock": "all", "at": NOW - timedelta(hours=14), "old_version": "starter", "factor": 1.08}
        connection.execute(insert(model_switch).values(**switch, new_version="m2", basis="overlap"))
    store_rows(engine, documents())
    options = EvaluateOptions(DEFAULT_RULES, ClockOptions(DetectorOptions()), [], "https://opinion.example")
    with engine.begin() as connection:
        while evaluate(
            connection, bucket_counts.newest_minutes(connection, not_after=NOW), options, now=NOW
        ).is_behind:
            pass


def documents(count: int = 24) -> Sequence[DocumentRow]:
    """The newest ones."""
    random = Random(5)
    return [
        document(
            f"weibo:{nth}",
            NOW - (count - nth) * MINUTE,
            f"{random.choice(ANGER + GRUMBLES)}，{random.choice(('希望尽快解决', '等一个说法', '已经第三次了'))}。",
            source=PAIRS[nth % 4][0],
            topic_label=PAIRS[nth % 4][1],
            sentiment=random.choice(("negative", "negative", "neutral", "positive")),
        )
        for nth in range(count)
    ]


def _is_awake(one: Minute) -> bool:
    """Fewer at night."""
    return 0 <= (one.at.hour + 8) % 24 - 7 < 16 or Random(str(one)).random() < 0.3


def draw(folder: Path, engine: Engine, browser: Browser) -> None:
    """One file for each of `VIEWS`, and the shortcuts."""
    fill(engine)
    feed = HandFed()
    app = create_app(engine, clock=MovableClock(NOW))
    feed.serve(app)
    with serving(app) as url:
        for name, (path, options) in VIEWS.items():
            context = browser.new_context(**({"viewport": {"width": 1360, "height": 900}} | options))
            page = context.new_page()
            page.goto(url + path)
            page.wait_for_selector("[data-drawn]")
            page.wait_for_selector(".stream-state[data-state=live]")
            for nth in range(12):
                row = documents()[nth]
                feed.send(row._replace(id=f"live:{name}:{nth}", published_at=NOW + timedelta(seconds=nth)))
            page.wait_for_selector(".stream-hidden:not([hidden])")
            page.screenshot(path=folder / f"{name}.png", full_page=True)
            if name == "overview-en-dark":
                page.keyboard.press("?")
                page.screenshot(path=folder / "shortcuts.png")
            context.close()


if __name__ == "__main__":
    with database() as engine, chromium_browser() as browser:
        assert browser is not None, "no Chromium here"
        draw(Path(sys.argv[1]), engine, browser)
