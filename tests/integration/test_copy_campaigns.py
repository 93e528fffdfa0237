"""A copy-paste campaign over real documents, copies found by the store."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from storage import incidents
from storage.campaigns import negative_voices
from storage.engine import connect
from tests.integration.test_alerts_evaluate import SURGE_AT, judge, load, story
from tests.support.copies import STORY
from tests.support.records import row as document_row
from tests.support.rows import store_rows

COPIES = 60


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


def post(engine: Engine, count: int) -> None:
    """One text in a few wordings, within twenty minutes."""
    store_rows(
        engine,
        [
            document_row(
                f"weibo:{nth}",
                nth,
                text=f"【转载{nth % 4}】{STORY}",
                source="weibo",
                published_at=SURGE_AT + nth * timedelta(minutes=20) / count,
                topic_label="automobile",
                sentiment="negative",
                score_negative=0.99 - nth / 1000,
            )
            for nth in range(count)
        ],
    )


def test_many_copies_of_one_text_are_a_campaign_and_no_surge(engine: Engine) -> None:
    """It is told as what it is, by how many carried what, and nobody is called out of bed."""
    load(engine, [m for m in story() if m.negative != 4])
    post(engine, COPIES)
    judge(engine)
    with engine.connect() as connection:
        rows = incidents.newest(connection)
        bodies = incidents.newest_evidence(connection, [row.id for row in rows])
    assert {row.labels["alertname"] for row in rows} == {"CopyCampaign"}
    assert {(row.labels.get("topic"), row.labels.get("source")) for row in rows} >= {("automobile", None)}
    assert {row.severity for row in rows} == {"info"}
    for row in rows:
        [cluster] = bodies[row.id]["clusters"]
        assert cluster["carriers"] >= 15
        assert cluster["first_id"] == "weibo:0"
        assert bodies[row.id]["copies"] > 10 * bodies[row.id]["expected"]
        assert "copies of negative texts" in row.annotations["summary"]


def test_voices_are_read_within_a_series(engine: Engine) -> None:
    """Copies count for their topic and source alone."""
    post(engine, 10)
    end = SURGE_AT + timedelta(hours=1)
    with engine.connect() as connection:
        assert negative_voices(connection, {"topic": "automobile", "rule": "by-topic"}, SURGE_AT, end) == (10, 9)
        assert negative_voices(connection, {"topic": "sports"}, SURGE_AT, end) == (0, 0)
        assert negative_voices(connection, {"watchlist": "Acme"}, SURGE_AT, end) == (0, 0)
