"""Two weeks in Shanghai, small enough to count by hand, through the real write path: what the examples in SQL find.

Every day from 2 to 15 March 2026 the forum has ten posts at 01:00 (yesterday evening in UTC) about Acme's food, two
of them negative in the first week and six in the second; the paper has ten articles at 20:00 about finance, three of
them negative, and four of the ten mention Bolt. Model m2 follows m1 at noon of the 11th: that day each judges every
other document. Around that: an article with three comments, two stories that are copied, labels, four incidents, and
one document of February.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, insert, text

from core.watchlists import Watchlist
from storage import human_labels, model_versions, reporting_zone, watchlists
from storage.documents import DocumentRow
from storage.human_labels import NewLabel
from storage.tables import model_promotion
from tests.support.copies import OTHER, STORY
from tests.support.records import row, says
from tests.support.rows import EVIDENCE, add_incident, store_rows

ZONE: Final = "Asia/Shanghai"
SWITCHED_AT: Final = datetime(2026, 3, 11, 12, tzinfo=ZoneInfo(ZONE))
DAYS: Final = range(2, 16)  # of March; Monday the 2nd and the 9th begin the weeks
DRIVERS: Final = {
    "source": [
        {"name": "forum", "negative": 30, "total": 40, "usual": 10.0, "excess": 20.0, "share": 0.8},
        {"name": "blog", "negative": 6, "total": 9, "usual": 3.0, "excess": 3.0, "share": 0.12},
    ],
    "cluster": [
        {
            "name": "奶茶店停业",
            "negative": 1,
            "usual": 0.0,
            "excess": 1.0,
            "share": 0.04,
            "id": "wire:1",
            "copies": 4,
            "raw_negative": 4,
        }
    ],
    "term": [{"name": "过期", "negative": 18, "usual": 1.0, "excess": 17.0, "share": 0.68}],
}


def local(day: int, hour: int, minute: int = 0) -> datetime:
    """A time of March in Shanghai, as UTC."""
    return datetime(2026, 3, day, hour, minute, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def fill(engine: Engine) -> None:
    """Store all of it in an empty database."""
    with engine.begin() as connection:
        reporting_zone.keep(connection, ZONE)
        watchlists.put(connection, [Watchlist("Acme", any=("Acme",)), Watchlist("Bolt", any=("Bolt",))], by="analyst")
        _models(connection)
    earlier = _document("daily:0", datetime(2026, 2, 20, tzinfo=UTC), source="daily", text="旧闻", topic_label="tech")
    rows = [earlier, *_usual(), *_article(), *_stories()]
    store_rows(engine, [one._replace(record_offset=n) for n, one in enumerate(rows)])
    with engine.begin() as connection:
        human_labels.add(connection, list(_labels()))
        _incidents(connection)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))  # plans are those of these rows, whenever autovacuum comes


def _usual() -> Iterator[DocumentRow]:
    for day in DAYS:
        for n in range(10):
            is_worse = day >= 9 and n < 6
            bad = n < 2 or is_worse
            yield _said("forum", day, n, 1, "post", "food", is_bad=bad, watchlist="Acme")
            yield _said("paper", day, n, 20, "news", "finance", is_bad=n < 3, watchlist="Bolt" if n < 4 else None)


def _said(
    source: str, day: int, n: int, hour: int, kind: str, topic: str, *, is_bad: bool, watchlist: str | None
) -> DocumentRow:
    sentiment = "negative" if is_bad else "positive"
    return _document(
        f"{source}:{day}-{n}",
        local(day, hour, n),
        kind=kind,
        source=source,
        topic_label=topic,
        sentiment=sentiment,
        text=f"{source} {day} {n}",
        mentions=[says(watchlist, sentiment)] if watchlist else None,
        model_version="m2" if day > SWITCHED_AT.day or (day == SWITCHED_AT.day and n % 2) else "m1",
    )


def _article() -> Iterator[DocumentRow]:
    common = {"topic_label": "sports"}
    about = {"mentions": [says("Acme", "positive")], "sentiment": "positive", "title": "新店开业"}
    yield _document("portal:1", local(10, 10), kind="news", source="portal", text="开业", **about, **common)
    for n, (sentiment, likes, said) in enumerate(
        [("negative", 50, "排队太久"), ("positive", 7, "好喝"), ("negative", 3, "太远")], 2
    ):
        below = {"text": said, "sentiment": sentiment, "likes": likes, "parent_id": "portal:1"}
        yield _document(f"portal:{n}", local(10, 10 + n), kind="comment", source="portal", **below, **common)


def _stories() -> Iterator[DocumentRow]:
    """The wire has the first story before three others, the blog the second before one."""
    carried: Sequence[tuple[str, datetime, str]] = [
        ("wire:1", local(12, 8), STORY),
        ("blog:1", local(12, 8, 20), STORY),
        ("portal:9", local(12, 9, 30), STORY),
        ("daily:1", local(12, 11), STORY),
        ("blog:2", local(13, 9), OTHER),
        ("wire:2", local(13, 9, 40), OTHER),
    ]
    for document_id, at, story in carried:
        source = document_id.partition(":")[0]
        yield _document(
            document_id, at, kind="news", source=source, text=story, topic_label="tech", model_version="m2"
        )


def _document(document_id: str, at: datetime, **changes: Any) -> DocumentRow:
    judged = {
        "negative": {"score_negative": 0.875, "score_neutral": 0.0625, "score_positive": 0.0625},
        "positive": {"score_negative": 0.0625, "score_neutral": 0.0625, "score_positive": 0.875},
    }[changes.setdefault("sentiment", "negative")]
    times = {"published_at": at, "crawled_at": at, "recorded_at": at, "stored_at": at}
    return row(document_id, lang="zh", **times, **judged, **changes)


def _models(connection: Connection) -> None:
    for version, promoted_at in (("m1", local(1, 0)), ("m2", SWITCHED_AT)):
        parent = "m1" if version == "m2" else None
        model_versions.register(connection, version, f"models/{version}", origin="trained", parent=parent)
        values = {"version": version, "reason": "first" if parent is None else "better", "promoted_by": "analyst"}
        connection.execute(insert(model_promotion).values(promoted_at=promoted_at, **values))


def _labels() -> Iterator[NewLabel]:
    """Of five posts that the model calls negative people call four so; of three positive ones, two."""
    said = ["negative"] * 4 + ["neutral", "negative", "positive", "positive"]
    for n, answer in enumerate(said):
        place = n if n < 5 else n + 1  # the posts of a day from the sixth on are positive
        yield NewLabel(
            label_key=f"label-{n}".encode(),
            document_id=f"forum:9-{place}",
            text=f"forum 9 {place}",
            lang="zh",
            source="forum",
            head="sentiment",
            answer=answer,
            annotator="li",
            labelled_at=local(10, 23, n),
        )


def _incidents(connection: Connection) -> None:
    surge = EVIDENCE | {"drivers": DRIVERS, "documents": [EVIDENCE["documents"][0] | _quoted()]}
    labels = {"alertname": "NegativeSurge", "rule": "by-topic", "topic": "food"}
    times = {"starts_at": local(11, 1), "detected_at": local(11, 1, 5), "last_fired_at": local(11, 1, 10)}
    add_incident(connection, labels=labels, evidence=surge, observed=36.0, expected=11.0, **times)
    plain = surge | {"drivers": {}, "documents": []}
    over = {"status": "resolved", "ends_at": local(13, 2), "severity": "warning"}
    times = {"starts_at": local(13, 1), "detected_at": local(13, 1, 5), "last_fired_at": local(13, 1, 10)}
    labels = {"alertname": "NegativeSurge", "rule": "by-watchlist", "watchlist": "Acme"}
    more = {"rule": "by-watchlist", "observed": 12.0, "expected": 4.0}
    add_incident(connection, labels=labels, evidence=plain, **more, **over, **times)
    labels = {"rule": "by-source", "source": "forum"}
    times = {"starts_at": local(12, 1), "detected_at": local(12, 1, 5), "last_fired_at": local(12, 1, 10)}
    add_incident(
        connection, rule="by-source", labels=labels, evidence=plain, **over | {"ends_at": local(12, 2)}, **times
    )
    times = {"starts_at": local(3, 1), "detected_at": local(3, 1, 5), "last_fired_at": local(3, 1, 10)}
    add_incident(connection, labels={"rule": "odd"}, evidence={"drivers": [], "share": "much"}, **over, **times)


def _quoted() -> dict[str, Any]:
    at = local(11, 1).isoformat()
    return {"id": "forum:11-0", "published_at": at, "stands_for": {"by": "term", "name": "过期"}, "carriers": 1}
