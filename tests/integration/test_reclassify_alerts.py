"""History judged again by a model that finds 30 % more negatives: nobody is told, and detection goes on as it would
have."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, text

from alerts.detection.detectors import DetectorOptions
from alerts.detection.judging import ClockOptions
from alerts.detection.rules import DEFAULT_RULES
from alerts.evaluate import EvaluateOptions, evaluate
from alerts.reasons.verifying import Verification, verify
from alerts.telling import Receiver
from core.records import Opinion
from opinion.reclassifying import Reclassification
from storage import bucket_counts, detector_states, incidents, settled_history
from storage.documents import DocumentRow
from storage.engine import connect
from storage.reclassifications import Wanted
from tests.support.minutes import MINUTE
from tests.support.records import WordClassifier, row
from tests.support.rescoring import NewClassifier
from tests.support.rows import add_incident, store_rows

START = datetime(2026, 3, 10, tzinfo=UTC)
SWITCH, END = START + timedelta(hours=34), START + timedelta(hours=40)
SURGES = (START + timedelta(hours=13), START + timedelta(hours=38))  # further apart than one incident may be
NOW = datetime(2026, 4, 1, tzinfo=UTC)
OPTIONS = EvaluateOptions(
    rules=DEFAULT_RULES,
    clock=ClockOptions(DetectorOptions(), timedelta(minutes=2)),
    receivers=[Receiver("kafka", "opinion.alert.v1")],
    console_url="http://console",
)
WANTED = Wanted("words-2", START)
SEEN = (
    "SELECT labels, status, severity, starts_at, detected_at, ends_at, observed, expected, score, annotations "
    "FROM incident ORDER BY 1, 2, 3",
    "SELECT incident_id, transition, detail FROM incident_event ORDER BY id",
    "SELECT body, judgement FROM evidence ORDER BY id",
    "SELECT channel, payload FROM notification ORDER BY number",
    "SELECT series, cursor_at, state FROM detector_state ORDER BY 1",
)


class Calm(NewClassifier):
    """As the new one, with the topics of the old one."""

    def _opinion(self, is_bad: bool) -> Opinion:
        return WordClassifier._opinion(self, is_bad)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


def stream() -> list[DocumentRow]:
    """A document a minute, a fifth bad and a sixteenth "fine", which only the new model calls negative, and two
    surges; judged by the old model up to the switch."""
    random = Random(5)
    found: list[tuple[datetime, str]] = []
    for nth in range(int((END - START) / MINUTE)):
        at = START + nth * MINUTE
        is_surge = any(surge <= at < surge + timedelta(minutes=40) for surge in SURGES)
        for _ in range(
            (5 if at < SWITCH else 12) if is_surge else 1
        ):  # the first has taught what is usual at this hour
            word = random.choices(("bad", "fine", "nice"), (80, 2, 18) if is_surge else (20, 6, 74))[0]
            found.append((at, f"{word} {len(found)}"))
    models = (WordClassifier(), Calm())
    rows = []
    for offset, (at, said) in enumerate(found):
        [opinion] = models[at >= SWITCH].classify([said])
        scores = {f"score_{name}": score for name, score in opinion.sentiment_scores.items()}
        made = {"sentiment": opinion.sentiment, "model_version": opinion.model_version, "published_at": at, **scores}
        rows.append(row(f"d{offset:05}", offset, text=said, topic_label="finance", **made))
    return rows


def judge(engine: Engine) -> None:
    """Runs until nothing is left."""
    is_behind = True
    while is_behind:
        with engine.begin() as connection:
            newest = bucket_counts.newest_minutes(connection, not_after=NOW)
            is_behind = evaluate(connection, newest, OPTIONS, now=NOW).is_behind


def seen(engine: Engine) -> list[list[Any]]:
    """Everything that the detector knows, and everybody was told."""
    with engine.connect() as connection:
        return [list(map(tuple, connection.execute(text(query)))) for query in SEEN]


def live(engine: Engine, rows: list[DocumentRow]) -> None:
    """Store and judge what comes, an hour at a time."""
    for hour in range(6):
        begin = SWITCH + timedelta(hours=hour)
        store_rows(engine, [one for one in rows if begin <= one.published_at < begin + timedelta(hours=1)])
        judge(engine)


def verified(engine: Engine) -> list[Verification]:
    with engine.connect() as connection:
        return [
            verify(connection, incident.labels, incidents.frozen_evidence(connection, incident.id)[-1])
            for incident in incidents.newest(connection)
        ]


def test_nobody_is_told_and_detection_goes_on(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing fires, resolves or is written anew by a reclassification; six hours later, with the new model live and
    another surge found, incidents, messages and all that was learned are those of a stream without it."""
    monkeypatch.setattr("opinion.reclassifying.SAMPLE", 3000)  # all there are, so that nothing is left to chance
    rows = stream()
    before = [one for one in rows if one.published_at < SWITCH]
    for first in range(0, len(before), 500):
        store_rows(engine, before[first : first + 500])
    judge(engine)
    quiet = seen(engine)
    assert len(quiet[0]) == 3
    figures = Reclassification(engine, WANTED, load=Calm).run().figures
    assert figures["sentiments"]["positive → negative"] / figures["rescored"] > 0.05
    assert figures["left"] == 5 * 60 + 5  # the widest window behind the cursor, and what it has not closed
    judge(engine)
    assert seen(engine) == quiet

    for one in verified(engine):
        assert one.agrees
        assert one.rescored_by == ["words-2"]
        assert {check.because for check in one.checks if check.agrees is None} == {"rescored"}

    live(engine, rows)
    after = seen(engine)
    assert len(after[0]) == 6
    with engine.begin() as connection:
        _forget_all_but_the_overlap(connection)
    for first in range(0, len(before), 500):
        store_rows(engine, before[first : first + 500])
    judge(engine)
    live(engine, rows)
    assert _lasting(seen(engine)) == _lasting(after)


