"""`python -m tests.browser.tour URL FOLDER` draws a running console, such as `opinion demo --keep` leaves.

It begins a watchlist on the way, as somebody would who looks around for the first time.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.support.consoles import chromium_browser

COLOURS = 128  # enough for flat pages, at a third of the size
TALLEST = 1500


def keep(page: Page, path: Path) -> None:
    """A picture of the page, cut where it is taller than a screen or two."""
    drawn = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    drawn = drawn.crop((0, 0, drawn.width, min(drawn.height, TALLEST)))
    drawn.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def drawn(page: Page) -> None:
    """The charts are there."""
    page.wait_for_selector("[data-drawn]")


def explained(page: Page) -> None:
    """The words behind the first document of an incident."""
    page.locator("a[href*='/documents/']", has_text="为何这样判定").first.click()
    page.wait_for_load_state()
    page.locator("a[href*='/why']").first.click()
    page.wait_for_selector("mark", timeout=60_000)


def watched(page: Page) -> None:
    """A watchlist of the demo's tea chain, being written."""
    page.fill("[name=name]", "栖棠奶茶")
    page.fill("[name=any]", "栖棠奶茶\nQitang Tea")
    page.wait_for_selector("mark")


def begun(page: Page) -> None:
    """The first document to label."""
    page.fill("[name=name]", "Ann")
    page.keyboard.press("Enter")
    page.wait_for_selector(".label-text")


def nothing(page: Page) -> None:
    """As it comes; pages without a stream fall silent."""
    page.wait_for_load_state("networkidle")


STOPS: list[tuple[str, str, str, Callable[[Page], None]]] = [
    ("console", "/", "en light", drawn),
    ("console-dark", "/", "zh dark", drawn),
    ("incident-page", "/incidents/1", "zh light", drawn),
    ("document", "/incidents/1", "zh light", explained),
    ("documents", "/documents?q=奶茶", "zh light", nothing),
    ("watchlist", "/watchlists/new", "zh light", watched),
    ("rules", "/rules", "en light", nothing),
    ("subscriptions", "/subscriptions", "en light", nothing),
    ("silences", "/silences", "en light", nothing),
    ("label", "/label", "en light", begun),
    ("models", "/models", "en dark", nothing),
    ("operations", "/operations", "en light", nothing),
    ("dossier", "/incidents/1/dossier", "zh light", nothing),
]


def tour(browser: Browser, url: str, folder: Path) -> None:
    """All stops, one after the other."""
    for name, path, look, wait in STOPS:
        language, scheme = look.split()
        context = browser.new_context(
            locale="zh-CN" if language == "zh" else "en-US",
            color_scheme="dark" if scheme == "dark" else "light",
            viewport={"width": 1360, "height": 900},
        )
        page = context.new_page()
        page.goto(f"{url}{path}", wait_until="domcontentloaded")
        wait(page)
        keep(page, folder / f"{name}.png")
        context.close()


if __name__ == "__main__":
    with chromium_browser() as browser:
        assert browser is not None, "no Chromium here"
        tour(browser, sys.argv[1].rstrip("/"), Path(sys.argv[2]))
