"""The first page's figures over a judged stream: what was expected, against last week, by watchlist."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, insert

from core.clock import MovableClock
from storage.engine import connect
from storage.tables import model_switch
from tests.support.consoles import serving
from tests.support.minutes import Minute, add, add_mentions
from tests.support.rows import store_rows
from tests.support.surges import SURGE_AT, campaign, judge, usual_hours
from web.app import create_app

NOW = SURGE_AT + timedelta(minutes=14, seconds=30)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A fresh database."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def client(engine: Engine) -> Iterator[httpx.Client]:
    """A browser's view of a console a quarter of an hour after a surge began."""
    with (
        serving(create_app(engine, clock=MovableClock(NOW))) as url,
        httpx.Client(base_url=url, headers={"accept": "text/html", "accept-language": "en"}) as client,
    ):
        yield client


def test_the_chart_says_what_was_expected_and_what_happened(client: httpx.Client, engine: Engine) -> None:
    """Where a rule watches what is shown there are bounds for every bucket, of independent voices; where none does,
    the reason; a change of the model is marked once."""
    usual_hours(engine)
    store_rows(engine, campaign())
    judge(engine)
    with engine.begin() as connection:
        switch = {"clock": "all", "old_version": "starter", "new_version": "m2", "factor": 1.25, "basis": "overlap"}
        connection.execute(insert(model_switch).values(at=SURGE_AT - timedelta(hours=3), **switch))

    def series(query: str = "") -> Any:
        return client.get(f"/api/v1/series?{query}", headers={"accept": "application/json"}).json()

    body = series()
    counts = body["expected"]["counts"]
    assert body["expected"]["rule"] == "overall"
    assert len(counts["upper"]) == len(body["expected"]["shares"]["upper"]) == len(body["starts"])
    usual, surge = 20, len(body["starts"]) - 1
    assert body["step_seconds"] == 900
    assert counts["lower"][usual] <= body["voices"][usual] <= counts["upper"][usual]
    assert body["voices"][surge] > counts["upper"][surge]
    assert body["everything"]["negative"][surge] > body["voices"][surge]  # forty copies are one voice
    assert body["expected"]["shares"]["expected"][usual] == pytest.approx(0.2, abs=0.08)
    assert (body["models"][0]["version"], body["models"][0]["factor"]) == ("m2", 1.25)
    assert series("range=30d")["unexpected"] in ("too_coarse", None)
    assert series("topic=sports&source=news")["unexpected"] == "no_rule"
    assert series("language=zh")["unexpected"] == "no_rule"
    assert series("topic=sports")["unexpected"] == "not_judged"  # the rule by topic was not judged by


def test_last_week_and_watchlists(client: httpx.Client, engine: Engine) -> None:
    """The same time a week earlier stands bucket by bucket beside the present; a watchlist is counted by what is said
    of it, and is a line of its own."""
    hour = [Minute(NOW.replace(second=0) - timedelta(minutes=nth), "weibo", "sports", 1, 4) for nth in range(60)]
    before = [Minute(one.at - timedelta(days=7), "weibo", "sports", 1, 2) for one in hour]
    with engine.begin() as connection:
        add(connection, hour + before)
        add_mentions(connection, [Minute(one.at, "weibo", "sports", 2, 3) for one in hour[:10]], "Acme")
    body = client.get("/api/v1/series?range=1h&compare=week").json()
    assert sum(body["everything"]["total"]) == 240
    assert sum(body["compared"]["total"]) == 120
    assert client.get("/api/v1/series?range=1h").json()["compared"] is None
    overview = client.get("/api/v1/overview?range=1h&compare=week").json()
    assert (overview["counts"]["total"], overview["before"]["total"]) == (240, 120)
    assert overview["groups"][0]["before"]["total"] == 120
    acme = client.get("/api/v1/overview?range=1h&watchlist=Acme").json()
    assert (acme["counts"]["total"], acme["counts"]["negative"]) == (30, 20)
    by_watchlist = client.get("/api/v1/series?range=1h&by=watchlist").json()
    assert [(line["key"], sum(line["total"])) for line in by_watchlist["groups"]] == [("Acme", 30)]
    page = client.get("/?range=1h&compare=week").text
    assert "(+100 %)" in page
    assert 'href="/documents?range=1h&amp;sentiment=negative"' in page
    assert "Acme" in client.get("/?range=1h&by=watchlist").text


def test_the_page_holds_without_scripts_and_with_colours_of_ones_own(client: httpx.Client) -> None:
    """Forms and links do everything; what was chosen is kept in a cookie, and the address stays clean."""
    page = client.get("/").text
    assert 'media="(prefers-color-scheme: dark)"' in page
    answer = client.get("/?range=7d&colours=dark")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?range=7d")
    page = client.get("/").text
    assert '<html lang="en" ' in page
    assert 'data-theme="dark"' in page
    assert 'href="/static/dark.css" media="all"' in page
    assert client.get("/?colours=purple").status_code == 200
    client.get("/?colours=light")
    assert "dark.css" not in client.get("/").text
    answer = client.get("/?colours=auto&lang=zh&by=source")
    assert answer.headers["location"] == "/?by=source"
    assert 'lang="zh-Hans"' in client.get("/").text
