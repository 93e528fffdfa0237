"""A backfill leaves every stored document with the mentions that a scan of its text gives it, beside writers."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from core.errors import DependencyNotReadyError, NotFoundError
from core.records import Document, Opinion
from core.watchlists import Watchlist, Watchlists
from core.windows import MINUTE
from opinion.backfilling import Backfill, Plan
from opinion.cli import app
from opinion.commands import watch_backfill
from opinion.commands.watch_backfill import plan_of
from storage import stored_documents, watchlist_backfills, watchlists
from storage.audit import audit
from storage.documents import DocumentRow
from storage.engine import connect
from streams.classify import MOST_TARGETS, opinions_on
from tests.support.records import START, WordClassifier, row, says
from tests.support.rows import store_rows, waits_for_a_lock
from tests.support.waiting import wait_for

TOPIC = "opinion.document.raw.v1"
TEXTS = (
    "Acme is fine",
    "bad Acme sues Bolt over three patents on folding phones, a court in the capital said on Thursday",
    "苹果汁好喝",
    "苹果发布会上提供苹果汁,到场的多名记者表示味道不错,会后还有人排队等候",
    "nothing",
    "Bolt, bad Bolt",
)  # the long ones, with a number behind them, are copies of themselves


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def put(engine: Engine, *wanted: Watchlist) -> None:
    with engine.begin() as connection:
        watchlists.put(connection, wanted, by="li")


def classified(key: str, offset: int, said: str, watched: Watchlists, **changes: Any) -> DocumentRow:
    """A row as a worker with these watchlists makes it."""
    document = Document(text=said, title=changes.get("title"), source=changes.get("source", "forum"), lang="en")
    [opinion] = opinions_on(WordClassifier(), watched, [document])
    mentions = msgspec.to_builtins(opinion.mentions) or None
    made = {"mentions": mentions, "model_version": "words-1", "stored_at": datetime.now(UTC), **changes}
    return row(key, offset, text=said, **made)


def history(engine: Engine, count: int, watched: Watchlists) -> None:
    """Documents over two months; each tenth one revised."""
    rows = [
        classified(
            f"d{n}", n, f"{TEXTS[n % 6]} {n}", watched, published_at=START + timedelta(days=n % 2 * 40) + n * MINUTE
        )
        for n in range(count)
    ]
    rows += [classified(f"d{n}", count + n, f"{TEXTS[(n + 1) % 6]} edited", watched) for n in range(0, count, 10)]
    for first in range(0, len(rows), 100):
        store_rows(engine, rows[first : first + 100])


def now(engine: Engine, *names: str, since: datetime | None = None) -> Plan:
    """The plan, as if the watchlists had been changed long ago."""
    return replace(plan_of(engine, list(names), since), changed_at=START)


def run(engine: Engine, plan: Plan, **options: Any) -> dict[str, int]:
    return Backfill(engine, plan, load=options.pop("load", WordClassifier), **options).run()


def scanned(engine: Engine, watched: Watchlists) -> dict[tuple[str, str], int]:
    """(document, watchlist) → how often it is mentioned, by looking into every stored document."""
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT id, title, text, source, lang FROM document")).all()
    return {
        (one.id, name): len(spans)
        for one in stored
        for name, spans in watched.find(
            f"{one.title}\n{one.text}" if one.title else one.text, source=one.source, lang=one.lang
        ).items()
    }


def mentioned(engine: Engine) -> dict[tuple[str, str], int]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT document_id, watchlist, mentions FROM mention")).all()
        in_documents = connection.execute(
            text("""
                SELECT d.id, m ->> 'watchlist', CAST(m ->> 'mentions' AS int)
                FROM document AS d, jsonb_array_elements(d.mentions) AS m
            """)
        ).all()
    assert sorted(map(tuple, rows)) == sorted(map(tuple, in_documents))
    return {(one.document_id, one.watchlist): one.mentions for one in rows}


def is_clean(engine: Engine) -> bool:
    """Counts, documents, history and mentions; offsets are made up here."""
    with engine.connect() as connection:
        report = audit(connection, TOPIC, {})
    return not (report.differences or report.row_faults)


ACME, BOLT = Watchlist("acme", ("Acme",)), Watchlist("bolt", ("Bolt",))
APPLE = Watchlist("apple", ("苹果",), exclude=("苹果汁",))


def test_equal_to_a_scan(engine: Engine) -> None:
    """New, changed and unchanged watchlists over history that knew only some of them."""
    before = Watchlists([ACME, Watchlist("apple", ("苹果", "nothing"))])
    history(engine, 300, before)
    put(engine, ACME, BOLT, APPLE)
    figures = run(engine, now(engine))
    after = Watchlists([ACME, BOLT, APPLE])
    assert mentioned(engine) == scanned(engine, after) != scanned(engine, before)
    assert is_clean(engine)
    assert figures["documents"] == 300
    assert figures["added"] == sum(name == "bolt" for _, name in mentioned(engine))
    assert figures["removed"] > 0
    assert run(engine, now(engine)) == {"documents": 300, "added": 0, "removed": 0}


def test_as_if_it_had_been_watched_from_the_beginning(engine: Engine, postgres_url: str) -> None:
    """A new watchlist gets the very rows and counts that workers would have made, those of copies among them."""
    everything = "SELECT * FROM mention ORDER BY 1, 2, 3", "SELECT * FROM bi.watchlist_minute ORDER BY 1, 2, 3"
    history(engine, 60, Watchlists([ACME, APPLE, BOLT]))
    with engine.connect() as connection:
        wanted = [connection.execute(text(query)).all() for query in everything]
    with engine.begin() as connection:
        connection.execute(text("UPDATE document SET mentions = NULL"))
        connection.execute(text("TRUNCATE mention, watchlist_minute"))
    put(engine, ACME, APPLE, BOLT)
    run(engine, now(engine))
    with engine.connect() as connection:
        assert [connection.execute(text(query)).all() for query in everything] == wanted


def test_what_becomes_a_copy_meanwhile_is_counted_as_one(engine: Engine) -> None:
    """A worker that makes a document a copy while its mentions are changed waits, and counts what they are then."""
    before = Watchlists([BOLT])
    store_rows(engine, [classified("late", 0, TEXTS[1], before)])
    put(engine, ACME, BOLT)
    earlier = classified("early", 1, TEXTS[1], Watchlists([ACME, BOLT]), published_at=START - MINUTE)
    with engine.begin() as connection:
        [stored] = stored_documents.page(connection, None, None, 10)
        change = watchlist_backfills.Change(stored, {"acme": says("acme"), "bolt": None})
        assert watchlist_backfills.apply(connection, [change]) == []
        worker = threading.Thread(target=store_rows, args=(engine, [earlier]))
        worker.start()
        wait_for(lambda: waits_for_a_lock(engine), 10, "the worker to wait for the backfill")
    worker.join()
    with engine.connect() as connection:
        query = "SELECT bucket_at, watchlist, independent FROM bi.watchlist_minute ORDER BY 1, 2"
        assert [tuple(one) for one in connection.execute(text(query))] == [
            (START - MINUTE, "acme", 1),
            (START - MINUTE, "bolt", 1),
            (START, "acme", 0),
        ]
    assert is_clean(engine)


def test_stored_verdicts_stay(engine: Engine) -> None:
    """Only documents without the mention are judged, with the model of today, and the rows say which that was."""
    store_rows(engine, [classified("old", 0, "Acme", Watchlists([ACME])), classified("new", 1, "Acme", Watchlists())])

    class Newer(WordClassifier):
        version = "words-2"

    asked: list[Sequence[str]] = []

    class Counting(Newer):
        def classify(self, texts: Sequence[str]) -> list[Opinion]:
            asked.append(texts)
            return super().classify(texts)

    put(engine, Watchlist("acme", ("Acme", "ACM")))
    run(engine, now(engine), load=Counting)
    assert len(asked) == 1
    with engine.connect() as connection:
        query = "SELECT document_id, model_version FROM bi.mention ORDER BY 1"
        assert connection.execute(text(query)).all() == [("new", "words-2"), ("old", "words-1")]
    assert is_clean(engine)


def test_only_what_was_asked_for(engine: Engine) -> None:
    """Names and a time: everything else stays as it is, and nothing is loaded where nothing is to be judged."""
    history(engine, 40, Watchlists())
    put(engine, ACME, BOLT)
    run(engine, now(engine, "bolt", since=START + timedelta(days=30)))
    with engine.connect() as connection:
        found = connection.execute(text("SELECT watchlist, min(published_at) FROM mention GROUP BY 1")).all()
    assert [one.watchlist for one in found] == ["bolt"]
    assert found[0].min > START + timedelta(days=30)
    put(engine, Watchlist("bolt", ("Bold",)))
    run(engine, now(engine, "bolt"), load=lambda: pytest.fail("no model is needed to forget"))
    assert mentioned(engine) == {}


def test_a_list_of_names_gets_the_documents_own_verdict(engine: Engine) -> None:
    """As in the stream, also where only one of its many watchlists is backfilled."""
    many = [Watchlist(f"w{n}", (f"name{n}",)) for n in range(MOST_TARGETS + 1)]
    said = "good " + ", ".join(f"name{n}" for n in range(MOST_TARGETS + 1)) + " and something bad"
    store_rows(engine, [classified("list", 0, said, Watchlists(many[1:]))])
    put(engine, *many)
    run(engine, now(engine, "w0"))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT sentiment FROM mention WHERE watchlist = 'w0'")) == "negative"


def test_broken_off_it_goes_on_where_it_was(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done is kept and not read again; the same command ends with the same result."""
    monkeypatch.setattr("opinion.backfilling.PAGE_DOCUMENTS", 20)
    history(engine, 100, Watchlists())
    put(engine, ACME)

    def stop_after(pages: int) -> Callable[[int], None]:
        told = itertools.count()

        def on_progress(documents: int) -> None:
            if next(told) == pages:
                raise KeyboardInterrupt

        return on_progress

    with pytest.raises(KeyboardInterrupt):
        run(engine, now(engine), on_progress=stop_after(2))
    assert 0 < len(mentioned(engine)) < len(scanned(engine, Watchlists([ACME])))
    told: list[int] = []
    figures = run(engine, now(engine), on_progress=told.append)
    assert told == [40, 20, 20, 20]
    assert (figures["documents"], figures["added"]) == (100, len(mentioned(engine)))
    assert mentioned(engine) == scanned(engine, Watchlists([ACME]))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM watchlist_backfill")) == 0


