"""What the editors of watchlists, rules, silences, subscriptions and conflicts are shown with: some of it hostile."""

from datetime import timedelta
from pathlib import Path
from random import Random

from sqlalchemy import Engine

from core.watchlists import Watchlist
from storage import human_labels, rules, silences, subscriptions, watchlists
from storage.human_labels import NewLabel, Statement
from tests.support.minutes import MINUTE, add, surge, usual_day
from tests.support.records import row, says
from tests.support.rows import add_incident, store_rows
from tests.support.surges import START, SURGE_AT

NOW = SURGE_AT + timedelta(hours=1)
FILE = Path("/etc/opinion/watch.yaml")
HOSTILE = (
    "苹果<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>{{ 7 * 7 }}"
    + "长" * 10_000
    + "\u202egnp 🙂"
)
TEXTS = (
    "苹果发布会今天召开，新品价格引发热议",
    "苹果手机续航太差，充电还发热，失望",
    "蘋果新機在台北開賣，排隊的人不多",
    "这家店的苹果汁很好喝，下次还来",
    "苹果汁涨价了，超市里没人买",
    "今天天气不错，适合出门散步",
    "The new iPhone is fine, Apple says",
    "training for the marathon again",
    HOSTILE,
)


def prepare(engine: Engine) -> None:
    """Two days of documents and counts with a surge, incidents, and something of each kind that can be edited."""
    texts, random = list(TEXTS), Random(3)
    store_rows(
        engine,
        [
            row(
                f"weibo:{nth}",
                nth,
                text=text if nth < len(TEXTS) else f"{text} {nth}",
                lang="en" if text.isascii() else "zh",
                source=("weibo", "news", "forum")[nth % 3],
                published_at=SURGE_AT - timedelta(minutes=25 * nth),
                sentiment=random.choice(["negative", "neutral"]),
                mentions=[says("苹果", random.choice(["negative", "neutral"]))] if "苹果" in text else None,
            )
            for nth, text in enumerate(texts * 8)
        ],
    )
    minutes = 31 * 60
    with engine.begin() as connection:
        for source, topic in (("weibo", "automobile"), ("news", "sports")):
            add(connection, usual_day(START - timedelta(hours=12), minutes + 12 * 60, source=source, topic=topic))
        add(connection, surge(SURGE_AT, 25, source="weibo", topic="automobile"))
        watchlists.put(connection, [Watchlist("苹果", any=("苹果", "iPhone"), exclude=("苹果汁",))], by="li")
        watchlists.sync_file(connection, FILE, [Watchlist("马拉松 <b>", any=("marathon", "马拉松"))])
        rules.put(connection, {"desk": {"group_by": ["topic"], "sensitivity": "low"}}, by="li")
        rules.put(connection, {"desk": {"group_by": ["topic"], "threshold": 7.5, "min_per_hour": 20}}, by="wang")
        rules.sync_file(connection, FILE.with_name("rules.yaml"), {"from file": {"group_by": ["source"]}})
        for nth, (severity, labels) in enumerate(
            [
                ("critical", {"topic": "automobile"}),
                ("warning", {"topic": "sports", "source": "news"}),
                ("info", {"source": "<script>alert(1)</script>\u202e"}),
            ]
        ):
            at = SURGE_AT - timedelta(hours=7 * nth)
            named = {"alertname": "NegativeSurge", "rule": "desk", **labels}
            add_incident(
                connection, labels=named, severity=severity, starts_at=at, detected_at=at + 5 * MINUTE,
                last_fired_at=at + 20 * MINUTE, rule="desk",
            )  # fmt: skip
        silences.add(
            connection, ['topic="military"'], equal={"topic": "military"}, starts_at=NOW - timedelta(hours=1),
            ends_at=NOW + timedelta(hours=3), by="li", comment="演习 <i>drill</i>",
        )  # fmt: skip
        night = {"who": ["desk"], "min_severity": "warning", "quiet": {"hours": "22:30-07:00"}}
        subscriptions.put(connection, [("night", night)], by="li")
        human_labels.add(connection, [label for nth in range(3) for label in _answers(nth)])


def _answers(nth: int) -> list[NewLabel]:
    """Two people on one text: they differ about the first two and the hostile one."""
    text = (TEXTS[1], TEXTS[0], HOSTILE)[nth]
    said = (("li", "negative"), ("wang <b>", "neutral" if nth < 3 else "negative"))
    found = [
        human_labels.linked(
            Statement("sentiment", answer, None, text, "zh", "weibo", who, NOW - timedelta(hours=nth + 1)),
            None,
            now=NOW,
        )
        for who, answer in said
    ]
    agreed = Statement("topic", "technology", None, text, "zh", "weibo", "li", NOW - timedelta(hours=nth + 1))
    return [*found, human_labels.linked(agreed, None, now=NOW)]
