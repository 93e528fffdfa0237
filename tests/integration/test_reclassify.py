"""Another model's verdicts on stored documents: once, with their counts, beside writers, whatever kills the job."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from core.errors import DependencyNotReadyError, UsageError
from core.records import Document, Opinion
from core.watchlists import Watchlist, Watchlists
from core.windows import MINUTE
from opinion.cli import app
from opinion.reclassifying import MOST_FAILED, MOST_LAG, Pace, Reclassification
from storage import model_switches, model_versions, reclassifications, stored_documents
from storage.audit import audit
from storage.documents import DocumentRow
from storage.engine import connect
from storage.reclassifications import Judged, ReclassificationEnded, Wanted
from storage.stored_documents import Place
from streams.classify import opinions_on
from tests.support.checkpoints import tiny_checkpoint
from tests.support.copies import OTHER, STORY
from tests.support.records import START, WordClassifier, row
from tests.support.rescoring import NewClassifier
from tests.support.rows import store_rows, waits_for_a_lock
from tests.support.waiting import wait_for
from tests.support.workers import REPOSITORY

ACME, BOLT = Watchlist("acme", ("Acme",)), Watchlist("bolt", ("Bolt",))
WATCHED = Watchlists([ACME, BOLT])
TEXTS = ("Acme is fine", "bad Acme, nice Bolt", "nothing", "fine", f"bad {STORY}", f"fine {OTHER}", "Bolt, bad Bolt")
ALL = Wanted("words-2", START - timedelta(days=1))
TABLES = (
    "SELECT id, published_at, revision, topic_label, topic_scores, sentiment, score_negative, mentions, "
    "model_version FROM document ORDER BY id",
    "SELECT * FROM mention ORDER BY 1, 2, 3",
    "SELECT * FROM opinion_minute WHERE total <> 0 ORDER BY 1, 2, 3, 4, 5, 6",
    "SELECT * FROM watchlist_minute WHERE total <> 0 ORDER BY 1, 2, 3, 4, 5, 6, 7",
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def classified(key: str, offset: int, said: str, model: WordClassifier | None = None, **changes: Any) -> DocumentRow:
    """A row as a worker with this model makes it."""
    [opinion] = opinions_on(model or WordClassifier(), WATCHED, [Document(text=said, source="forum", lang="en")])
    made = {
        "topic_label": opinion.topic_label,
        "topic_scores": opinion.topic_scores,
        "sentiment": opinion.sentiment,
        **{f"score_{name}": score for name, score in opinion.sentiment_scores.items()},
        "mentions": msgspec.to_builtins(opinion.mentions) or None,
        "model_version": opinion.model_version,
        "stored_at": datetime.now(UTC),
    }
    return row(key, offset, text=said, **(made | changes))


def history(count: int, model: WordClassifier | None = None) -> list[DocumentRow]:
    """Documents over two months, copies among them; each tenth one revised."""
    rows = [
        classified(
            f"d{n:04}",
            n,
            f"{TEXTS[n % len(TEXTS)]} {n if n % len(TEXTS) < 4 else ''}",
            model,
            published_at=START + timedelta(days=n % 2 * 40) + n * MINUTE,
        )
        for n in range(count)
    ]
    return rows + [
        classified(f"d{n:04}", count + n, f"{TEXTS[(n + 1) % len(TEXTS)]} edited", model) for n in range(0, count, 10)
    ]


def put(engine: Engine, rows: Sequence[DocumentRow]) -> None:
    for first in range(0, len(rows), 100):
        store_rows(engine, rows[first : first + 100])


def run(engine: Engine, wanted: Wanted = ALL, **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"load": NewClassifier, "watched": WATCHED} | options
    return Reclassification(engine, wanted, **given).run().figures


def tables(engine: Engine) -> list[list[Any]]:
    with engine.connect() as connection:
        return [list(map(tuple, connection.execute(text(query)))) for query in TABLES]


def models(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        return dict(map(tuple, connection.execute(text("SELECT id, model_version FROM document"))))


def is_clean(engine: Engine) -> bool:
    """Counts, documents, history and mentions; offsets are made up here."""
    with engine.connect() as connection:
        report = audit(connection, "opinion.document.raw.v1", {})
    return not (report.differences or report.row_faults)


def test_as_if_the_model_had_judged_from_the_beginning(engine: Engine) -> None:
    """Rows, mentions and every count are those that workers with this model would have made, copies among them."""
    put(engine, history(140, NewClassifier()))
    wanted = tables(engine)
    with engine.begin() as connection:
        connection.execute(
            text("TRUNCATE document, document_key, document_revision, mention, opinion_minute, watchlist_minute, "
                 "copy_text, copy_band, copy_cluster, offset_ledger")
        )  # fmt: skip
    put(engine, history(140))
    before = tables(engine)
    figures = run(engine)
    assert tables(engine) == wanted != before
    assert is_clean(engine)
    assert (figures["documents"], figures["rescored"], figures["left"]) == (140, 140, 0)
    assert figures["topics"] == {"finance → sports": 140}
    assert figures["sentiments"]["positive → negative"] > 0
    assert run(engine)["rescored"] == 0


def test_only_what_was_asked_for(engine: Engine) -> None:
    """Span, source and watchlist bound it; everything else keeps its verdict."""
    put(
        engine,
        [
            classified("a", 0, "fine", published_at=START, source="news"),
            classified("b", 1, "fine Acme", published_at=START + MINUTE),
            classified("c", 2, "fine Acme", published_at=START + MINUTE, source="news"),
            classified("d", 3, "fine Acme", published_at=START + 2 * MINUTE, source="news"),
        ],
    )
    wanted = Wanted("words-2", START + MINUTE, START + 2 * MINUTE, ("news",), ("acme",))
    with engine.connect() as connection:
        assert reclassifications.outlook(connection, wanted) == {"words-1": 1}
    run(engine, wanted)
    assert models(engine) == {"a": "words-1", "b": "words-1", "c": "words-2", "d": "words-1"}
    assert is_clean(engine)


def test_a_mention_nobody_can_find_keeps_its_verdict(engine: Engine) -> None:
    """Its watchlist was changed or deleted since: it stays as it was judged, and says by whom."""
    put(engine, [classified("a", 0, "bad Acme, fine Bolt")])
    run(engine, watched=Watchlists([ACME]))
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT watchlist, model_version FROM mention ORDER BY 1")).all()
    assert [tuple(one) for one in rows] == [("acme", "words-2"), ("bolt", "words-1")]
    assert is_clean(engine)


def test_a_broken_job_goes_on_where_it_was(engine: Engine) -> None:
    """Whatever it was killed in, each document is counted once, and the second run reads only the rest."""
    put(engine, history(100))

    class Dying(NewClassifier):
        def classify(self, texts: Sequence[str]) -> list[Opinion]:
            if len(self.calls) == 3:
                raise KeyboardInterrupt
            return super().classify(texts)

    with pytest.raises(KeyboardInterrupt):
        run(engine, load=Dying, pace=Pace(rate=20, wait=lambda seconds: None))
    assert is_clean(engine)
    assert sorted(set(models(engine).values())) == ["words-1", "words-2"]
    asked = NewClassifier()
    figures = run(engine, load=lambda: asked)
    assert (figures["documents"], figures["rescored"]) == (100, 100)
    with engine.connect() as connection:
        [job] = reclassifications.jobs(connection, 9)
    assert (job.status, set(models(engine).values())) == ("done", {"words-2"})


def test_killed_beside_workers(engine: Engine, database_url: str, tmp_path: Path) -> None:
    """`kill -9` in the middle, twice, while another process stores and revises: nothing is lost, doubled or
    miscounted, and no worker is stopped by a deadlock."""
    put(engine, history(140))
    stop = threading.Event()
    failures: list[Exception] = []

    def work() -> None:
        offset = 1000
        try:
            while not stop.is_set():
                rows = [classified(f"d{n:04}", offset + n, f"fine {offset} {n}") for n in range(0, 140, 3)]
                store_rows(engine, rows[::-1])
                offset += 1000
        except Exception as error:
            failures.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    for killed_at in (20, 60):
        _kill_at(killed_at, engine, database_url, tmp_path / "log")
    stop.set()
    worker.join()
    assert not failures
    assert is_clean(engine)
    figures = run(engine)
    assert figures["documents"] == 140
    assert is_clean(engine)


def _kill_at(documents: int, engine: Engine, database_url: str, log: Path) -> None:
    argv = [sys.executable, "-m", "tests.support.rescoring", database_url, ALL.since.isoformat()]
    with log.open("ab") as out:
        child = subprocess.Popen(argv, cwd=REPOSITORY, stdout=out, stderr=out)
    wait_for(lambda: _read(engine) > documents or child.poll() is not None, 60, "the job to have begun")
    assert child.poll() is None, log.read_text()[-2000:]
    child.kill()
    child.wait()


def _read(engine: Engine) -> int:
    with engine.connect() as connection:
        return sum(job.figures.get("documents", 0) for job in reclassifications.jobs(connection, 1))


def test_a_revision_that_comes_meanwhile_wins(engine: Engine) -> None:
    """What was judged is not what is stored now: that is judged again, as it is."""
    put(engine, [classified("a", 0, "bad"), classified("b", 1, "bad")])

    class Revised(NewClassifier):
        def classify(self, texts: Sequence[str]) -> list[Opinion]:
            if not self.calls:
                put(engine, [classified("a", 2, "nice")])
            return super().classify(texts)

    figures = run(engine, load=Revised)
    assert (figures["documents"], figures["rescored"], figures["revised"]) == (2, 2, 1)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, text, sentiment, model_version FROM document ORDER BY id")).all()
    assert [tuple(one) for one in rows] == [("a", "nice", "positive", "words-2"), ("b", "bad", "negative", "words-2")]
    assert is_clean(engine)


def test_a_worker_that_revises_waits_for_the_batch(engine: Engine) -> None:
    """It then moves the counts of what it finds, by the new verdict."""
    put(engine, [classified("a", 0, "fine")])
    with engine.begin() as connection:
        job = reclassifications.begin(connection, ALL)
    with engine.begin() as connection:
        [stored] = stored_documents.page(connection, None, None, 10)
        [opinion] = NewClassifier().classify([stored.text])
        judged = [Judged(stored, opinion)]
        assert reclassifications.apply(connection, job.id, judged, after=None, reached=Place(START, "a")) == []
        worker = threading.Thread(target=put, args=(engine, [classified("a", 1, "nice")]))
        worker.start()
        wait_for(lambda: waits_for_a_lock(engine), 10, "the worker to wait for the batch")
    worker.join()
    assert models(engine) == {"a": "words-1"}
    assert is_clean(engine)


def test_two_on_the_same_documents_are_refused(engine: Engine) -> None:
    """One at a time; what was not finished must be, or be cancelled, before another model judges the same span."""
    put(engine, [classified("a", 0, "fine")])
    with stored_documents.only_one(engine), pytest.raises(DependencyNotReadyError, match="another"):
        run(engine)
    with engine.begin() as connection:
        job = reclassifications.begin(connection, ALL)
        assert reclassifications.begin(connection, ALL).id == job.id
    other = Wanted("words-3", START, sources=("forum",))
    with pytest.raises(UsageError, match=f"reclassification {job.id}"):
        run(engine, other)
    with engine.begin() as connection:
        apart = Wanted("words-3", ALL.since - timedelta(days=2), ALL.since)
        assert reclassifications.begin(connection, apart).id != job.id
        reclassifications.cancel(connection, job.id)
        with pytest.raises(UsageError, match="cancelled"):
            reclassifications.cancel(connection, job.id)
        assert reclassifications.begin(connection, other).wanted == other


def test_cancelled_between_two_batches(engine: Engine) -> None:
    """What is judged stays, nothing of the next batch is written."""
    put(engine, history(40))

    def cancel(_: float) -> None:
        with engine.begin() as connection:
            [job] = reclassifications.jobs(connection, 1)
            reclassifications.cancel(connection, job.id)

    with pytest.raises(ReclassificationEnded):
        run(engine, pace=Pace(rate=10, wait=cancel))
    assert list(models(engine).values()).count("words-2") == 10
    assert is_clean(engine)


def test_it_waits_while_the_stream_is_behind(engine: Engine) -> None:
    """Processors are the workers' while they have much to do."""
    put(engine, [classified("a", 0, "fine")])
    lags = iter([MOST_LAG + 1, MOST_LAG + 1, 0, 0])
    waited: list[float] = []
    run(engine, pace=Pace(lag=lambda: next(lags), wait=waited.append))
    assert len(waited) == 2


