"""What the page on search shows can be typed, and answers."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from core.clock import MovableClock
from core.queries import QueryError, parse_query
from opinion.cli import app
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.records import row
from tests.support.rows import store_rows
from web.app import create_app

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
SEARCH = (HOW_TO / "search.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^ {4}(opinion search .*)$", SEARCH, re.MULTILINE)
REQUESTS = re.findall(r"^ {4}GET (.*)$", SEARCH, re.MULTILINE)
MARCH = datetime(2026, 3, 1, 4, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A database in which every example finds something."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    scores = {"negative": 1.0, "neutral": 0.0, "positive": 0.0}
    said = {"mentions": 1, "sentiment": "negative", "sentiment_scores": scores}
    common = {
        "lang": "zh",
        "topic_label": "food",
        "mentions": [{"watchlist": one, **said} for one in ("奶茶", "Acme")],
    }
    rows = [
        row(f"forum:{n}", n, text=f"奶茶过期 {n}", published_at=MARCH + n * timedelta(minutes=1), **common)
        for n in range(9)
    ]
    rows.append(row("paper:1", 20, kind="news", title="新店", text="开业", published_at=MARCH, **common))
    rows += [
        row("forum:c1", 21, kind="comment", text="排队", parent_id="paper:1", published_at=MARCH, **common),
        row("forum:c2", 22, kind="comment", text="远", parent_id="paper:2", published_at=MARCH, **common),
    ]
    engine = connect(database_url)
    store_rows(engine, rows)
    yield engine
    engine.dispose()


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_find_something(command: str) -> None:
    """Each command of the page finds documents among such that fit it."""
    arguments = shlex.split(command)[1:]
    done = CliRunner().invoke(app, [*arguments, *([] if "--json" in arguments else ["--json"])])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["documents"]


def test_the_shown_error_is_the_one_that_comes() -> None:
    """The page quotes the program."""
    [(query, shown)] = re.findall(r"\$ opinion search '(.*)'\n *error: (.*)", SEARCH)
    with pytest.raises(QueryError) as caught:
        parse_query(query)
    assert caught.value.message == shown


def test_every_line_of_the_table_is_a_query() -> None:
    """The syntax that the page shows is understood."""
    queries = [
        one for cell in re.findall(r"^\| (`.*?) \|", SEARCH, re.MULTILINE) for one in re.findall("`(.*?)`", cell)
    ]
    assert len(queries) >= 9
    for query in queries:
        parse_query(query)


def test_requests_find_something(engine: Engine) -> None:
    """Each request of the page is answered with documents."""
    assert REQUESTS
    with serving(create_app(engine, clock=MovableClock(MARCH + timedelta(hours=1)))) as url:
        for request in REQUESTS:
            answer = httpx.get(f"{url}{request}")
            assert answer.status_code == 200, answer.text
            body = answer.json()
            assert body.get("documents") or body["document"]["id"], request
