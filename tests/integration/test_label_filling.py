"""Filling the queue of documents to label from what workers have stored, by the job and by the command."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from core.settings import SamplingSettings, load_settings
from opinion.cli import app
from opinion.label_filling import fill, missing, shares_of
from opinion.label_queue_job import LabelQueueJob
from storage import human_labels, label_candidates, label_queue, label_queue_filling, opt_outs
from storage.engine import connect
from storage.human_labels import NewLabel
from storage.label_queue_filling import Listed
from tests.support.checkpoints import tiny_checkpoint
from tests.support.copies import LETTERS, STORY
from tests.support.records import START, row
from tests.support.rows import add_incident, store_rows

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SETTINGS = SamplingSettings(length=20, random_share=0.2, alert_share=0.2, diverse_share=0.1, double_share=0.0)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


def documents(engine: Engine, count: int, *, first: int = 0, **changes: Any) -> None:
    """So many different texts, one a minute; every second one hardly negative."""
    store_rows(
        engine,
        [
            row(
                f"d{nth}",
                nth,
                text="".join(Random(nth).choices(LETTERS, k=40)),
                published_at=START + timedelta(minutes=nth),
                score_negative=0.52 if nth % 2 else 0.97,
                score_neutral=0.45 if nth % 2 else 0.02,
                score_positive=0.03 if nth % 2 else 0.01,
                **changes,
            )
            for nth in range(first, first + count)
        ],
    )


def listed(engine: Engine) -> list[Listed]:
    with engine.connect() as connection:
        return label_queue_filling.listed(connection, 1000)


def test_the_queue_holds_the_shares(engine: Engine) -> None:
    """Without an incident its share goes to uncertain documents, which are indeed the uncertain ones."""
    documents(engine, 200)
    filled = fill(engine, SETTINGS, NOW, Random(1))
    rows = listed(engine)
    assert Counter(one.reason for one in rows) == {"random": 4, "uncertain": 14, "diverse": 2} == filled.added
    assert sum(one.detail["sentiment_score"] < 0.6 for one in rows if one.reason == "uncertain") >= 11
    assert len({one.document_id for one in rows}) == 20


def test_a_full_queue_is_left_alone_and_an_answer_is_made_up_for(engine: Engine) -> None:
    """A second fill adds nothing; what was answered is replaced, and never asked again."""
    documents(engine, 60)
    fill(engine, SETTINGS, NOW, Random(1))
    assert fill(engine, SETTINGS, NOW, Random(2)).added == {}
    seen = set()
    for seed in range(3, 9):
        with engine.begin() as connection:
            for _ in range(20):
                found = label_queue.next_for(connection, "li", NOW)
                if found is not None:
                    assert found.document_id not in seen
                    seen.add(found.document_id)
                    label_queue.complete(connection, found.document_id, "li", NOW)
        fill(engine, SETTINGS, NOW, Random(seed))
    assert len(seen) > 40


def test_labelled_opted_out_and_copies_never_come_in(engine: Engine) -> None:
    """Neither by id nor as the same text; of copies one, and none of an author who wants no part in it."""
    texts = {"labelled": "已经有人回答过的一条长一点的意见", "same text": "另一条已经有人回答过的意见"}
    copies = [row(f"copy{nth}", nth, text=STORY, published_at=START + timedelta(minutes=nth)) for nth in range(5)]
    others = [
        row("labelled", 10, text=texts["labelled"]),
        row("same text", 11, text=texts["same text"]),
        row("opted out", 12, text="不想被读到的一条意见", author="someone"),
        row("fine", 13, text="可以问的一条意见，关于停车"),
    ]
    store_rows(engine, copies + others)
    with engine.begin() as connection:
        opt_outs.add(connection, "author", ["someone"], "")
        human_labels.add(
            connection,
            [
                NewLabel(b"1", "labelled", texts["labelled"], "zh", "forum", "sentiment", "negative", "li", NOW),
                NewLabel(b"2", None, texts["same text"], "zh", "file", "sentiment", "negative", "li", NOW),
            ],
        )
    for seed in range(3):
        fill(engine, SETTINGS, NOW, Random(seed))
    assert {one.document_id for one in listed(engine)} == {"copy0", "fine"}


def test_an_incident_is_asked_about(engine: Engine) -> None:
    """Its share goes to its doubtful documents, the likeliest to flip first; when it is over they go."""
    documents(engine, 40)
    with engine.begin() as connection:
        incident = add_incident(connection, observed=42.0, expected=30.0, last_fired_at=START + timedelta(minutes=30))
        other_topic = row("sports", 90, topic_label="sports", text="体育新闻", published_at=START)
    store_rows(engine, [other_topic])
    fill(engine, SETTINGS, NOW, Random(1))
    alarming = [one for one in listed(engine) if one.reason == "alert"]
    assert len(alarming) == 4
    assert all(one.detail["incident"] == incident and one.detail["sentiment_score"] < 0.6 for one in alarming)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE incident SET status = 'resolved'")
    assert fill(engine, SETTINGS, NOW, Random(2)).dropped == {"incident over": 4}


def test_a_new_model_asks_anew(engine: Engine) -> None:
    """What the model before was unsure of is dropped; what was drawn by chance stays."""
    documents(engine, 100)
    fill(engine, SETTINGS, NOW, Random(1))
    documents(engine, 100, first=100, model_version="m2")
    filled = fill(engine, SETTINGS, NOW, Random(2))
    assert filled.dropped == {"other model": 14}
    rows = listed(engine)
    versions = {one.reason: int(one.document_id[1:]) >= 100 for one in rows if one.reason == "uncertain"}
    assert versions == {"uncertain": True}
    assert sum(one.reason == "random" for one in rows) >= 4


def test_only_the_newest_stretch_is_drawn_from(engine: Engine) -> None:
    """By event time: an old stream that was replayed is as good as a live one."""
    documents(engine, 120)
    settings = SETTINGS.model_copy(update={"recent": timedelta(minutes=30)})
    fill(engine, settings, NOW, Random(1))
    assert min(one.published_at for one in listed(engine)) >= START + timedelta(minutes=90)


def test_every_document_is_drawn_as_often_as_any_other(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Busy minutes and quiet ones, and where minutes are left out because there is too much to walk."""
    minutes = [0] * 30 + [1] * 5 + list(range(2, 12))
    store_rows(
        engine,
        [row(f"d{n}", n, text=f"t{n}", published_at=START + timedelta(minutes=m)) for n, m in enumerate(minutes)],
    )
    until = START + timedelta(minutes=20)
    for most, tolerance in ((1000, 30), (20, 60)):
        monkeypatch.setattr(label_candidates, "MOST_WALKED", most)
        counts: Counter[str] = Counter()
        chance = Random(5)
        with engine.connect() as connection:
            for _ in range(150):
                keys = label_candidates.draw(connection, START, until, 10, chance)
                counts.update(key for _, key in keys)
        usual = sum(counts.values()) / len(minutes)
        assert len(counts) == len(minutes)
        assert all(abs(count - usual) < tolerance for count in counts.values()), counts