def test_a_document_that_breaks_the_model_keeps_its_verdict(engine: Engine) -> None:
    """The others of its batch are judged; where all break it, the job ends, and nothing is called done."""
    put(engine, [classified("a", 0, "fine"), row("b", 1, text="poison"), classified("c", 2, "fine")])
    figures = run(engine)
    assert (figures["rescored"], figures["failed"]) == (2, 1)
    assert models(engine)["b"] == "m1"
    put(engine, [row(f"p{n}", 10 + n, text=f"poison {n}", source="worse") for n in range(MOST_FAILED)])
    with pytest.raises(RuntimeError, match="breaks the model"):
        run(engine, Wanted("words-2", START, sources=("worse",)))


def test_how_the_models_compare_is_measured_while_both_can_be(engine: Engine) -> None:
    """Counts that the new model moved are translated by what both said of the same documents."""
    put(engine, [classified(f"d{n}", n, ("fine", "nice", "bad")[n % 3] + f" {n}") for n in range(240)])
    run(engine)
    with engine.connect() as connection:
        assert model_switches.overlaps(connection)["words-1", "words-2"]["", ""] == (80, 160)
        assert model_switches.factors(connection)["words-2"] == pytest.approx(2.0, rel=0.01)


def test_the_commands(engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From outside: how many there are, judging them with a checkpoint, the list, and what is refused."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path / "var"))
    monkeypatch.setattr("opinion.commands.reclassify.os.nice", lambda by: 0)
    put(engine, history(30))
    folder = tiny_checkpoint(tmp_path / "tiny")
    with engine.begin() as connection:
        model_versions.register(connection, "tiny", str(folder), origin="trained")

    def opinion(*argv: str) -> Any:
        done = CliRunner().invoke(app, ["reclassify", *argv])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            return done.exception
        return json.loads(done.stdout)

    span = ["--since", "2024-05-01", "--model", "tiny"]
    assert opinion(*span, "--dry-run", "--json")["by_model"] == {"words-1": 30}
    done = opinion(*span, "--json")
    assert (done["status"], done["rescored"], done["model"]) == ("done", 30, "tiny")
    assert set(models(engine).values()) == {"tiny"}
    assert is_clean(engine)
    assert [one["id"] for one in opinion("list", "--json")["jobs"]] == [done["id"]]
    for argv, said in (
        (["--json"], "--since is missing"),
        (["--since", "yesterday-ish"], "--since"),
        (["--since", "2024-05-01", "--until", "2024-04-01"], "--until is not after"),
        (["--since", "2024-05-01", "--rate", "0"], "--rate"),
        (["--since", "2024-05-01"], "no model was promoted"),
        (["--since", "2024-05-01", "--model", "nobody"], "no model version nobody"),
        ([*span, "--watchlist", "none"], "no watchlist 'none'"),
        (["cancel", str(done["id"])], "is done"),
        (["cancel", "99"], "no reclassification 99"),
    ):
        assert said in str(opinion(*argv)), argv
