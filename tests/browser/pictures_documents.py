"""`python -m tests.browser.pictures_documents FOLDER` draws the pages of documents, in both languages and schemes."""

import sys
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Browser
from sqlalchemy import Engine

from core.clock import MovableClock
from core.taxonomy import Head
from tests.browser.pictures import database
from tests.support.consoles import chromium_browser, serving
from tests.support.document_rows import ARTICLE, fill
from tests.support.records import START
from web.app import create_app
from web.explaining import Why, Word
from web.rendering import document_url

READERS = {
    "zh": {"locale": "zh-CN", "viewport": {"width": 1360, "height": 900}},
    "en-dark": {"locale": "en-US", "color_scheme": "dark", "viewport": {"width": 1360, "height": 900}},
    "zh-phone": {"locale": "zh-CN", "viewport": {"width": 390, "height": 844}},
}
PAGES = {
    "documents": "/documents",
    "documents-search": "/documents?q=奶茶 (差 OR 排队)&range=all",
    "documents-problem": "/documents?q=奶茶 AND (差",
    "documents-none": "/documents?q=没有这个词",
    "document": document_url(ARTICLE),
    "document-copies": document_url("copy:2"),
    "document-why": f"{document_url(ARTICLE)}/why",
}


def explain(model_version: str, text: str, head: Head) -> Why:
    """Some words, as a model would name them; a picture needs no model."""
    words = tuple(
        Word(text.find(word), text.find(word) + len(word), figure)
        for word, figure in (("停业整顿", 0.9), ("排队", 0.6), ("致歉", 0.3), ("重新开业", -0.5))
        if word in text
    )
    return Why(head, "negative", 0.87, words, "integrated", model_version, (0.41, 0.07))


def draw(folder: Path, engine: Engine, browser: Browser) -> None:
    """One picture of each page for each reader."""
    fill(engine, START)
    app = create_app(engine, clock=MovableClock(START + timedelta(hours=3)), explain=explain)
    with serving(app) as url:
        for reader, options in READERS.items():
            context = browser.new_context(**options)
            page = context.new_page()
            for name, path in PAGES.items():
                page.goto(url + path, wait_until="networkidle")
                page.screenshot(path=folder / f"{name}-{reader}.png", full_page=True)
            context.close()


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    with database() as engine, chromium_browser() as browser:
        assert browser is not None, "no Chromium here"
        draw(Path(sys.argv[1]), engine, browser)
