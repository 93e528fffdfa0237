"""Shadows for tests: documents that a champion has judged, and candidates whose verdicts are scripted."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zlib import crc32

from sqlalchemy import Engine

from core.clock import MovableClock
from core.records import Opinion
from core.settings import Settings
from opinion import shadowing
from opinion.shadow_scoring import visit
from storage import model_versions, shadow_runs
from storage.documents import DocumentRow
from storage.shadow_runs import ShadowRun
from tests.support.copies import LETTERS
from tests.support.records import row
from tests.support.rows import store_rows

START = datetime(2026, 3, 10, tzinfo=UTC)
CHAMPION, CANDIDATE = "champion-1", "candidate-2"


class Scripted:
    """A model that goes by a function of the text."""

    reads_targets = True
    uncertain_below = 0.5

    def __init__(self, version: str, is_negative: Callable[[str], bool]) -> None:
        self.version = version
        self._is_negative = is_negative
        self.read: list[str] = []

    def classify(self, texts: Sequence[str]) -> list[Opinion]:
        verdicts = [self._is_negative(text) for text in texts]
        self.read += texts
        return [
            Opinion(
                topic_label="finance",
                topic_scores={"finance": 0.75, "sports": 0.25},
                sentiment="negative" if is_bad else "neutral",
                sentiment_scores={"negative": float(is_bad), "neutral": float(not is_bad), "positive": 0.0},
                model_version=self.version,
            )
            for is_bad in verdicts
        ]


def documents(
    count: int, *, start: datetime = START, every: timedelta = timedelta(seconds=30), key: str = "post"
) -> list[DocumentRow]:
    """What the champion has judged: every fourth is negative and says so ("bad"), none is a copy of another."""
    return [
        document(f"{key}:{nth}", start + nth * every, says="bad" if nth % 4 == 0 else f"calm{nth % 4}")
        for nth in range(count)
    ]


def document(name: str, at: datetime, *, says: str, **changes: object) -> DocumentRow:
    """One of them; negative if it says "bad"."""
    sentiment = "negative" if says == "bad" else "neutral"
    scores = {"score_negative": float(says == "bad"), "score_neutral": float(says != "bad"), "score_positive": 0.0}
    given: dict[str, Any] = {
        "published_at": at,
        "stored_at": at,
        "text": f"{says} {''.join(Random(name).sample(LETTERS, 30))}",
        "topic_label": "finance",
        "sentiment": sentiment,
        "model_version": CHAMPION,
        **scores,
        **changes,
    }
    return row(name, crc32(name.encode()) % 1_000_000, **given)


def with_champion(engine: Engine, rows: Sequence[DocumentRow]) -> None:
    """Two registered models, the one champion, and these documents."""
    if rows:
        store_rows(engine, rows)
    with engine.begin() as connection:
        for version in (CHAMPION, CANDIDATE):
            model_versions.register(connection, version, version, origin="test")
        model_versions.promote(connection, CHAMPION, reason="first", by="test")


def entered(engine: Engine, settings: Settings, now: datetime, candidate: str = CANDIDATE) -> int:
    """Put a candidate into shadow."""
    with engine.begin() as connection:
        return shadowing.enter(
            connection,
            candidate,
            CHAMPION,
            training_run=None,
            settings=settings.shadow,
            lateness=settings.detect.lateness,
            now=now,
        )


def visited(
    engine: Engine, run: int, settings: Settings, now: datetime, is_negative: Callable[[str], bool]
) -> ShadowRun:
    """The run after the candidate has read what there is."""
    models = {CHAMPION: Scripted(CHAMPION, is_bad), CANDIDATE: Scripted(CANDIDATE, is_negative)}
    visit(engine, run, settings, MovableClock(now), lambda seconds: None, lambda _, path: models[path])
    with engine.connect() as connection:
        found = shadow_runs.of_version(connection, CANDIDATE)
    assert found is not None
    return found


def is_bad(text: str) -> bool:
    """As the champion judges."""
    return text.startswith("bad")
