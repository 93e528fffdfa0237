"""A day of mixed input through `opinion up`, with faults: every valid document once, and every count as expected."""

import csv
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from kafka import KafkaConsumer
from sqlalchemy import Connection, text

from models.checkpoints import STARTER_FOLDER
from opinion.stack import StackState, running_stack
from storage.engine import connect
from streams import topics
from streams.offsets import OffsetReader
from tests.support.misbehaving_server import Answer, Site, item, page, redirect, rss, serving_site
from tests.support.mixed_day import MALFORMED, WATCHLISTS, Crawled, Day, as_record
from tests.support.servers import JARS
from tests.support.waiting import wait_for
from tests.support.workers import produce, settled

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not STARTER_FOLDER.is_dir(), reason="the starter checkpoint is not in models/starter"),
]

START_SECONDS = 150
SETTLE_SECONDS = 120
PUSH = "/api/v1/documents"
AUTHOR = "王小明"
FILLERS = 600  # so many that the worker is killed in the middle of them
BROKEN_TITLE = "油价 & 黄金齐涨"
BROKEN = f"<item><title>{BROKEN_TITLE}</title><guid>{{}}</guid><description><p></description></item>"


class Installation:
    """A home with its settings, and commands typed there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "watch.yaml").write_text(WATCHLISTS, encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OPINION_")}
        self.environment = kept | {
            "OPINION_HOME": str(home),
            "OPINION_JARS": str(JARS),
            "OPINION_WATCHLISTS": str(home / "watch.yaml"),
            "OPINION_KAFKA__PARTITIONS": "4",
            "OPINION_WORKER__BATCH_RECORDS": "32",
            "OPINION_WEB__PORT": "0",
            "OPINION_FEEDS__ALLOWED_NETWORKS": '["127.0.0.1/32"]',
            "OPINION_FEEDS__HOST_INTERVAL_SECONDS": "0",
        }

    def opinion(self, *arguments: str) -> str:
        """What a command prints; one that fails fails the test."""
        done = subprocess.run(
            [sys.executable, "-m", "opinion.cli", *arguments],
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def asked(self, *arguments: str) -> dict[str, Any]:
        """The JSON object that a command prints."""
        answer: dict[str, Any] = json.loads(self.opinion(*arguments, "--json"))
        return answer

    @contextmanager
    def up(self) -> Iterator[tuple[psutil.Process, StackState]]:
        """`opinion up`, ended in any case."""
        with (self.home / "up.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "opinion.cli", "up"],
                cwd=self.home,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        try:
            state = wait_for(lambda: running_stack(self.home), START_SECONDS, "the stack's state file")
            yield psutil.Process(process.pid), state
        finally:
            process.terminate()
            process.wait(90)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving_site() as site:
        yield site


@pytest.fixture
def installation() -> Iterator[Installation]:
    """Open to the account of PostgreSQL, unlike pytest's own folders."""
    folder = Path(tempfile.mkdtemp(prefix="opinion-day-"))
    folder.chmod(0o755)
    yield Installation(folder)
    shutil.rmtree(folder)


def test_every_valid_document_once(installation: Installation, site: Site) -> None:
    """Feeds, push, files, a folder and raw records, with bad ones, repeats, revisions, copies and a killed worker."""
    day = Day(datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=20))
    first = day.wire("wire-00")  # the earliest, which comes last
    with installation.up() as (process, state):
        engine = connect(state.database_url)
        raw = OffsetReader(state.kafka_bootstrap, "opinion-pipeline", topics.RAW)
        try:
            moved = feeds_fail_or_move(installation, site, day)
            records = raw_records(day)
            produce(state.kafka_bootstrap, topics.RAW, records)
            wait_for(lambda: settled(engine) > 0, START_SECONDS, "the first batch")
            kill_worker(process)
            assert settled(engine) < len(records)
            push(installation, state, day)
            import_files(installation, day)
            feeds_work_again(installation, site, day, moved)
            follow_folder(installation, first, day)
            wait_for(
                lambda: not any(one.lag_records for one in raw.standings().values()),
                SETTLE_SECONDS,
                "everything read",
            )
            with engine.connect() as connection:
                documents_are_as_expected(connection, day)
                copies_are_as_expected(connection, day, first)
                mentions_are_as_expected(connection, day)
        finally:
            raw.close()
            engine.dispose()
        dead_letters_are_the_malformed_records(state)
        every_version_was_published(state, day)
        report = installation.asked("audit", "--full")
        assert (report["is_clean"], report["checked"]["is_complete"]) == (True, True)
        assert report["checked"]["rows"] == len(day.said)
        listed = installation.asked("sources", "list")["sources"]
        assert {one["source"]: one["total"] for one in listed} == Counter(day.sources.values())