def test_two_at_once_are_refused(engine: Engine) -> None:
    """The second says so, and can run when the first has ended."""
    put(engine, ACME)
    with stored_documents.only_one(engine), pytest.raises(DependencyNotReadyError, match="another backfill"):
        run(engine, now(engine))
    assert run(engine, now(engine))["documents"] == 0


def test_safe_beside_writers(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers store and revise meanwhile, at first without knowing the watchlist: nothing is lost or double."""
    monkeypatch.setattr("opinion.backfilling.PAGE_DOCUMENTS", 16)
    history(engine, 120, Watchlists())
    put(engine, ACME, APPLE)
    plan, known = now(engine), Watchlists([ACME, APPLE])
    stop, knows = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def write(seed: int) -> None:
        try:
            for n in itertools.count():
                if stop.is_set() and n > 20:
                    return
                watched = known if knows.is_set() else Watchlists()
                keys = [f"d{(n * 7 + seed * 13 + k * 5) % 150}" for k in range(10)]
                rows = [
                    classified(key, 1000 + (n * 10 + k) * 2 + seed, f"{TEXTS[(n + k) % 6]} {seed} {n}", watched)
                    for k, key in enumerate(keys)
                ]
                store_rows(engine, rows)
        except BaseException as error:
            errors.append(error)

    def follow(seconds: float) -> None:
        """What the backfill waits for: from here on workers know."""
        knows.set()
        stop.set()
        for writer in writers:
            writer.join()

    writers = [threading.Thread(target=write, args=(seed,)) for seed in (0, 1)]
    for writer in writers:
        writer.start()
    try:
        run(engine, replace(plan, changed_at=datetime.now(UTC)), wait=follow)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert errors == []
    assert mentioned(engine) == scanned(engine, known)
    assert is_clean(engine)


def test_commands_from_adding_to_counts(
    engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Added, shown, exported, imported, backfilled and removed by command, as the how-to page has it."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setattr(watch_backfill, "load_classifier", lambda settings: WordClassifier())
    monkeypatch.setattr("opinion.backfilling.FOLLOWED_SECONDS", 0.0)
    history(engine, 24, Watchlists())

    def call(*arguments: str) -> Any:
        result = CliRunner().invoke(app, ["watch", *arguments, "--json"], catch_exceptions=False)
        return json.loads(result.stdout)

    assert call("add", "apple", "--any", "苹果", "--exclude", "苹果汁")["changed"] == ["apple"]
    assert call("show", "apple")["definition"] == {"any": ["苹果"], "exclude": ["苹果汁"]}
    assert [one["name"] for one in call("list")["watchlists"]] == ["apple"]
    out = tmp_path / "out.yaml"
    CliRunner().invoke(app, ["watch", "export", "--out", str(out)], catch_exceptions=False)
    assert call("import", str(out)) == {"watchlists": 1, "changed": []}
    done = call("backfill", "apple")
    assert (done["watchlists"], done["documents"], done["added"]) == (["apple"], 24, len(mentioned(engine)))
    assert mentioned(engine) == scanned(engine, Watchlists([APPLE]))
    assert call("recount") == {"mended": 0}
    with engine.begin() as connection:
        connection.execute(text("UPDATE watchlist_minute SET total = total + 1"))
    assert call("recount")["mended"] > 0
    assert is_clean(engine)
    assert call("remove", "apple") == {"removed": ["apple"]}
    with pytest.raises(NotFoundError, match="no watchlist 'apple'"):
        call("show", "apple")
