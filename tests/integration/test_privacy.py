"""Erasing, opting out, pseudonyms and retention, on real servers and by the commands of the how-to page."""

import gzip
import json
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text
from typer.testing import CliRunner

from core.clock import MovableClock
from opinion.cli import app
from opinion.retention import drop_expired
from storage import audit, erasure, opt_outs
from storage.documents import DocumentRow, Settled, store
from storage.engine import connect
from storage.human_labels import NewLabel
from storage.human_labels import add as add_labels
from storage.partitions import Partitions
from storage.tables import model_version, notification, training_run
from streams.intake import content_hash
from tests.support.records import START, row, says
from tests.support.rows import add_incident
from tests.support.stages import Stage
from tests.support.waiting import wait_for

KEY = "0123456789abcdef-key-of-the-tests"
SECRET = "this is what nobody may read any more"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "protect-people.md"
run = CliRunner()


@pytest.fixture
def engine(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path))
    monkeypatch.setenv("OPINION_PRIVACY__AUTHOR_KEY", KEY)
    engine = connect(database_url)
    yield engine
    engine.dispose()


def privacy(*arguments: str) -> dict[str, Any]:
    result = run.invoke(app, ["privacy", *arguments, "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    return dict(json.loads(result.stdout))


def put(engine: Engine, *rows: DocumentRow) -> list[Settled]:
    Partitions(engine).ensure(r.published_at for r in rows)
    with engine.begin() as connection:
        return store(connection, rows)


def whole_database(engine: Engine) -> str:
    """Every row of every table, as text."""
    with engine.connect() as connection:
        tables = connection.scalars(
            text("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace")
        )
        return "\n".join(
            str(found)
            for table in tables
            for found in connection.execute(text(f"SELECT t::text FROM {table} t"))  # noqa: S608  # the catalogue's names
        )


def is_clean(engine: Engine) -> bool:
    with engine.connect() as connection:
        report = audit.audit(connection, "raw", {})
    assert not report.row_faults
    assert not report.differences
    return report.is_clean


def secret_everywhere(engine: Engine, home: Path) -> None:
    """A document whose words stand in every place that keeps words."""
    said = [says("acme")]
    put(engine, row("forum:4711", 0, text=SECRET, mentions=said), row("other", 1, text="somebody else's words"))
    put(engine, row("forum:4711", 2, text=f"{SECRET}, edited", mentions=said))
    example = {"id": "forum:4711", "text": SECRET, "source": "forum", "title": None}
    body = {"documents": [example, {"id": "other", "text": "other words", "source": "forum"}]}
    with engine.begin() as connection:
        number = add_incident(connection, evidence=body)
        payload = {"body": f"12 negative\n“{SECRET}” — forum\nhttp://c", "evidence": body}
        connection.execute(
            insert(notification).values(
                delivery_id="d1", incident_id=number, channel="apprise", receiver="r", payload=payload
            )
        )
        label = NewLabel(b"k", "forum:4711", SECRET, "en", "forum", "sentiment", "negative", "li", START)
        add_labels(connection, [label, label._replace(label_key=b"l", document_id=None)])
        for name, parent in (("m2", None), ("m3", "m2"), ("m9", None)):
            connection.execute(insert(model_version).values(version=name, path="p", parent=parent, origin="retrain"))
        connection.execute(insert(training_run).values(champion="m1", candidate="m2", last_label_id=2))
    (home / "export.jsonl").write_text(
        "".join(json.dumps({"text": words}) + "\n" for words in (SECRET, "kept\u2028line", "kept")), encoding="utf-8"
    )
    with gzip.open(home / "rows.csv.gz", "wt", encoding="utf-8") as file:
        file.write(f'id,text\nforum:4711,"cut\nwords"\nother,kept\nx,"{SECRET}"\n')
    (home / "retrain" / "7").mkdir(parents=True)
    (home / "retrain" / "7" / "rows.json").write_text(json.dumps({"train": [{"text": SECRET}]}), encoding="utf-8")
    (home / "notes.txt").write_text(SECRET, encoding="utf-8")


def test_erasing_reaches_every_place_and_names_the_rest(engine: Engine, tmp_path: Path) -> None:
    """No table and no export holds the words; counts move; models, Kafka and files that need a person are named."""
    secret_everywhere(engine, tmp_path)
    dry = privacy("erase", "forum:4711", "--dry-run")
    assert SECRET in whole_database(engine)
    assert (tmp_path / "retrain" / "7").exists()
    done = privacy("erase", "forum:4711", "--yes")
    assert {**done, "is_dry": True} == dry
    counts = ("documents", "revisions", "mentions", "labels", "evidence", "notifications")
    assert [done[name] for name in counts] == [1, 1, 1, 2, 1, 1]
    assert SECRET not in whole_database(engine)
    assert "forum:4711" not in whole_database(engine)
    assert is_clean(engine)
    assert done["models"] == {"trained": ["m2", "m3"], "perhaps": []}
    assert (tmp_path / "export.jsonl").read_text(encoding="utf-8").count("kept") == 2
    with gzip.open(tmp_path / "rows.csv.gz", "rt", encoding="utf-8") as file:
        assert file.read().split() == ["id,text", "other,kept"]
    assert not (tmp_path / "retrain" / "7").exists()
    assert done["files"]["left"] == [str(tmp_path / "notes.txt")]
    assert "opinion.document.raw.v1 for 14 days" in done["kafka"]
    assert "opinion.alert.v1 for ever" in done["kafka"]
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT payload ->> 'body' FROM notification")) == "12 negative\nhttp://c"
        assert connection.scalar(text("SELECT body -> 'documents' -> 0 ->> 'id' FROM evidence")) == "other"


def test_erasing_again_finds_nothing(engine: Engine, tmp_path: Path) -> None:
    """The second run changes nothing and says so."""
    secret_everywhere(engine, tmp_path)
    privacy("erase", "forum:4711", "--yes")
    before = whole_database(engine)
    again = privacy("erase", "forum:4711", "--yes")
    assert [again[name] for name in ("documents", "revisions", "mentions", "labels")] == [0, 0, 0, 0]
    assert whole_database(engine) == before


def test_what_was_erased_does_not_come_back(engine: Engine) -> None:
    """The record read again, or crawled anew, has no effect and leaves neither key nor count."""
    put(engine, row("a", 0, text=SECRET))
    privacy("erase", "a", "--yes")
    settled = put(engine, row("a", 0, text=SECRET), row("a", 9, text=SECRET), row("b", 10))
    assert [(one.fate, one.published is None) for one in settled] == [
        ("refused", True),
        ("refused", True),
        ("stored", False),
    ]
    assert SECRET not in whole_database(engine)
    assert is_clean(engine)


def test_a_worker_in_the_middle_of_a_batch_does_not_bring_it_back(engine: Engine) -> None:
    """Erasing waits for a batch that holds the document's key, and then erases what that batch has stored."""
    Partitions(engine).ensure([START])
    begun, erased = threading.Event(), threading.Event()

    def erase() -> None:
        begun.set()
        with engine.begin() as connection:
            erasure.erase(connection, ["a"])
        erased.set()

    eraser = threading.Thread(target=erase)
    with engine.begin() as connection:
        store(connection, [row("a", 0, text=SECRET)])
        eraser.start()
        begun.wait(10)
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        with engine.connect() as other:
            wait_for(lambda: other.execute(waiting).scalar() == 1, 10, "the eraser waits")
        assert not erased.is_set()
    eraser.join(10)
    assert erased.is_set()
    assert SECRET not in whole_database(engine)
    assert is_clean(engine)


def test_an_author_is_erased_by_name_under_every_key(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows under the present key, a former one, and by name from before; other authors' rows stay."""
    from core.pseudonyms import Pseudonyms

    former = "the-key-that-was-used-before"
    monkeypatch.setenv("OPINION_PRIVACY__FORMER_AUTHOR_KEYS", json.dumps([former]))
    put(
        engine,
        row("a", 0, author=Pseudonyms(KEY).of("张三")),
        row("b", 1, author=Pseudonyms(former).of("@张三")),
        row("c", 2, author="张三"),
        row("d", 3, author=Pseudonyms(KEY).of("李四")),
    )
    assert privacy("erase", "张三", "--opt-out", "--yes")["documents"] == 3
    with engine.connect() as connection:
        assert list(connection.scalars(text("SELECT id FROM document"))) == ["d"]
    for key in (KEY, former):
        assert [one.fate for one in put(engine, row("e", 9, author=Pseudonyms(key).of("张三")))] == ["refused"]
    assert is_clean(engine)


def test_an_objection_outlives_its_key(engine: Engine) -> None:
    """Who opted out under a former key is still known by that pseudonym after the key has changed."""
    from core.pseudonyms import Pseudonyms

    listed = Pseudonyms(KEY).of("张三")
    after = Pseudonyms("a-new-key-of-the-tests", [KEY], [listed])
    assert after.of("@张三") == listed
    assert after.of("李四") != Pseudonyms(KEY).of("李四")


def test_the_commands_of_the_page(engine: Engine) -> None:
    """Each privacy command of the how-to page can be typed as it stands, in its order."""
    put(engine, row("forum:4711", 0), row("x", 1, author="张三"))
    typed = re.findall(r"^    opinion (privacy .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(typed) == 9
    for line in typed:
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)]
        result = run.invoke(app, words)
        assert result.exit_code == 0, (line, result.output, result.exception)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM document")) == 0
        assert {entry.kind for entry in opt_outs.listed(connection)} == {"author", "document"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["erase", "x"], 2),
        (["erase", "x", "--yes", "--also", "/does/not/exist"], 4),
        (["opt-out", "remove", "source", "nobody"], 4),
        (["opt-out", "add", "author", " "], 2),
    ],
)
def test_mistakes_are_named(engine: Engine, arguments: list[str], code: int) -> None:
    """What cannot be undone asks first, and a mistake ends in a message and its exit code."""
    assert getattr(run.invoke(app, ["privacy", *arguments]).exception, "exit_code", None) == code