def test_nothing_is_stored_yet(engine: Engine) -> None:
    """An empty store gives an empty queue and no error."""
    assert fill(engine, SETTINGS, NOW, Random(1)).added == {}


def test_what_is_missing_adds_up() -> None:
    """The shares are 1 together; what waits is taken off, and never below nothing."""
    assert sum(shares_of(SETTINGS).values()) == pytest.approx(1)
    assert missing({"random": 9, "uncertain": 3}, SETTINGS, has_incidents=True) == {
        "random": 0,
        "alert": 4,
        "diverse": 2,
        "uncertain": 7,
    }


@dataclass
class _Clock:
    def now(self) -> datetime:
        return NOW


def test_the_job_starts_a_fill_only_where_it_helps(
    engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty queue is filled by a child process; then there is nothing to do until answers or documents come."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("OPINION_SAMPLING__LENGTH", "20")
    monkeypatch.setenv("OPINION_MODELS__CHECKPOINT", str(tiny_checkpoint(tmp_path / "tiny", seed=1)))
    job = LabelQueueJob(load_settings(), engine, _Clock())
    assert job.wanted() is None  # nothing is stored
    documents(engine, 30)
    job(lambda: False)
    assert len(listed(engine)) == 20
    assert job.wanted() is None
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM label_queue")
    assert job.wanted() is None  # the same documents would come again
    documents(engine, 30, first=30)
    assert job.wanted() is not None


def test_the_command_fills_and_shows(
    engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One JSON object each; hostile and personal words do not reach the terminal."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("OPINION_MODELS__CHECKPOINT", str(tmp_path / "gone"))  # n-grams have to do
    store_rows(engine, [row("a", text="\x1b[31m[red]打 13812345678 给我[/]", score_negative=0.5)])
    run = CliRunner()
    filled = json.loads(run.invoke(app, ["labels", "queue", "fill", "--json"]).stdout)
    assert (filled["drawn"], filled["added"], filled["waiting"]) == (1, {"random": 1}, {"random": 1})
    shown = json.loads(run.invoke(app, ["labels", "queue", "--json"]).stdout)
    assert (shown["next"][0]["id"], shown["next"][0]["reason"]) == ("a", "random")
    assert "13812345678" not in shown["next"][0]["text"]
    table = run.invoke(app, ["labels", "queue"])
    assert table.exit_code == 0
    assert "[red]" in table.stdout
    assert "\x1b[31m" not in table.stdout
    assert "13812345678" not in table.stdout
