"""docs/how-to/edit-in-the-console.md names pages that there are, and says of them what they do."""

import re
from pathlib import Path

import httpx
from typer.testing import CliRunner

from core.watchlists import Watchlist
from opinion.cli import app
from storage import rules, watchlists
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.rows import add_incident
from web import watchlist_trials
from web.app import create_app
from web.laboratory import TRIED_SERIES
from web.routes.subscription_pages import PAST_INCIDENTS
from web.rule_forms import DAYS

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "edit-in-the-console.md").read_text(encoding="utf-8")


def test_the_pages_addresses_answer_and_its_figures_hold(database_url: str) -> None:
    """Every address in it is a page of the console; bounds are those of the program; commands take what it gives."""
    engine = connect(database_url)
    with engine.begin() as connection:
        add_incident(connection)
        watchlists.put(connection, [Watchlist("苹果", any=("苹果",))], by="li")
        rules.put(connection, {"desk": {}}, by="li")
    addresses = re.findall(r"`(/(?!api)[^`]*)`", PAGE)
    assert len(addresses) >= 8
    with serving(create_app(engine)) as url, httpx.Client(base_url=url) as client:
        answers = {address: client.get(address) for address in addresses}
    engine.dispose()
    assert {address for address, answer in answers.items() if answer.status_code != 200} == set()
    form = answers["/watchlists/new?name=Acme&word=Acme"].text
    assert 'value="Acme"' in form
    assert "\nAcme</textarea>" in form
    assert "topic=&#34;finance&#34;" in answers["/silences?incident=1"].text
    assert f"{watchlist_trials.TRIED_DOCUMENTS:,} newest stored documents" in PAGE
    assert f"{DAYS[0]}, {DAYS[1]} or {DAYS[2]} days, for the {TRIED_SERIES} largest" in PAGE
    assert f"the {PAST_INCIDENTS} newest incidents" in PAGE
    for line in re.findall(r"^ {4}opinion (.*)$", PAGE, re.MULTILINE):
        assert CliRunner().invoke(app, [*line.split(), "--help"]).exit_code == 0
