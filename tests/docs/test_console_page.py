"""`docs/how-to/read-the-console.md`: every address on it is one."""

import re

import httpx

from core.clock import MovableClock
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.pages import ROOT
from tests.support.records import START, row
from tests.support.rows import store_rows
from web.app import create_app
from web.view import GROUPS, PRESETS


def test_every_address_of_the_page_answers(database_url: str) -> None:
    """What the reader writes by hand works as it stands; the table names every range and group."""
    page = (ROOT / "docs" / "how-to" / "read-the-console.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    addresses = [*block.split(), "/?lang=zh", "/?colours=dark"]
    engine = connect(database_url)
    store_rows(engine, [row("a", published_at=START)])
    app = create_app(engine, clock=MovableClock(START))
    with serving(app) as url, httpx.Client(base_url=url, follow_redirects=True) as client:
        assert {address: client.get(address).status_code for address in addresses} == dict.fromkeys(addresses, 200)
    engine.dispose()
    for name in (*PRESETS, *GROUPS):
        assert f"`{name}`" in page
