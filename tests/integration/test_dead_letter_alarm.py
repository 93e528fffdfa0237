"""Too many dead letters become an incident that receivers hear of, the console shows, and that ends by itself."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaProducer
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from alerts.telling import Receiver
from alerts.watches.dead_letters import DeadLetterOptions, DeadLetterWatch
from core.clock import MovableClock
from opinion.cli import app
from opinion.dead_letter_alarm import DeadLetterJob, Examination
from storage.engine import connect
from storage.incidents import newest, newest_evidence
from storage.offset_ledger import LedgerLine, write_lines
from storage.tables import notification
from streams.dead_letters import DeadLetter
from streams.offsets import OffsetReader
from streams.verbatim import send_verbatim
from tests.support.consoles import serving
from tests.support.records import raw
from web.app import create_app

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OPTIONS = DeadLetterOptions(window=10 * MINUTE, share=0.05, min_records=20)
RECEIVERS = (Receiver("kafka", "alerts"), Receiver("apprise", "chat"), Receiver("webhook", "hook"))
JobMaker = Callable[[], DeadLetterJob]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


class Stream:
    """The raw topic of one test, as a worker's transactions tell of it; a minute is a line."""

    def __init__(self, engine: Engine, topic: str) -> None:
        self.engine, self.topic = engine, topic
        self.clock = MovableClock(NOON)
        self._offset = 0

    def minutes(self, *fates: tuple[int, int]) -> None:
        """So many records and dead letters in each of the next minutes."""
        for records, dead in fates:
            self.clock.advance(MINUTE)
            self.settle(records, dead, self.clock.now() - timedelta(seconds=30))

    def settle(self, records: int, dead: int, recorded_at: datetime) -> None:
        first, self._offset = self._offset, self._offset + records
        line = LedgerLine(self.topic, 0, first, self._offset - 1, records - dead, 0, 0, dead, recorded_at)
        with self.engine.begin() as connection:
            write_lines(connection, [line])

    def incidents(self) -> list[Any]:
        with self.engine.connect() as connection:
            return newest(connection)

    def told(self, channel: str) -> list[Any]:
        with self.engine.connect() as connection:
            rows = select(notification.c.payload).where(notification.c.channel == channel)
            return list(connection.execute(rows.order_by(notification.c.created_at)).scalars())


@pytest.fixture
def stream(engine: Engine, new_topic: Callable[..., str]) -> Stream:
    return Stream(engine, new_topic("raw"))


@pytest.fixture
def new_job(
    stream: Stream, kafka_bootstrap: str, new_topic: Callable[..., str], topic_prefix: str
) -> Iterator[JobMaker]:
    """Jobs of several schedulers; the dead-letter topic holds two reasons, one of them hostile."""
    letters = new_topic("dlq")
    asyncio.run(_fill(kafka_bootstrap, letters, ["bad_json", "bad_json", "<b>\x1b[31m"]))
    readers = []

    def make() -> DeadLetterJob:
        readers.append(OffsetReader(kafka_bootstrap, f"{topic_prefix}-group", stream.topic))
        watch = DeadLetterWatch(
            stream.topic, OPTIONS, RECEIVERS, "http://console", Examination(kafka_bootstrap, letters)
        )
        return DeadLetterJob(stream.engine, readers[-1], watch, stream.clock)

    yield make
    for reader in readers:
        reader.close()


