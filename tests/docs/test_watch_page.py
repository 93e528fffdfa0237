"""Every example of docs/how-to/watch-brands.md works as the page says."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from core.watchlist_file import read_watchlists
from core.watchlists import Watchlists
from opinion.cli import app
from opinion.commands import watch_backfill
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.records import WordClassifier, row
from tests.support.rows import store_rows
from web.app import create_app

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "watch-brands.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The indented lines, as a shell would split them."""
    return [shlex.split(line) for line in re.findall(r"^ {4}(opinion .*)$", PAGE, re.MULTILINE)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's two files, in the current folder."""
    (tmp_path / "watch.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    (tmp_path / "docs.jsonl").write_text(blocks("json")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def engine(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The database that the commands are told of."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    engine = connect(database_url)
    yield engine
    engine.dispose()


def test_the_file_is_tried_as_shown(folder: Path) -> None:
    """The page's watchlists on the page's documents give the page's answer."""
    [command] = [one for one in commands() if one[1:3] == ["watch", "test"]]
    result = CliRunner().invoke(app, command[1:], catch_exceptions=False)
    assert json.loads(result.stdout) == json.loads(blocks("json")[1])
    table = CliRunner().invoke(app, command[1:-1], catch_exceptions=False)
    assert "蘋果發布會" in table.stdout


@pytest.mark.parametrize(
    ("said", "source", "name", "mentions"),
    [
        ("苹果汁好喝", "s", "苹果", None),
        ("苹果发布会上提供苹果汁", "s", "苹果", 1),
        ("苹果和红富士", "s", "苹果", None),
        ("华为新品", "weibo", "新机发布", 1),
        ("华为新品", "forum", "新机发布", None),
        ("华为二手新品", "weibo", "新机发布", None),
        ("油价又上涨", "s", "油价", 2),
    ],
)
def test_the_rules_are_as_told(folder: Path, said: str, source: str, name: str, mentions: int | None) -> None:
    """What the page says of its own watchlists."""
    found = Watchlists(read_watchlists(folder / "watch.yaml")).find(said, source=source, lang="zh").get(name)
    assert (None if found is None else len(found)) == mentions


def test_the_commands_work_in_their_order(folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Added, imported, shown, exported and removed; then backfilled, which wants it there."""
    monkeypatch.setattr(watch_backfill, "load_classifier", lambda settings: WordClassifier())
    monkeypatch.setattr("opinion.backfilling.FOLLOWED_SECONDS", 0.0)
    store_rows(engine, [row("event", text="蘋果發布會", published_at=row("x").published_at.replace(year=2026))])
    ran = [one[1:] for one in commands() if one[1] == "watch" and one[2] != "test"]
    for arguments in ran:
        if arguments[1] == "backfill":
            CliRunner().invoke(app, ["watch", "import", "watch.yaml"], catch_exceptions=False)
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, (arguments, result.output)
    assert [arguments[1] for arguments in ran] == ["add", "import", "list", "show", "export", "remove", "backfill"]
    assert len(read_watchlists(folder / "watch.yaml")) == 4
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT watchlist FROM bi.mention")) == "苹果"
        assert [
            one.watchlist
            for one in connection.execute(text(blocks("sql")[0].replace("now()", "timestamptz '2026-05-02'")))
        ]


def test_the_requests_are_answered(engine: Engine) -> None:
    """Each line of the table, with the bodies it shows."""
    wanted: list[tuple[str, str, Any]] = []
    for line in re.findall(r"^\| (`(?:GET|PUT|DELETE|POST).*?) \|", PAGE, re.MULTILINE):
        quoted = re.findall(r"`([^`]*)`", line)
        body = json.loads(quoted.pop()) if " with " in line else None
        wanted += [(*one.replace("NAME", "apple").split(" "), body) for one in quoted]  # type: ignore[misc]
    wanted.sort(key=lambda request: ("PUT", "GET", "POST", "DELETE").index(request[0]))
    with serving(create_app(engine)) as url, httpx.Client(base_url=url) as client:
        answers = [client.request(method, path, json=body).status_code for method, path, body in wanted]
    assert [method for method, _, _ in wanted] == ["PUT", "GET", "GET", "POST", "DELETE"]
    assert answers == [200, 200, 200, 200, 204]
