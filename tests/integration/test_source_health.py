"""Sources that fall silent are told of; nothing of it reaches the detector as fewer negatives."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from kafka import KafkaProducer
from sqlalchemy import Engine, select, text
from typer.testing import CliRunner

from alerts.detection.detectors import DetectorOptions
from alerts.detection.judging import ClockOptions
from alerts.detection.rules import Rule
from alerts.evaluate import EvaluateOptions, evaluate
from alerts.telling import Receiver
from alerts.watches.source_health import HealthOptions
from alerts.watches.source_watch import Look, SourceWatch
from core.clock import MovableClock
from opinion.cli import app
from opinion.source_alarm import SourceJob
from storage import bucket_counts, incidents, sources
from storage.engine import connect
from storage.offset_ledger import LedgerLine, write_lines
from storage.sources import Silence
from storage.tables import detector_state, notification
from streams.offsets import OffsetReader
from tests.support.consoles import serving
from tests.support.minutes import MINUTE, Minute, add
from web.app import create_app

START = datetime(2026, 3, 2, tzinfo=UTC)
NOW = START + timedelta(days=15)
HOUR = timedelta(hours=1)
OPTIONS = HealthOptions(ZoneInfo("UTC"))
RECEIVERS = (Receiver("kafka", "alerts"), Receiver("apprise", "chat"))
HISTORY = text("""
    INSERT INTO opinion_minute
        (bucket_at, source, kind, lang, topic_label, model_version, total, negative, neutral, positive)
    SELECT at, name, 'post', 'zh', 'sports', 'starter', 1, n, 1 - n, 0
    FROM unnest(CAST(:names AS text[])) AS name, generate_series(:start, :end, interval '2 minutes') AS at,
         LATERAL (SELECT (extract(epoch FROM at)::bigint / 60 % 5 = 0)::int AS n) AS negative
    WHERE at < :end