def _forget_all_but_the_overlap(connection: Any) -> None:
    names = connection.execute(
        text("""
            SELECT string_agg(format('public.%I', relname), ', ') FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
              AND relname NOT IN ('model_overlap', 'alembic_version', 'audit_log', 'reporting_zone')
        """)
    ).scalar_one()
    connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))


def _lasting(found: list[list[Any]]) -> list[list[Any]]:
    """Evidence, and messages with it, name the usual week by the verdicts of the time; shares that a ratio would be
    estimated from are not asked for where both models judged the same documents."""
    incidents, events, _, _, states = found
    for _, _, state in states:
        for model in state.get("guards", {}).get("models", {}).get("models", {}).values():
            for name in ("usual", "seen", "ratio"):
                model.pop(name)
    return [incidents, events, states]


def test_what_may_still_be_judged_is_left(engine: Engine) -> None:
    """Four hours behind the cursors of both clocks, and before open incidents; nothing where a clock has learned
    nothing yet, and everything where nobody judges."""
    hour = timedelta(hours=1)

    def of(*sources: str) -> list[datetime]:
        with engine.connect() as connection:
            found = settled_history.settled(connection, widest=lambda bucket: 48 * bucket, alerts=("NegativeSurge",))
        return [found.of(source) for source in sources]

    def clock(name: str, cursor: datetime, **state: Any) -> None:
        with engine.begin() as connection:
            detector_states.save(connection, cursor, {name: {"bucket_seconds": 300.0, **state}})

    assert of("weibo") == [settled_history.EVERYTHING]
    clock("judged|all", START)
    assert of("weibo") == [settled_history.NOTHING]
    clock("all", START + 10 * hour, last_active_at=None)
    clock("source=weibo", START + 12 * hour, last_active_at=None)
    clock("source=silent", START + 5 * hour, last_active_at=None)
    clock("source=weibo|by-source|weibo", START)
    assert of("weibo", "silent", "new") == [START + 6 * hour, START + hour, settled_history.NOTHING]
    with engine.begin() as connection:
        add_incident(connection, starts_at=START + 2 * hour)
    assert of("weibo", "silent") == [START + 2 * hour, START + hour]
