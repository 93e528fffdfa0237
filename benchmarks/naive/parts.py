"""What the two naive agents have in common: app and topics, the classifier, the table."""

from collections.abc import Sequence
from typing import Any

import faust
from sqlalchemy import Engine, text

from core.records import Opinion
from core.settings import Settings
from models.inference import Classifier
from storage.engine import connect
from streams import topics

CREATE = """
    CREATE TABLE IF NOT EXISTS naive_document (
        id text, published_at timestamptz, source text, sentiment text, topic_label text,
        stored_at timestamptz DEFAULT now()
    )
"""
INSERT = """
    INSERT INTO naive_document (id, published_at, source, sentiment, topic_label)
    VALUES (:id, :published_at, :source, :sentiment, :topic_label)
"""


def open_app(settings: Settings) -> tuple[faust.App, Any, Any]:
    """An app with Faust's defaults, the raw and the classified topic."""
    assert settings.kafka_bootstrap
    brokers = [f"kafka://{address}" for address in settings.kafka_bootstrap.split(",")]
    app = faust.App(settings.group, broker=brokers, datadir=settings.home / "naive")
    app.boot_strategy.enable_web = False  # so that several run on one machine
    prefix = settings.kafka.topic_prefix
    return app, app.topic(prefix + topics.RAW), app.topic(prefix + topics.CLASSIFIED)


def open_database(settings: Settings) -> Engine:
    """The database, with the table."""
    assert settings.database_url
    engine = connect(settings.database_url.get_secret_value())
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(1)"))  # two workers may start at once
        connection.execute(text(CREATE))
    return engine


def open_classifier(settings: Settings) -> Classifier:
    """The classifier that our workers use, so that only delivery differs."""
    return Classifier.configured(settings.models)


def classified(document: dict[str, Any], opinion: Opinion) -> dict[str, Any]:
    """The row, which is also what is published."""
    return {
        "id": document["id"],
        "published_at": document.get("published_at"),
        "source": document.get("source"),
        "sentiment": opinion.sentiment,
        "topic_label": opinion.topic_label,
    }


def insert(engine: Engine, rows: Sequence[dict[str, Any]]) -> None:
    """One transaction."""
    with engine.begin() as connection:
        connection.execute(text(INSERT), rows)
