"""Explanations of what is stored: a document by its id, and the documents behind an incident."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from core.errors import NotFoundError
from opinion.cli import app
from storage import incidents
from storage.engine import connect
from tests.support.checkpoints import tiny_checkpoint
from tests.support.records import row
from tests.support.rows import store_rows

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_checkpoint(tmp_path_factory.mktemp("checkpoint")))


@pytest.fixture
def engine(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Engine]:
    """A database with two documents."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path))
    engine = connect(database_url)
    store_rows(engine, [row("forum:1", 1, text="bad service"), row("forum:2", 2, text="bad coffee and bad tea")])
    yield engine
    engine.dispose()


def explain(checkpoint: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["explain", *arguments, "--checkpoint", checkpoint, "--json"])


def test_a_stored_document_is_explained_by_its_id(engine: Engine, checkpoint: str) -> None:
    """What the classifier read is explained, not what a list shows of it."""
    result = explain(checkpoint, "forum:2", "--class", "negative")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["text"] == "bad coffee and bad tea"


def test_an_unknown_id_is_not_found(engine: Engine, checkpoint: str) -> None:
    """A typing error is told from a broken server."""
    assert isinstance(explain(checkpoint, "forum:9").exception, NotFoundError)
    assert isinstance(explain(checkpoint, "--incident", "9").exception, NotFoundError)


def test_the_evidence_of_an_incident_is_explained(engine: Engine, checkpoint: str) -> None:
    """Each document of the newest evidence, as negative; of one that is gone, its excerpt."""
    examples = [{"id": "forum:1", "text": "bad ser…"}, {"id": "forum:gone", "text": "no good"}]
    with engine.begin() as connection:
        number = incidents.open_incident(
            connection, fingerprint="f", rule="everything", labels={}, severity="warning", status="firing",
            starts_at=NOW, detected_at=NOW, last_fired_at=NOW, observed=9, expected=1.0, score=6.0,
            notified_score=6.0, annotations={},
        )  # fmt: skip
        incidents.freeze_evidence(connection, number, {"documents": examples})
    result = explain(checkpoint, "--incident", str(number))
    assert result.exit_code == 0, result.stderr
    body = json.loads(result.stdout)
    assert body["incident"] == number
    assert [(one["id"], one["text"], one["class"]) for one in body["documents"]] == [
        ("forum:1", "bad service", "negative"),
        ("forum:gone", "no good", "negative"),
    ]
