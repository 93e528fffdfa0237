"""Raw records and rows for tests, with everything that does not matter filled in."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core.records import Opinion
from models.targets import TARGET
from storage.documents import DocumentRow
from streams.dead_letters import RawRecord
from streams.intake import IntakeLimits

START = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
LIMITS = IntakeLimits(
    max_text_chars=1000, max_value_bytes=10_000, max_future=timedelta(hours=24), zone=ZoneInfo("Asia/Shanghai")
)


def raw(value: bytes | dict[str, Any] | None, offset: int = 0, **changes: Any) -> RawRecord:
    """A raw record; a dict becomes JSON."""
    body = json.dumps(value, ensure_ascii=False).encode() if isinstance(value, dict) else value
    record = {
        "topic": "raw",
        "partition": 0,
        "offset": offset,
        "recorded_at": START + timedelta(seconds=offset),
        "key": None,
        "value": body,
    }
    return RawRecord(**(record | changes))


def row(key: str, offset: int = 0, **changes: Any) -> DocumentRow:
    """A classified document, negative by default; its content is its text."""
    text = changes.get("text", "x")
    fields = {
        "published_at": START,
        "id": key,
        "revision": 0,
        "kind": "post",
        "source": "forum",
        "lang": "en",
        "url": None,
        "title": None,
        "text": text,
        "author": None,
        "parent_id": None,
        "likes": 0,
        "reposts": 0,
        "replies": 0,
        "crawled_at": START + timedelta(seconds=offset),
        "content_hash": text.encode(),
        "topic_label": "finance",
        "topic_scores": {"finance": 0.9},
        "sentiment": "negative",
        "score_negative": 0.875,
        "score_neutral": 0.0625,
        "score_positive": 0.0625,
        "topic_uncertain": False,
        "sentiment_uncertain": False,
        "mentions": None,
        "model_version": "m1",
        "record_partition": 0,
        "record_offset": offset,
        "recorded_at": START + timedelta(seconds=offset),
        "stored_at": START,
    }
    return DocumentRow(**(fields | changes))


def says(watchlist: str, sentiment: str = "negative", **more: Any) -> dict[str, Any]:
    """A mention as a document's row holds it."""
    scores = {name: 1.0 if name == sentiment else 0.0 for name in ("negative", "neutral", "positive")}
    return {"watchlist": watchlist, "mentions": 1, "sentiment": sentiment, "sentiment_scores": scores, **more}


class WordClassifier:
    """Calls a text negative when it says "bad"; raises on "poison", as a broken tokenizer would.

    Toward a target it goes by the word before the mark.
    """

    version = "words-1"
    reads_targets = True
    uncertain_below = 0.5

    def __init__(self) -> None:
        self.calls: list[int] = []

    def classify(self, texts: Sequence[str]) -> list[Opinion]:
        self.calls.append(len(texts))
        if any("poison" in text for text in texts):
            raise RuntimeError("this text breaks the model")
        return [self._opinion("bad" in text if TARGET not in text else f"bad {TARGET}" in text) for text in texts]

    def _opinion(self, is_bad: bool) -> Opinion:
        return Opinion(
            topic_label="finance",
            topic_scores={"finance": 0.75, "sports": 0.25},
            sentiment="negative" if is_bad else "positive",
            sentiment_scores={"negative": float(is_bad), "neutral": 0.0, "positive": float(not is_bad)},
            model_version=self.version,
        )