def raw_records(day: Day) -> list[tuple[bytes | None, bytes]]:
    """Malformed ones, fillers, repeats, revisions, an older crawl that comes late, copies, reposts, comments."""
    fillers = [day.document("crawler", author=AUTHOR) for _ in range(FILLERS)]
    liked = day.document("crawler", metrics={"likes": 1})
    more = day.revised(liked, metrics={"likes": 50})
    late = liked | {"crawled_at": more["published_at"], "metrics": {"likes": 20}}
    changed = day.document("crawler", "Acme and 苹果 agree on a price")
    corrected = day.revised(changed, text="苹果 and nobody else has set a price")
    printed = day.wire("wire-01")
    withdrawn = day.revised(printed, text=day.text())
    day.carriers.remove(printed["id"])
    news = day.document("gazette", title="埃克美公司发布年报", kind="news")
    comments = [day.document("gazette", kind="comment", parent_id=news["id"]) for _ in range(5)]
    quoting = [day.document("weibo", f"支持一下，说得好//@李四:{day.text()}//@王五:转发微博") for _ in range(9)]
    passed_on = [day.wire("weibo", "转发微博//@新华社:{}") for _ in range(2)]
    outlets = [day.wire(f"wire-{number:02}") for number in range(2, 12)]
    good = [
        *fillers, liked, more, late, changed, corrected, printed, withdrawn, news, *comments, *quoting, *passed_on,
        *outlets, *fillers[::20], corrected,
    ]  # fmt: skip
    shared = day.document("press", id=f"press:{sha256(b'https://press.example.com/a').hexdigest()[:24]}")
    without_ids = [
        (None, as_record(shared | {"id": None, "url": f"https://Press.example.com/a?utm_source={way}"})[1])
        for way in ("app", "mail")
    ]
    bad = [(b"bad", value) for value in MALFORMED]
    return [*bad[::2], *map(as_record, good), *without_ids, *bad[1::2]]


def kill_worker(process: psutil.Process) -> None:
    """kill -9; `opinion up` starts another."""
    [worker] = [one for one in process.children(recursive=True) if one.cmdline()[-2:] == ["opinion.cli", "worker"]]
    worker.kill()


def feeds_fail_or_move(installation: Installation, site: Site, day: Day) -> list[Crawled]:
    """One feed answers 500; the other has moved, and an entry of it is broken. Returns the other's entries."""
    moved = [entry(day, "moved-feed", number) for number in range(8)]
    broken = entry(day, "moved-feed", 99) | {"text": BROKEN_TITLE, "published_at": None}
    day.note(broken)
    site.pages |= {"/failing": page("", "", 500), "/old": redirect("/moved", 301), "/moved": moved_feed(moved)}
    feeds = [
        f"  - {{url: '{site.address}/{path}', source: {source}, every: 1m}}"
        for path, source in (("failing", "failing-feed"), ("old", "moved-feed"))
    ]
    (installation.home / "feeds.yaml").write_text("\n".join(["feeds:", *feeds]), encoding="utf-8")
    assert installation.asked("feeds", "import", "feeds.yaml") == {"added": 2, "updated": 0}
    wait_for(lambda: {"/failing", "/moved"} <= set(site.paths()), 60, "the scheduler polls both")
    return moved


