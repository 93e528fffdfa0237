"""Surges with documents for tests: usual hours, then many negatives, as workers store them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from zlib import crc32

from sqlalchemy import Engine

from alerts.detection.detectors import DetectorOptions
from alerts.detection.judging import ClockOptions
from alerts.detection.rules import Rule
from alerts.evaluate import EvaluateOptions, evaluate
from alerts.telling import Receiver
from storage import bucket_counts, incidents
from storage.documents import DocumentRow
from storage.incidents import IncidentRow
from tests.support.copies import LETTERS, STORY
from tests.support.minutes import add, usual_day
from tests.support.records import row
from tests.support.rows import store_rows

START = datetime(2026, 3, 10, tzinfo=UTC)
SURGE_AT = START + timedelta(hours=30)
NOW = datetime(2026, 4, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GRUMBLES = ("排队太久了，下次不来", "价格又涨了，吃不消", "味道一般，不会再买", "客服态度很差，没人管")
ANGER = ("刹车失灵，差点出事", "刹车又失灵了，谁来负责", "高速上刹车失灵，吓坏了")
OVERALL = (Rule("overall"),)


def usual_hours(engine: Engine) -> None:
    """Thirty hours and a quarter of two sources and topics, most of it as counts, eighty negatives as documents."""
    minutes = 30 * 60 + 15
    with engine.begin() as connection:
        for source, topic in (("weibo", "automobile"), ("news", "sports")):
            add(connection, usual_day(START, minutes, source=source, topic=topic))
    random = Random(2)
    store_rows(
        engine,
        [
            document(
                f"usual:{nth}",
                START + nth * 20 * MINUTE,
                f"{random.choice(GRUMBLES)} {nth}",
                source=random.choice(["weibo", "news"]),
                topic_label="sports",
            )
            for nth in range(80)
        ],
    )


def document(key: str, at: datetime, text: str, **changes: object) -> DocumentRow:
    """A negative document, stored when it was published."""
    return row(
        key,
        crc32(key.encode()) % 1_000_000,
        **{
            "published_at": at,
            "text": text,
            "lang": "zh",
            "stored_at": at,
            "topic_label": "automobile",
            "source": "weibo",
            **changes,
        },
    )


def campaign(copies: int = 40, voices: int = 40) -> list[DocumentRow]:
    """Anger on one source within ten minutes, and in it one story that many copy, which is one voice more."""
    told = [
        document(f"copy:{nth}", SURGE_AT + nth * timedelta(seconds=12), f"【转载{nth % 5}】{STORY}", source="forum")
        for nth in range(copies)
    ]
    return told + many_voices(voices, ("forum",), key="angry")


def many_voices(
    people: int = 40, sources: Sequence[str] = ("weibo", "news", "forum", "blog"), *, key: str = "voice"
) -> list[DocumentRow]:
    """As many documents by different people on several sources, about one thing, none a copy of another."""
    return [
        document(
            f"{key}:{nth}",
            SURGE_AT + nth * timedelta(seconds=12),
            f"{ANGER[nth % 3]}，{''.join(Random(f'{key}{nth}').sample(LETTERS, 30))}",
            source=sources[nth % len(sources)],
        )
        for nth in range(people)
    ]


HOOK = (Receiver("webhook", "hook"),)


def judge(engine: Engine, rules: Sequence[Rule] = OVERALL, *, receivers: Sequence[Receiver] = HOOK) -> IncidentRow:
    """Judge all there is, by one rule over everything or by others; returns the one incident."""
    options = EvaluateOptions(
        rules,
        ClockOptions(DetectorOptions(), timedelta(minutes=2)),
        receivers,
        "http://console",
    )
    with engine.begin() as connection:
        newest = bucket_counts.newest_minutes(connection, not_after=NOW)
        evaluate(connection, newest, options, now=NOW)
        [found] = incidents.newest(connection)
    return found
