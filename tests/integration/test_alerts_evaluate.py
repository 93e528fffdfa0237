"""Detection over real tables: the same counts give the same incidents, whatever the schedule."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, select

from alerts.detection.detectors import DetectorOptions
from alerts.detection.judging import ClockOptions
from alerts.detection.rules import DEFAULT_RULES
from alerts.evaluate import EvaluateOptions, Run, evaluate
from alerts.routing.silencing import silence
from alerts.telling import Receiver
from storage import bucket_counts, incidents
from storage.engine import connect
from storage.tables import detector_state, evidence, incident_event, notification
from tests.support.copies import OTHER, STORY
from tests.support.minutes import MINUTE, Minute, add, surge, usual_day
from tests.support.records import row as document_row
from tests.support.rows import store_rows

START = datetime(2026, 3, 10, tzinfo=UTC)
SURGE_AT = START + timedelta(hours=30)
END = SURGE_AT + timedelta(hours=4)
NOW = datetime(2026, 4, 1, tzinfo=UTC)
LATENESS = timedelta(minutes=2)
KAFKA, HOOK, CHAT = Receiver("kafka", "opinion.alert.v1"), Receiver("webhook", "hook"), Receiver("apprise", "chat")
OPTIONS = EvaluateOptions(
    rules=DEFAULT_RULES,
    clock=ClockOptions(DetectorOptions(), LATENESS),
    receivers=[KAFKA, HOOK, CHAT],
    console_url="http://console",
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


def story() -> list[Minute]:
    """Two sources and two topics for 34 hours; at 30 hours cars on weibo turn bad for 40 minutes."""
    minutes = int((END - START) / MINUTE)
    found = []
    for source, topic in (("weibo", "automobile"), ("weibo", "sports"), ("news", "sports")):
        found += usual_day(START, minutes, source=source, topic=topic)
    return found + surge(SURGE_AT, 40, source="weibo", topic="automobile")


def judge(engine: Engine, options: EvaluateOptions = OPTIONS, *, now: datetime = NOW) -> Run:
    """Runs until nothing is left, with all that is in SQL trusted."""
    while True:
        with engine.begin() as connection:
            newest = bucket_counts.newest_minutes(connection, not_after=now)
            run = evaluate(connection, newest, options, now=now)
        if not run.is_behind:
            return run


def found(engine: Engine) -> list[tuple[Any, ...]]:
    """What people can see of the incidents, without ids."""
    with engine.connect() as connection:
        rows = incidents.newest(connection)
    return sorted(
        (
            sorted(r.labels.items()), r.status, r.severity, r.starts_at, r.ends_at, r.detected_at, r.last_fired_at,
            r.observed, round(r.expected, 4), round(r.score, 4),
        )
        for r in rows
    )  # fmt: skip


def load(engine: Engine, minutes: Sequence[Minute]) -> None:
    with engine.begin() as connection:
        add(connection, minutes)


@pytest.fixture
def undisturbed(engine: Engine) -> list[tuple[Any, ...]]:
    """The incidents of the story when it is judged once, at the end; SQL is empty of them afterwards."""
    load(engine, story())
    judge(engine)
    expected = found(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE opinion_minute, detector_state, incident CASCADE")
    return expected


def test_a_surge_opens_one_incident_per_series_that_shows_it(engine: Engine) -> None:
    """Everything, the topic and the source alarm within half an hour; the other topic and source do not."""
    load(engine, story())
    judge(engine)
    rows = found(engine)
    labels = [dict(row[0]) for row in rows]
    series = {(one.get("topic"), one.get("source")) for one in labels}
    assert series == {(None, None), ("automobile", None), (None, "weibo")}
    for _, status, severity, starts_at, ends_at, detected_at, *_ in rows:
        assert SURGE_AT - timedelta(minutes=60) <= starts_at < detected_at <= SURGE_AT + timedelta(minutes=30)
        assert status == "resolved"
        assert severity in ("warning", "critical")
        assert ends_at <= SURGE_AT + timedelta(hours=5)


def test_the_schedule_of_runs_does_not_matter(engine: Engine, undisturbed: list[tuple[Any, ...]]) -> None:
    """Judged every few minutes as the stream comes in, the incidents are those of one run at the end."""
    random, at = Random(3), START
    minutes = sorted(story(), key=lambda m: m.at)
    while at < END:
        until = at + timedelta(minutes=random.choice([1, 7, 30, 200]))
        load(engine, [m for m in minutes if at <= m.at < until])
        judge(engine)
        at = until
    assert found(engine) == undisturbed


def test_late_documents_within_the_lateness_do_not_matter(engine: Engine, undisturbed: list[tuple[Any, ...]]) -> None:
    """Documents that come two minutes late and in any order lead to the same incidents."""
    random = Random(4)
    arrivals = sorted(story(), key=lambda m: m.at + random.random() * LATENESS)
    for start in range(0, len(arrivals), 97):
        load(engine, arrivals[start : start + 97])
        judge(engine)
    assert found(engine) == undisturbed


def test_a_late_part_corrects_its_buckets(engine: Engine, undisturbed: list[tuple[Any, ...]]) -> None:
    """Half of the surge comes half an hour late; in the end the figures are as if it had been in time."""
    minutes = sorted(story(), key=lambda m: m.at)
    bad = [m for m in minutes if m.negative == 4]
    late = bad[::2]
    stop = SURGE_AT + timedelta(minutes=65)
    load(engine, [m for m in minutes if m.at < stop and m not in late])
    judge(engine)
    load(engine, late)
    judge(engine)
    load(engine, [m for m in minutes if m.at >= stop])
    judge(engine)
    assert [row[0] for row in found(engine)] == [row[0] for row in undisturbed]
    assert [row[7:] for row in found(engine)] == [row[7:] for row in undisturbed]


def test_judging_twice_changes_nothing(engine: Engine) -> None:
    """A run without news writes no event, no evidence and no message."""
    load(engine, story())
    judge(engine)

    def rows() -> list[int]:
        with engine.connect() as connection:
            tables = (incident_event, evidence, notification)
            return [len(connection.execute(select(table)).all()) for table in tables]

    before = rows()
    assert not judge(engine).transitions
    assert rows() == before


def test_a_failed_run_leaves_nothing_behind(engine: Engine) -> None:
    """Cursors, incidents and outbox stand or fall together."""
    load(engine, story())
    with engine.connect() as connection:
        evaluate(connection, bucket_counts.newest_minutes(connection, not_after=NOW), OPTIONS, now=NOW)
        connection.rollback()
    with engine.connect() as connection:
        assert not connection.execute(select(detector_state)).all()
        assert not connection.execute(select(notification)).all()


def test_people_get_one_message_and_machines_every_change(engine: Engine) -> None:
    """Three incidents of one surge: one message for its beginning and one for its end, six events."""
    load(engine, story())
    judge(engine)
    with engine.connect() as connection:
        sent = connection.execute(select(notification)).all()
    by_channel = {c: [row.payload for row in sent if row.channel == c] for c in ("kafka", "webhook", "apprise")}
    assert sorted(body["status"] for body in by_channel["webhook"]) == ["firing", "resolved"]
    assert all(len(body["alerts"]) == 3 for body in by_channel["webhook"])
    assert len(by_channel["apprise"]) == 2
    assert sorted(event["status"] for event in by_channel["kafka"]) == ["firing"] * 3 + ["resolved"] * 3


def test_a_silence_mutes_people_and_not_the_topic(engine: Engine) -> None:
    """Who is not to be woken is not; the record of what happened stays whole."""
    load(engine, story())
    with engine.begin() as connection:
        silence(
            connection,
            ["alertname=NegativeSurge"],
            starts_at=NOW,
            ends_at=NOW + timedelta(hours=2),
            by="me",
            comment="",
        )
    judge(engine)
    with engine.connect() as connection:
        assert {row.channel for row in connection.execute(select(notification))} == {"kafka"}


def test_evidence_names_drivers_and_documents(engine: Engine) -> None:
    """What is frozen explains the excess: which source, which topic, and three different texts."""
    load(engine, story())
    texts = ["刹车失灵，没人管", "刹车失灵，没人管", "客服电话打不通", "又坏了，退车！", "挺好的"]
    store_rows(
        engine,
        [
            document_row(
                f"weibo:{nth}",
                nth,
                text=body,
                source="weibo",
                published_at=SURGE_AT + timedelta(minutes=2, seconds=nth),
                topic_label="automobile",
                sentiment="neutral" if body == "挺好的" else "negative",
                score_negative=0.99 - nth / 100,
            )
            for nth, body in enumerate(texts)
        ],
    )
    judge(engine)
    with engine.connect() as connection:
        [overall] = [row for row in incidents.newest(connection) if row.rule == "overall"]
        body = incidents.newest_evidence(connection, [overall.id])[overall.id]
    assert body["drivers"]["topic"][0]["name"] == "automobile"
    assert body["drivers"]["source"][0]["name"] == "weibo"
    assert [document["text"] for document in body["documents"]] == [texts[0], texts[2], texts[3]]
    assert body["observed"] > 2 * body["expected"]
    assert body["share"] > body["usual_share"]
    assert "automobile" not in overall.labels.values()


def test_a_story_that_many_carry_is_a_driver_and_not_an_example(engine: Engine) -> None:
    """Its voice spoke the day before: nothing that was judged is its, and it is told with how many copy it."""
    load(engine, story())
    bodies = [STORY] + [f"【转载{nth % 4}】{STORY}" for nth in range(50)] + [OTHER, "客服电话打不通"]
    store_rows(
        engine,
        [
            document_row(
                f"weibo:{nth}",
                nth,
                text=body,
                source="weibo",
                published_at=SURGE_AT + timedelta(minutes=2, seconds=nth) if nth else SURGE_AT - timedelta(days=1),
                topic_label="automobile",
                score_negative=0.99 - nth / 1000,
            )
            for nth, body in enumerate(bodies)
        ],
    )
    judge(engine)
    with engine.connect() as connection:
        [overall] = [row for row in incidents.newest(connection) if row.rule == "overall"]
        body = incidents.newest_evidence(connection, [overall.id])[overall.id]
    assert [(document["id"], document["carriers"]) for document in body["documents"]] == [
        ("weibo:51", 1),
        ("weibo:52", 1),
    ]
    [told] = body["drivers"]["cluster"]
    assert (told["id"], told["negative"], told["copies"], told["raw_negative"]) == ("weibo:0", 0, 50, 50)
    assert body["raw"]["negative"] == body["observed"] + 50


def test_files_of_different_years_are_judged_each_on_its_own_clock(engine: Engine) -> None:
    """A file of 2015 imported after one of 2026 still shows the surge of its own source."""
    load(engine, story())
    judge(engine)
    years = timedelta(days=11 * 365)
    old = [Minute(m.at - years, f"old-{m.source}", m.topic, m.negative, m.total) for m in story()]
    load(engine, old)
    judge(engine)
    sources = [dict(row[0]).get("source") for row in found(engine)]
    assert sources.count("old-weibo") == sources.count("weibo") == 1
    assert len(sources) == 4


def test_a_long_catch_up_is_cut_into_runs(engine: Engine) -> None:
    """Weeks of buckets are worked off run by run, each bounded, with the same result."""
    load(engine, usual_day(START - timedelta(days=20), 20 * 1440, source="weibo", topic="automobile"))
    load(engine, story())
    with engine.begin() as connection:
        newest = bucket_counts.newest_minutes(connection, not_after=NOW)
        assert evaluate(connection, newest, OPTIONS, now=NOW).is_behind
    judge(engine)
    assert len(found(engine)) == 3


def test_documents_from_the_future_do_not_move_the_watermark(engine: Engine) -> None:
    """One wrong date must not close buckets whose documents are still to come."""
    load(engine, [Minute(NOW + timedelta(hours=20), "weibo", "sports", 0, 1), Minute(START, "weibo", "sports", 0, 1)])
    with engine.connect() as connection:
        assert bucket_counts.newest_minutes(connection, not_after=NOW) == {"weibo": START}