async def _fill(bootstrap: str, topic: str, reasons: Sequence[str]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for reason in reasons:
            letter = DeadLetter(raw(b"{"), "decode", reason, "<script>")
            await (await send_verbatim(producer, topic, None, b"{", letter.headers()))


def run(job: DeadLetterJob) -> None:
    job(lambda: False)


def test_too_many_dead_letters_are_told_once_and_end_when_calm(stream: Stream, new_job: JobMaker) -> None:
    """Two in a hundred are usual; half of everything opens one incident, told to all; a calm window ends it."""
    job = new_job()
    stream.minutes(*[(100, 2)] * 30)
    run(job)
    assert stream.incidents() == []
    stream.minutes(*[(100, 50)] * 3)
    run(job)
    run(job)
    run(new_job())
    [incident] = stream.incidents()
    assert incident.labels == {
        "alertname": "DeadLetterRate", "rule": "dead-letters", "kafka_topic": stream.topic,
    }  # fmt: skip
    assert (incident.status, incident.severity) == ("firing", "warning")
    assert (incident.observed, incident.expected) == (116, pytest.approx(20))
    with stream.engine.connect() as connection:
        body = newest_evidence(connection, [incident.id])[incident.id]
    assert body["usual_share"] == 0.02
    assert body["reasons"] == [{"name": "bad_json", "count": 2}, {"name": "<b> [31m", "count": 1}]
    assert [len(stream.told(one.channel)) for one in RECEIVERS] == [1, 1, 1]
    [text] = stream.told("apprise")
    assert "死信过多" in text["title"]
    assert "bad＿json 2 · ‹b› ［31m 1" in text["body"]
    stream.minutes(*[(100, 2)] * 40)
    run(new_job())
    [over] = stream.incidents()
    assert (over.status, over.id) == ("resolved", incident.id)
    assert over.ends_at < stream.clock.now() - 10 * MINUTE
    assert stream.told("kafka")[-1]["status"] == "resolved"
    assert "死信恢复正常" in stream.told("apprise")[-1]["title"]


def test_a_backlog_is_judged_by_its_own_time_and_once(
    stream: Stream, new_job: JobMaker, kafka_bootstrap: str
) -> None:
    """While records wait in Kafka nothing later is judged; one run over the backlog gives what many runs give."""
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    for _ in range(4001):
        producer.send(stream.topic, b"{}")
    producer.close()
    start = stream.clock.now()
    for minute in range(40):
        stream.settle(100, 60 if 10 <= minute < 15 else 0, start + minute * MINUTE + timedelta(seconds=30))
    stream.clock.advance(timedelta(hours=6))
    run(new_job())
    [incident] = stream.incidents()
    assert (incident.status, incident.severity) == ("resolved", "critical")
    assert start + 10 * MINUTE <= incident.starts_at < incident.detected_at <= start + 12 * MINUTE
    before = stream.incidents()
    stream.settle(1, 0, start + timedelta(hours=6))
    stream.settle(500, 500, start + 12 * MINUTE)  # put back in vain, under their first timestamps
    run(new_job())
    run(new_job())
    assert stream.incidents() == before


def test_missing_dead_letter_topic_does_not_keep_the_alert_back(
    stream: Stream, new_job: JobMaker, kafka_bootstrap: str
) -> None:
    """The reasons are a courtesy; the alert is not."""
    stream.minutes(*[(100, 50)] * 3)
    job = new_job()
    job._watch = DeadLetterWatch(
        stream.topic, OPTIONS, RECEIVERS, "http://console", Examination(kafka_bootstrap, "nowhere")
    )
    run(job)
    [incident] = stream.incidents()
    assert incident.severity == "critical"
    assert len(stream.told("webhook")) == 1


def test_console_and_command_show_it(
    stream: Stream, new_job: JobMaker, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages show reasons instead of documents, in both languages and escaped; the list names the alert."""
    stream.minutes(*[(100, 50)] * 3)
    run(new_job())
    [incident] = stream.incidents()
    web = create_app(stream.engine, clock=stream.clock)
    with serving(web) as address, httpx.Client(base_url=address, headers={"accept": "text/html"}) as client:
        for language, words in (("en", "Dead letters"), ("zh", "死信")):
            for path in ("/", "/incidents", f"/incidents/{incident.id}"):
                page = client.get(path, headers={"accept-language": language})
                assert page.status_code == 200
                assert words in page.text or path == "/", (language, path)
        page = client.get(f"/incidents/{incident.id}").text
        assert "opinion dlq show 0:2" in page
        assert "<script>" not in page.split("<main")[1]
        assert client.get("/api/v1/incidents").status_code == 200
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    listed = CliRunner().invoke(app, ["alerts", "list"], env={"COLUMNS": "200"}).stdout
    assert "DeadLetterRate" in listed
