"""`python -m tests.browser.pictures FOLDER` draws one incident as people see it: card, mail and page.

Judged, told and rendered by the product itself; only the card's look is made up, since its app is not here.
"""

import html
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser
from sqlalchemy import Engine, select

from alerts.detection.detectors import DetectorOptions
from alerts.detection.judging import ClockOptions
from alerts.evaluate import EvaluateOptions, evaluate
from alerts.telling import Receiver
from core.clock import MovableClock
from storage import bucket_counts, migrate
from storage.engine import connect
from storage.local import EmbeddedPostgres
from storage.tables import notification
from tests.support.consoles import chromium_browser, serving
from tests.support.rows import store_rows
from tests.support.surges import NOW, OVERALL, SURGE_AT, campaign, usual_hours
from web.app import create_app

COLOURS = {"red": "#d83931", "orange": "#de7802", "blue": "#245bdb", "grey": "#646a73", "green": "#2ea121"}
ZONE = ZoneInfo("Asia/Shanghai")
RECEIVERS = [
    Receiver("feishu", "值班群", language="zh", zone=ZONE),
    Receiver("email", "desk", language="zh", zone=ZONE),
]
WIDTHS = {"card": 460, "mail": 640}


def card_html(payload: dict[str, Any]) -> str:
    """A card as 飞书 shows one: the tags that `alerts.rendering.feishu` writes, and no other."""
    card = payload["card"]
    parts = []
    for element in card["elements"]:
        if element["tag"] == "hr":
            parts.append("<hr>")
        elif element["tag"] == "action":
            names = [html.escape(one["text"]["content"]) for one in element["actions"]]
            parts += [f'<p><span class="button">{name}</span></p>' for name in names]
        else:
            told = html.escape(element["text"]["content"])
            if element["text"]["tag"] == "lark_md":
                told = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", told)
            parts.append(f"<p>{told.replace(chr(10), '<br>')}</p>")
    header, title = card["header"], html.escape(card["header"]["title"]["content"])
    return f"""<!doctype html><meta charset="utf-8"><style>
        body {{ font: 14px/1.6 sans-serif; margin: 16px; background: #f2f3f5; color: #1f2329 }}
        section {{ background: #fff; border: 1px solid #dee0e3; border-radius: 8px; overflow: hidden }}
        h1 {{ margin: 0; padding: 10px 14px; font-size: 15px; color: #fff }}
        div {{ padding: 2px 14px; overflow-wrap: anywhere }} hr {{ border: 0; border-top: 1px solid #dee0e3 }}
        .button {{ background: #3370ff; color: #fff; border-radius: 6px; padding: 5px 12px }}
        </style><section><h1 style="background:{COLOURS[header["template"]]}">{title}</h1>
        <div>{"".join(parts)}</div></section>"""


def mail_html(payload: dict[str, Any]) -> str:
    """The HTML part, with its picture where a mail program puts it."""
    return str(payload["html"]).replace("cid:chart", f"data:image/png;base64,{payload['picture']}")


def draw(folder: Path, engine: Engine, browser: Browser) -> None:
    """`incident-card.png`, `incident-mail.png` and `incident-page.png`."""
    usual_hours(engine)
    store_rows(engine, campaign())
    options = EvaluateOptions(OVERALL, ClockOptions(DetectorOptions()), RECEIVERS, "https://opinion.example")
    with engine.begin() as connection:
        newest = bucket_counts.newest_minutes(connection, not_after=NOW)
        evaluate(connection, newest, options, now=SURGE_AT)
        rows = connection.execute(select(notification.c.channel, notification.c.payload)).all()
    told = {row.channel: row.payload for row in rows}
    for name, page_html in (("card", card_html(told["feishu"])), ("mail", mail_html(told["email"]))):
        page = browser.new_page(viewport={"width": WIDTHS[name], "height": 300}, device_scale_factor=2)
        page.set_content(page_html)
        page.screenshot(path=folder / f"incident-{name}.png", full_page=True)
        page.close()
    with serving(create_app(engine, clock=MovableClock(SURGE_AT))) as url:
        page = browser.new_page(viewport={"width": 1360, "height": 900}, locale="zh-CN")
        page.goto(f"{url}/incidents/1")
        page.wait_for_selector("[data-drawn]")
        page.screenshot(path=folder / "incident-page.png", full_page=True)
        page.close()


@contextmanager
def database() -> Iterator[Engine]:
    """A migrated database of its own."""
    with tempfile.TemporaryDirectory(prefix="opinion-pictures-") as home:
        Path(home).chmod(0o755)
        with EmbeddedPostgres(Path(home), is_durable=False) as postgres:
            assert postgres.url
            migrate.upgrade(postgres.url)
            engine = connect(postgres.url)
            yield engine
            engine.dispose()


if __name__ == "__main__":
    with database() as engine, chromium_browser() as browser:
        assert browser is not None, "no Chromium here"
        draw(Path(sys.argv[1]), engine, browser)
