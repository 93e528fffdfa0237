"""Every example of docs/how-to/reclassify.md works as the page says."""

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from core.records import Document
from core.watchlists import Watchlist, Watchlists
from opinion.cli import app
from opinion.commands import alerts_verify
from opinion.promotions import first_champion
from storage import watchlists
from storage.engine import connect
from streams.classify import opinions_on
from tests.support.checkpoints import tiny_checkpoint
from tests.support.records import WordClassifier, row
from tests.support.rows import store_rows

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "reclassify.md").read_text(encoding="utf-8")
ACME = Watchlist("Acme", ("Acme",))


def commands() -> list[list[str]]:
    """The indented lines, as a shell would split them."""
    return [shlex.split(line)[1:] for line in re.findall(r"^ {4}(opinion .*)$", PAGE, re.MULTILINE)]


@pytest.fixture
def engine(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A database with a champion, a watchlist, and documents of an older model."""
    checkpoint = str(tiny_checkpoint(tmp_path / "tiny"))
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("OPINION_MODELS__CHECKPOINT", checkpoint)
    monkeypatch.setattr("opinion.commands.reclassify.os.nice", lambda by: 0)
    engine = connect(database_url)
    with engine.begin() as connection:
        watchlists.put(connection, [ACME], by="li")
        first_champion(connection, checkpoint)
    for nth, day in enumerate((datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC))):
        document = Document(text=f"bad Acme {nth}", source="weibo", lang="en")
        [opinion] = opinions_on(WordClassifier(), Watchlists([ACME]), [document])
        mentions = msgspec.to_builtins(opinion.mentions)
        made = {"text": document.text, "source": "weibo", "mentions": mentions, "model_version": "words-1"}
        store_rows(engine, [row(f"d{nth}", nth, published_at=day + timedelta(hours=nth), **made)])
    yield engine
    engine.dispose()


def test_every_command_runs_as_shown(engine: Engine) -> None:
    """In the page's order, on documents of its time."""
    for command in commands():
        if "cancel" in command:
            with engine.begin() as connection:
                connection.execute(text("UPDATE reclassification SET status = 'open' WHERE id = 1"))
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, (command, done.output, done.exception)
    with engine.connect() as connection:
        assert set(connection.scalars(text("SELECT model_version FROM document"))) == {"tiny"}
        assert set(connection.scalars(text("SELECT model_version FROM mention"))) == {"tiny"}


def test_the_reason_is_quoted_as_it_is_told() -> None:
    """The page's words are those of `opinion alerts verify`."""
    assert alerts_verify.WHY["rescored"] in " ".join(PAGE.split())
