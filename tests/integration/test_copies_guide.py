"""docs/how-to/find-copies.md does what it says."""

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from opinion.cli import app
from storage.engine import connect
from tests.integration.test_copies import put
from tests.support.copies import STORY
from tests.support.records import row

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "find-copies.md").read_text(encoding="utf-8")
[LINES, RESULT] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


def test_the_file_gives_the_clusters_that_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example file and command print what the page prints."""
    monkeypatch.chdir(tmp_path)
    Path("news.jsonl").write_text(LINES, encoding="utf-8")
    result = CliRunner().invoke(app, ["copies", "news.jsonl", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads(RESULT)


def test_a_window_needs_times(tmp_path: Path) -> None:
    """Without a time of publication there is no telling what lies in a window, and the message says so."""
    file = tmp_path / "news.jsonl"
    file.write_text(LINES, encoding="utf-8")
    result = CliRunner().invoke(app, ["copies", str(file), "--json", "--window", "7"])
    assert "published_at" in str(result.exception)


def test_bad_lines_are_reported_and_left_out(tmp_path: Path) -> None:
    """A line that is no document stops nothing."""
    file = tmp_path / "news.jsonl"
    file.write_text("{broken\n" + LINES, encoding="utf-8")
    result = CliRunner().invoke(app, ["copies", str(file), "--json"])
    assert json.loads(result.stdout) == json.loads(RESULT)
    assert "line 1" in result.stderr


def test_queries_of_the_page_run(database_url: str) -> None:
    """Each query of the page runs on the present schema."""
    engine = connect(database_url)
    put(engine, row("a", 0, text=STORY), row("b", 1, text=STORY))
    with engine.connect() as connection:
        for query in QUERIES:
            connection.execute(text(query)).all()
        assert connection.execute(text(QUERIES[0])).one()[1:] == (2, 1, 1)
    engine.dispose()