""")
NAMES = ("forum", "news", "paper", "video", "weibo")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


class Stream:
    """Five sources with a document each two minutes for fifteen days, and a scheduler that looks every minute."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now = NOW
        self.watch = SourceWatch(OPTIONS, RECEIVERS, "http://console")
        with engine.begin() as connection:
            connection.execute(HISTORY, {"start": START, "end": NOW, "names": list(NAMES)})

    def live(self, minutes: int, *names: str, lag: timedelta = timedelta(0)) -> None:
        """So many minutes go by; only these sources bring documents. `lag`: how far our own pipeline is behind."""
        for _ in range(minutes):
            self._bring(1, names)
            self._look(self.now - lag, self.now - MINUTE)

    def leap(self, minutes: int, *names: str) -> None:
        """The same with a single look at the end."""
        self._bring(minutes, names)
        self._look(self.now, None)

    def _bring(self, minutes: int, names: tuple[str, ...]) -> None:
        times = [self.now + (n + 1) * MINUTE for n in range(minutes)]
        self.now = times[-1]
        if names:
            with self.engine.begin() as connection:
                add(connection, [Minute(at, one, "sports", at.minute % 5 // 4, 1) for at in times for one in names])

    def _look(self, settled: datetime, previous: datetime | None) -> None:
        with self.engine.begin() as connection:
            newest = bucket_counts.newest_minutes(connection, not_after=self.now)
            self.watch.run(connection, Look(newest, settled, previous, self.now))

    def known_well(self) -> "Stream":
        """As after a day of looking, without the 1440 looks."""
        self.live(2, *NAMES)
        with self.engine.begin() as connection:
            rows = sources.load(connection)
            for row in rows.values():
                row_ = {"live_since": NOW - timedelta(days=2), "gaps": [0.5] * 30}
                connection.execute(sources.source.update().where(sources.source.c.name == row.name).values(row_))
        self.live(1, *NAMES)
        return self

    def incidents(self) -> list[Any]:
        with self.engine.connect() as connection:
            return incidents.newest(connection)

    def states(self) -> dict[str, str]:
        with self.engine.connect() as connection:
            return {name: row.state for name, row in sources.load(connection).items() if name}

    def told(self) -> list[str]:
        with self.engine.connect() as connection:
            rows = select(notification.c.payload).where(notification.c.channel == "apprise")
            return [one["title"] for one in connection.execute(rows.order_by(notification.c.number)).scalars()]


@pytest.fixture
def stream(engine: Engine) -> Stream:
    return Stream(engine).known_well()


def others(*silent: str) -> tuple[str, ...]:
    return tuple(name for name in NAMES if name not in silent)


def test_one_silent_source_is_one_incident_from_late_to_back(stream: Stream) -> None:
    """Late is a warning, silent is critical, both told once; when it comes back that is told, and is the end."""
    assert set(stream.states().values()) == {"ok"}
    last = stream.now
    stream.live(25, *others("forum"))
    [late] = stream.incidents()
    assert late.labels == {"alertname": "SourceSilence", "rule": "source-health", "source": "forum"}
    assert (late.severity, late.starts_at) == ("warning", last + MINUTE)
    assert 9 < late.expected < 14
    stream.live(25, *others("forum"))
    [silent] = stream.incidents()
    assert (silent.id, silent.severity, silent.status) == (late.id, "critical", "firing")
    assert stream.states()["forum"] == "silent"
    stream.live(2, *NAMES)
    [over] = stream.incidents()
    assert (over.status, over.ends_at) == ("resolved", stream.now - MINUTE)
    assert [("沉默" in title, "来源恢复" in title) for title in stream.told()] == [
        (True, False), (True, False), (False, True),
    ]  # fmt: skip
    with stream.engine.connect() as connection:
        assert sources.silences(connection)["forum"] == [Silence(last + MINUTE, stream.now - MINUTE)]


def test_a_total_outage_is_one_notice(stream: Stream) -> None:
    """Nothing from anybody: one incident, not one for each; afterwards those that stay away get their own."""
    stream.live(60)
    [outage] = stream.incidents()
    assert (outage.labels["alertname"], outage.severity) == ("SourceOutage", "critical")
    assert len(stream.told()) == 1
    assert set(stream.states().values()) == {"silent"}
    stream.live(3, *others("paper"))
    assert [(row.labels.get("source"), row.status) for row in stream.incidents() if row.id != outage.id] == [
        ("paper", "firing")
    ]
    [ended] = [row for row in stream.incidents() if row.id == outage.id]
    assert ended.status == "resolved"


def test_our_own_backlog_makes_nobody_silent(stream: Stream) -> None:
    """While records wait in Kafka, time stands still for the sources; caught up, they are well."""
    for minutes in (30, 60, 120):
        stream.live(1, lag=minutes * MINUTE)
        stream.now += (minutes - 1) * MINUTE
    assert set(stream.states().values()) == {"ok"}
    stream.live(5, *NAMES)
    assert stream.incidents() == []


def test_a_muted_source_is_watched_and_not_told(
    stream: Stream, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`opinion sources mute` ends the incident and keeps the next one away; `--off` brings it back."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    runner = CliRunner()
    stream.live(30, *others("news"))
    assert [row.status for row in stream.incidents()] == ["firing"]
    muted = runner.invoke(app, ["sources", "mute", "news", "--for", "52w", "--json"])
    assert json.loads(muted.stdout)["source"] == "news"
    with stream.engine.begin() as connection:  # the test's clock is not the wall's
        sources.mute(connection, "news", stream.now + timedelta(days=1))
    stream.live(1, *others("news"))
    assert [row.status for row in stream.incidents()] == ["resolved"]
    stream.live(30, *others("news"))
    assert len(stream.incidents()) == 1
    assert stream.states()["news"] == "silent"
    assert runner.invoke(app, ["sources", "mute", "news", "--off"]).exit_code == 0
    stream.live(1, *others("news"))
    assert [row.status for row in stream.incidents()] == ["firing", "resolved"]
    listed = json.loads(runner.invoke(app, ["sources", "list", "--json"]).stdout)["sources"]
    assert [(one["source"], one["state"]) for one in listed][:2] == [("news", "silent"), ("forum", "ok")]
    table = runner.invoke(app, ["sources", "list"], env={"COLUMNS": "200"}).stdout
    assert "silent" in table
    assert runner.invoke(app, ["sources", "mute", "nobody"]).exception is not None


def test_the_api_the_view_and_the_console_show_it(stream: Stream) -> None:
    """JSON, `bi.source` and the pages in both languages tell of a silent source."""
    stream.live(30, *others("weibo"))
    [incident] = stream.incidents()
    with (
        serving(create_app(stream.engine, clock=MovableClock(stream.now))) as url,
        httpx.Client(base_url=url) as http,
    ):
        first = http.get("/api/v1/sources").json()[0]
        assert (first["source"], first["state"], first["is_muted"]) == ("weibo", "late", False)
        assert first["expected_per_hour"] == pytest.approx(30, rel=0.2)
        for language, words in (("en", "Silence"), ("zh", "来源沉默")):
            headers = {"accept": "text/html", "accept-language": language}
            for path in ("/", "/incidents", f"/incidents/{incident.id}"):
                page = http.get(path, headers=headers)
                assert page.status_code == 200
                assert words in page.text or path == "/"
    with stream.engine.connect() as connection:
        row = connection.exec_driver_sql("SELECT * FROM bi.source WHERE source = 'weibo'").one()
    assert (row.state, row.is_muted) == ("late", None)
    assert row.total > 10_000


def learned(engine: Engine, source: str) -> dict[str, Any]:
    with engine.connect() as connection:
        rows = connection.execute(select(detector_state).where(detector_state.c.series.contains(f"|{source}")))
        return {row.series: row.state["detector"] for row in rows}


def judge_all(engine: Engine, now: datetime) -> list[Any]:
    clock = ClockOptions(DetectorOptions(), correction=timedelta(minutes=5))
    options = EvaluateOptions([Rule("overall"), Rule("by-source", ("source",))], clock, (), "")
    while True:
        with engine.begin() as connection:
            newest = bucket_counts.newest_minutes(connection, not_after=now)
            if not evaluate(connection, newest, options, now=now).is_behind:
                return [row for row in incidents.newest(connection) if row.rule != "source-health"]


def test_a_silence_is_not_learned_as_normal(stream: Stream) -> None:
    """Ten hours of nothing leave what the detector knows of the source as it was; noted by nobody, they would not."""
    judge_all(stream.engine, stream.now)
    before = learned(stream.engine, "forum")
    with stream.engine.begin() as connection:
        saved = connection.execute(select(detector_state)).all()
    stream.live(30, *others("forum"))
    stream.leap(570, *others("forum"))
    stream.leap(15, *NAMES)
    assert judge_all(stream.engine, stream.now) == []
    after = learned(stream.engine, "forum")
    level = next(iter(before.values()))["counts"][0]["level"]
    assert next(iter(after.values()))["counts"][0]["level"] == pytest.approx(level, rel=0.02)
    with stream.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM source_silence")
        connection.exec_driver_sql("DELETE FROM detector_state")
        connection.execute(detector_state.insert(), [row._asdict() for row in saved])
    judge_all(stream.engine, stream.now)
    taught = learned(stream.engine, "forum")
    assert next(iter(taught.values()))["counts"][0]["level"] < 0.95 * level


def test_when_a_silent_source_comes_back_nothing_surges(stream: Stream) -> None:
    """The overall series sees fewer documents meanwhile and then more again: neither is a surge of negatives."""
    judge_all(stream.engine, stream.now)
    stream.live(30, *others("forum", "news"))
    stream.leap(330, *others("forum", "news"))
    assert judge_all(stream.engine, stream.now) == []
    stream.leap(120, *NAMES)
    assert judge_all(stream.engine, stream.now) == []


def test_the_job_asks_the_broker_how_far_we_are(
    engine: Engine, kafka_bootstrap: str, new_topic: Callable[..., str], topic_prefix: str
) -> None:
    """With records waiting in Kafka that nobody has settled, nothing is judged; once they are settled, it is."""
    stream = Stream(engine).known_well()
    topic = new_topic("raw")
    clock = MovableClock(stream.now + timedelta(hours=3))
    reader = OffsetReader(kafka_bootstrap, f"{topic_prefix}-group", topic)
    job = SourceJob(engine, reader, topic, stream.watch, clock, timedelta(minutes=5))
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    producer.send(topic, b"{}").get(20)
    producer.close()
    job(lambda: False)
    assert stream.incidents() == []
    with engine.begin() as connection:
        write_lines(connection, [LedgerLine(topic, 0, 0, 0, 1, 0, 0, 0, clock.now())])
    job(lambda: False)
    reader.close()
    assert [row.labels["alertname"] for row in stream.incidents()] == ["SourceOutage"]