def test_names_of_older_versions_become_pseudonyms(engine: Engine) -> None:
    """Neither name nor a hash that names can be tried on is left, and the record is still known for a repeat."""
    from core.pseudonyms import Pseudonyms
    from core.records import Document

    author = Pseudonyms(KEY).of("张三")
    first = row("a", 0, author="张三", content_hash=b"made with the name")
    put(engine, first, row("a", 1, author="张三", text="two", content_hash=b"also"), row("b", 2, author=author))
    assert privacy("pseudonymise")["rows"] == 2
    assert privacy("pseudonymise")["rows"] == 0
    assert "张三" not in whole_database(engine)
    again = Document(id="a", source="forum", text="two", author=author, lang="en")
    crawled = row("a", 5, author=author, text="two", content_hash=content_hash(again))
    assert [one.fate for one in put(engine, crawled)] == ["repeat"]


def test_months_are_dropped_and_stay_gone(engine: Engine) -> None:
    """Expired months lose documents, keys, history and mentions, keep their counts, and take nothing any more."""
    old, new = START, START + timedelta(days=90)
    put(engine, row("a", 0, mentions=[says("w")]), row("b", 1, published_at=new), row("c", 2, published_at=old))
    put(engine, row("a", 3, text="edited", mentions=[says("w")]))
    clock = MovableClock(new + timedelta(days=5))
    assert drop_expired(engine, clock, timedelta(days=30), lambda: False) == 1
    assert drop_expired(engine, clock, timedelta(days=30), lambda: False) == 0
    assert is_clean(engine)
    with engine.connect() as connection:
        found = {
            table: connection.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608  # constants
            for table in ("document", "document_key", "document_revision", "mention")
        }
        assert found == {"document": 1, "document_key": 1, "document_revision": 0, "mention": 0}
        assert connection.scalar(text("SELECT sum(total) FROM opinion_minute")) == 3
        assert connection.scalar(text("SELECT to_regclass('document_y2024m05')")) is None
    settled = put(engine, row("a", 9, text="again"), row("b", 10, text="edited", published_at=old))
    assert [one.fate for one in settled] == ["refused", "revision"]
    assert is_clean(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT to_regclass('document_y2024m05')")) is None


def test_dropping_waits_for_nobody_long(engine: Engine) -> None:
    """A reader that holds the table keeps its month for now; nothing else waits for longer than the lock's limit, the
    audit stays clean, and the next run goes on."""
    put(engine, row("a", 0), row("b", 1, published_at=START + timedelta(days=90)))
    clock = MovableClock(START + timedelta(days=95))
    with engine.connect() as reader:
        reader.execute(text("SELECT count(*) FROM document"))
        assert drop_expired(engine, clock, timedelta(days=30), lambda: False) == 0
        assert is_clean(engine)
        reader.rollback()
    assert drop_expired(engine, clock, timedelta(days=30), lambda: False) == 1
    assert is_clean(engine)


@pytest.fixture
def stage(kafka_bootstrap: str, database_url: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(kafka_bootstrap, database_url, topic_prefix, tmp_path)
    yield stage
    stage.close()


def test_a_worker_stores_no_name_and_refuses_who_opted_out(stage: Stage, engine: Engine) -> None:
    """From Kafka to SQL and the classified topic there is a pseudonym; an opt-out counts at once; offsets add up."""
    privacy("opt-out", "add", "author", "李四")

    def record(key: str, author: str, **more: Any) -> tuple[bytes, bytes]:
        return key.encode(), json.dumps({"id": key, "text": f"words of {key}", "author": author, **more}).encode()

    stage.produce([record("a", "张三"), record("b", "@李四"), record("c", "张三", text="好的呀//@甲:<b>差</b>")])
    worker = stage.start_worker(OPINION_PRIVACY__AUTHOR_KEY=KEY)
    stage.wait_until_settled(3)
    privacy("opt-out", "add", "source", "gone")
    stage.produce([record("d", "王五", source="gone"), record("e", "王五")])
    stage.wait_until_settled(5)
    stage.wait_until_committed()
    assert set(stage.ids()) == {"a", "c", "e"}
    assert stage.repeats() == 2
    assert stage.audit().is_clean
    told = {one.key: json.loads(one.value) for one in stage.read("opinion.document.classified.v1")}
    assert set(told) == {b"a", b"c", b"e"}
    assert told[b"a"]["author"] == told[b"c"]["author"] != told[b"e"]["author"]
    assert (told[b"c"]["text"], told[b"c"]["quoted_text"]) == ("好的呀", "@甲:差")
    assert not {"张三", "李四", "王五"} & set(re.findall(r"张三|李四|王五", whole_database(engine)))
    assert worker.stop() == 0


def test_an_old_export_does_not_bring_a_label_back(engine: Engine, tmp_path: Path) -> None:
    """A label of an erased document is refused when a file that was exported before is imported."""
    put(engine, row("a", 0, text=SECRET))
    export = tmp_path / "elsewhere.csv"
    export.write_text(f"id,text,sentiment\na,{SECRET},negative\nb,other words,negative\n", encoding="utf-8")
    privacy("erase", "a", "--yes")
    export.write_text(f"id,text,sentiment\na,{SECRET},negative\nb,other words,negative\n", encoding="utf-8")
    rejects = tmp_path / "rejects"
    result = run.invoke(app, ["labels", "import", str(export), "--rejects", str(rejects), "--json"])
    assert json.loads(result.stdout)["new"] == 1
    assert json.loads(rejects.read_text(encoding="utf-8"))["reason"] == "erased_document"
    assert SECRET not in whole_database(engine)


def test_a_document_stored_under_the_id_of_the_old_rule_keeps_it(engine: Engine) -> None:
    """A page that was stored with its tracking parameters is revised when it comes again, not stored twice."""
    from core.records import Opinion
    from streams.intake import decode, derive_id
    from streams.store import StoreStep
    from tests.support.records import LIMITS, raw

    tracked = "https://example.org/a?utm_source=mail"
    former = derive_id("s", tracked, "")
    put(engine, row(former, 0, source="s", url=tracked))
    scores = {"negative": 1.0, "neutral": 0.0, "positive": 0.0}
    opinion = Opinion(
        topic_label="finance",
        topic_scores={"finance": 1.0},
        sentiment="negative",
        sentiment_scores=scores,
        model_version="m1",
    )
    records = [
        raw({"text": "edited", "source": "s", "url": url}, offset)
        for offset, url in ((5, tracked), (6, "https://example.org/b?utm_source=mail"))
    ]
    settled = StoreStep(engine).run(records, [(one, decode(one, LIMITS), opinion) for one in records])
    assert [one.fate for one in settled] == ["revision", "stored"]
    with engine.connect() as connection:
        ids = set(connection.scalars(text("SELECT id FROM document")))
    assert ids == {former, derive_id("s", "https://example.org/b", "")}