def feeds_work_again(installation: Installation, site: Site, day: Day, moved: list[Crawled]) -> None:
    """What failed is read; in the other feed an entry has another headline."""
    late = [entry(day, "failing-feed", number) for number in range(10)]
    late[0] |= {"text": day.edition()}
    day.note(late[0])
    day.carriers.add(late[0]["id"])
    site.pages["/failing"] = page(rss(*map(as_item, late)))
    site.pages["/moved"] = moved_feed([day.revised(moved[0], text=day.text()), *moved[1:]])
    polled = installation.asked("feeds", "run", "--all")
    assert (polled["failed"], polled["errors"]) == (0, {})


def entry(day: Day, source: str, number: int) -> Crawled:
    """A document as the feed's reader makes it of an `as_item`."""
    return day.document(source, id=f"{source}:https://example.com/{number}")


def as_item(made: Crawled) -> str:
    at = format_datetime(datetime.fromisoformat(made["published_at"]))
    return item(int(made["id"].rpartition("/")[2]), made["text"], pubDate=at)


def moved_feed(entries: list[Crawled]) -> Answer:
    broken = BROKEN.format("https://example.com/99")
    return page(rss(*map(as_item, entries[:5]), broken, *map(as_item, entries[5:])))


def push(installation: Installation, state: StackState, day: Day) -> None:
    """Good and bad documents in one body, packed; the same again; and somebody without a token."""
    token = installation.asked("tokens", "create", "forum", "--scope", "documents:write")["token"]
    good = [*(day.document("forum") for _ in range(20)), *(day.wire(f"wire-{number:02}") for number in range(12, 15))]
    body = [*good[:4], {"id": "forum:none", "text": " "}, *good[4:], {"text": "x", "kind": "rumour"}, good[0]]
    packed = gzip.compress(json.dumps(body).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    with httpx.Client(base_url=state.console_url or "", trust_env=False, headers=headers, timeout=60) as client:
        wait_for(lambda: client.get("/readyz").is_success, START_SECONDS, "the console")
        assert client.post(PUSH, content=packed).status_code == 401
        for _ in range(2):
            answer = client.post(PUSH, content=packed, headers={"Authorization": f"Bearer {token}"})
            assert (answer.status_code, answer.json()["accepted"], answer.json()["refused"]) == (
                207,
                len(good) + 1,
                2,
            )


def import_files(installation: Installation, day: Day) -> None:
    """A foreign table in GB18030 and JSON Lines, both with bad rows."""
    rows = [day.document("blog", author=AUTHOR) for _ in range(12)] + [day.wire("wire-15")]
    with (installation.home / "table.csv").open("w", encoding="gb18030", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["编号", "来源", "内容", "时间", "作者", "赞"])
        for made in rows:
            at = f"{datetime.fromisoformat(made['published_at']):%Y/%m/%d %H:%M}"
            writer.writerow([made["id"], made["source"], made["text"], at, made.get("author"), 0])
        writer.writerow(["bad:1", "blog", "x", "yesterday", "", 0])
        writer.writerow(["bad:2", "blog", "x", at, "", "many"])
    columns = {
        "id": "编号",
        "source": "来源",
        "text": "内容",
        "published_at": "时间",
        "author": "作者",
        "likes": "赞",
    }
    options = [f"--map={name}={column}" for name, column in columns.items()]
    told = installation.asked("import", "table.csv", *options, "--time-format", "%Y/%m/%d %H:%M", "--timezone", "UTC")
    assert (told["documents"], told["rejected"]) == (13, 2)
    lines = [json.dumps(made) for made in [*(day.document("archive") for _ in range(10)), day.wire("wire-16")]]
    (installation.home / "lines.jsonl").write_text("\n".join([*lines[:3], '{"oops', *lines[3:], "[]", lines[0]]))
    told = installation.asked("import", "lines.jsonl")
    assert (told["documents"], told["rejected"]) == (12, 2)


def follow_folder(installation: Installation, first: Crawled, day: Day) -> None:
    """Two files in a folder, one with a bad line; the wire story's earliest edition among them."""
    folder = installation.home / "drop"
    folder.mkdir()
    documents = [*(day.document("folder") for _ in range(10)), *(day.wire(f"wire-{n}") for n in range(17, 20))]
    lines = [json.dumps(made) for made in [*documents, first]]
    (folder / "a.jsonl").write_text("\n".join([*lines[:7], "no json"]))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress("\n".join(lines[7:]).encode()))
    installation.opinion("follow", str(folder), "--settle", "0.2", "--once")
    assert {path.name for path in (folder / "done").glob("*.gz")} == {"b.jsonl.gz"}


