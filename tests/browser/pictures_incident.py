"""`python -m tests.browser.pictures_incident FOLDER` draws the pages about incidents and reports."""

import sys
from datetime import timedelta
from pathlib import Path
from random import Random

from playwright.sync_api import Browser
from sqlalchemy import Engine

from alerts.telling import Receiver
from core.clock import MovableClock
from core.settings import Settings
from core.watchlist_entries import watchlist_of
from opinion.reporting import ReportJob
from storage import feedback, incident_care, reports
from storage.documents import DocumentRow
from storage.watchlists import put
from tests.browser.pictures import database
from tests.support.consoles import chromium_browser, serving
from tests.support.copies import LETTERS
from tests.support.records import says
from tests.support.rows import add_incident, store_rows
from tests.support.surges import SURGE_AT, campaign, document, judge, usual_hours
from web.app import create_app
from web.phone_links import path_of

SECRET = b"p" * 32
NOW = SURGE_AT + timedelta(hours=26)
DESK = {"width": 1360, "height": 900}
PHONE = {"width": 390, "height": 844}
SMALL = {"width": 320, "height": 640}
PAPER = {"width": 688, "height": 1009}  # of A4 at 96 dots an inch, without its margins
WATCHLISTS = ("奶茶店", "新能源汽车", "Acme")


def spoken(engine: Engine) -> None:
    """Two days of three watchlists, in both languages."""
    random = Random(3)
    rows: list[DocumentRow] = []
    for nth in range(420):
        name = WATCHLISTS[random.choice((0, 0, 0, 1, 1, 2))]
        sentiment = random.choice(("negative", "neutral", "neutral", "positive"))
        rows.append(
            document(
                f"said:{nth}",
                SURGE_AT - timedelta(minutes=random.randrange(-900, 1900)),
                f"{name} {''.join(random.sample(LETTERS, 24))}",
                source=random.choice(("weibo", "news", "forum", "blog")),
                lang=random.choice(("zh", "zh", "en")),
                topic_label=random.choice(("automobile", "finance", "sports", "health")),
                sentiment=sentiment,
                mentions=[says(name, sentiment)],
            )
        )
    store_rows(engine, sorted(rows, key=lambda one: one.published_at))


def fill(engine: Engine) -> int:
    """A told and tended incident among others, and reports."""
    usual_hours(engine)
    store_rows(engine, campaign())
    receivers = [Receiver("feishu", "值班群"), Receiver("email", "desk")]
    number = judge(engine, receivers=receivers).id
    with engine.begin() as connection:
        put(connection, [watchlist_of(name, {"any": [name]}) for name in WATCHLISTS], by="王芳")
        incident_care.acknowledge(connection, number, by="王芳")
        incident_care.comment(connection, number, "已联系门店核实，等待回复。", by="王芳")
        incident_care.assign(connection, number, "李雷", by="王芳")
        feedback.give(connection, number, "useful", by="李雷", comment="确有其事")
        for nth, name in enumerate(WATCHLISTS):
            labels = {"alertname": "NegativeSurge", "watchlist": name, "topic": "finance"}
            add_incident(connection, starts_at=SURGE_AT - timedelta(hours=nth), labels=labels, severity="warning")
    spoken(engine)
    settings = Settings(timezone="Asia/Shanghai", reports={"pdf": True})
    ReportJob(settings, engine, MovableClock(NOW))(lambda: False)
    return number


def draw(folder: Path, engine: Engine, browser: Browser) -> None:
    """Each page in the looks that differ."""
    number = fill(engine)
    people = (("feishu", "值班群"), ("email", "desk"))
    app = create_app(engine, clock=MovableClock(NOW), receivers=people, signing_secret=SECRET)  # type: ignore[arg-type]
    link = path_of(SECRET, number, "值班群", NOW + timedelta(days=7))
    pages = [
        ("incident-zh", f"/incidents/{number}", "zh-CN", "light", DESK),
        ("incident-en-dark", f"/incidents/{number + 1}", "en-GB", "dark", DESK),
        ("incident-phone", f"/incidents/{number}", "zh-CN", "light", PHONE),
        ("incidents-zh", "/incidents", "zh-CN", "light", DESK),
        ("incidents-en-dark", "/incidents?status=firing", "en-GB", "dark", PHONE),
        ("light-zh", link, "zh-CN", "light", SMALL),
        ("light-en-dark", link, "en-GB", "dark", SMALL),
        ("reports-zh", "/reports", "zh-CN", "light", DESK),
        ("reports-en-dark", "/reports", "en-GB", "dark", PHONE),
        ("report-zh", "/reports/1", "zh-CN", "light", DESK),
        ("report-en", "/reports/2", "en-GB", "light", DESK),
        ("report-phone", "/reports/1", "zh-CN", "light", PHONE),
        ("report-print", "/reports/1", "zh-CN", "light", PAPER),
        ("dossier-zh", f"/incidents/{number}/dossier", "zh-CN", "light", DESK),
    ]
    with engine.connect() as connection:
        found = reports.pdf_of(connection, 1)
    if found is not None:
        (folder / "report.pdf").write_bytes(found[1])
    with serving(app) as url:
        for name, path, locale, scheme, size in pages:
            context = browser.new_context(viewport=size, locale=locale, color_scheme=scheme, device_scale_factor=1)  # type: ignore[arg-type]
            page = context.new_page()
            page.emulate_media(media="print" if size is PAPER else "screen", color_scheme=scheme)  # type: ignore[arg-type]
            page.goto(url + path)
            if path.startswith("/incidents/") and not path.endswith("dossier"):
                page.wait_for_selector("[data-drawn]")
            page.screenshot(path=folder / f"{name}.png", full_page=True)
            context.close()


if __name__ == "__main__":
    with database() as engine, chromium_browser() as browser:
        assert browser is not None, "no Chromium here"
        draw(Path(sys.argv[1]), engine, browser)
