"""Every example of docs/how-to/write-reports.md works as the page says."""

import json
import re
import shlex
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from core.settings import ReportSettings
from core.watchlist_entries import watchlist_of
from opinion.cli import app
from storage.engine import connect
from storage.watchlists import put
from tests.support.pages import ROOT, examples
from tests.support.rows import store_rows
from tests.support.surges import campaign, judge, usual_hours
from web.reports.figures import MOST_READ

NAME = "write-reports.md"
PAGE = (ROOT / "docs" / "how-to" / NAME).read_text(encoding="utf-8")


@pytest.mark.needs_browser
def test_the_commands_of_the_page(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each writes the file that it names, and the SQL says what the report says."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    engine = connect(database_url)
    usual_hours(engine)
    store_rows(engine, campaign())
    judge(engine)
    with engine.begin() as connection:
        put(connection, [watchlist_of("Acme", {"any": ["Acme"]})], by="test")
        [query] = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
        documents, _ = connection.execute(text(query)).one()
    engine.dispose()
    said = []
    for _, example in examples(NAME):
        done = CliRunner().invoke(app, shlex.split(example)[1:])
        assert done.exit_code == 0, (example, done.exception)
        said.append(done.stdout)
    written = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    assert set(written) == {"day.html", "weekly-2026-03-09.html", "dossier.html", "daily-2026-03-11.html", "week.pdf"}
    assert written["week.pdf"].startswith(b"%PDF-")
    [told] = [json.loads(one) for one in said if one.startswith("{")]
    assert told["total"] == documents > 0
    assert f"{documents:,} documents" in written["day.html"].decode()


def test_the_page_quotes_the_program() -> None:
    """Bounds and settings that the page names are those of the code."""
    assert PAGE.count(f"{MOST_READ:,}") == 2
    named = {name.lower() for name in re.findall(r"OPINION_REPORTS__(\w+)", PAGE)}
    assert named == set(ReportSettings.model_fields)
    assert ReportSettings().at == "07:00"