def documents_are_as_expected(connection: Connection, day: Day) -> None:
    """Every id once, its newest version, under no author's name; every record accounted for."""
    columns = "id, source, author, likes, revision, quoted_text"
    rows = connection.execute(text(f"SELECT {columns} FROM document")).all()  # noqa: S608  # our own names
    assert Counter(row.id for row in rows) == dict.fromkeys(day.said, 1)
    assert {row.id: row.source for row in rows} == day.sources
    assert {row.id: row.likes for row in rows} == day.likes
    assert Counter({row.id: row.revision for row in rows if row.revision}) == day.revisions
    assert {row.id for row in rows if row.quoted_text} == {key for key, said in day.said.items() if "//@" in said}
    assert AUTHOR not in {row.author for row in rows}
    history = connection.scalars(text("SELECT id FROM document_revision")).all()
    assert Counter(history) == day.revisions
    fates = connection.execute(text("SELECT sum(stored) AS stored, sum(revisions) AS revisions FROM offset_ledger"))
    assert tuple(fates.one()) == (len(day.said), day.revisions.total())


def copies_are_as_expected(connection: Connection, day: Day, first: Crawled) -> None:
    """One story, all its carriers, one independent voice; in the view, for each document, and in the counts."""
    clusters = connection.execute(text("SELECT copy_cluster, carriers, sources FROM bi.copy_cluster")).all()
    sources = {day.sources[key] for key in day.carriers}
    assert [tuple(one) for one in clusters] == [(first["id"], len(day.carriers), len(sources))]
    members = connection.execute(text("SELECT document_id, is_independent FROM bi.copy WHERE carriers > 1")).all()
    assert {one.document_id for one in members} == day.carriers
    assert [one.document_id for one in members if one.is_independent] == [first["id"]]
    counts = connection.execute(text("SELECT sum(total), sum(independent) FROM bi.sentiment_minute")).one()
    assert tuple(counts) == (len(day.said), len(day.said) - len(day.carriers) + 1)


def mentions_are_as_expected(connection: Connection, day: Day) -> None:
    """Document for document as a plain search finds them, and so in the counts; a comment knows its article."""
    rows = connection.execute(text("SELECT watchlist, document_id, mentions, parent_id FROM bi.mention")).all()
    expected = day.mentions()
    assert {(row.watchlist, row.document_id): row.mentions for row in rows} == expected
    counted = connection.execute(text("SELECT watchlist, sum(total) FROM bi.watchlist_minute GROUP BY watchlist"))
    assert {row[0]: row[1] for row in counted} == Counter(name for name, _ in expected)
    articles = {day.sources[row.parent_id] for row in rows if row.parent_id}
    assert articles == {"gazette"}


def dead_letters_are_the_malformed_records(state: StackState) -> None:
    """Each of them, with its bytes untouched, and nothing else; known by where it stood, as a killed worker may have
    sent it twice."""
    places = {}
    for record in read(state, topics.RAW_DLQ):
        headers = dict(record.headers)
        place = headers["__connect.errors.partition"], headers["__connect.errors.offset"]
        places[place] = record.value or b""
    assert Counter(places.values()) == Counter(MALFORMED)


def every_version_was_published(state: StackState, day: Day) -> None:
    """Known by its event id, as a killed worker may have sent it twice."""
    versions = {dict(record.headers)["ce_id"] for record in read(state, topics.CLASSIFIED)}
    assert len(versions) == len(day.said) + day.revisions.total()


def read(state: StackState, topic: str) -> list[Any]:
    """All records of a topic."""
    consumer = KafkaConsumer(
        topic, bootstrap_servers=state.kafka_bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=2000
    )
    records = list(consumer)
    consumer.close()
    return records
