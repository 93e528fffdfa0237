"""Which incidents a candidate's verdicts would have made, on scripted documents through the real rules and counts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import Engine

from alerts.detection.detectors import DetectorOptions
from alerts.detection.model_switches import Overlap
from alerts.detection.rules import Rule
from alerts.rulebook.contrasting import Span, contrast
from opinion.shadow_comparison import compare, overlap_of, with_incidents
from storage import model_versions, shadow_runs, shadow_verdicts
from storage.documents import DocumentRow
from storage.engine import connect
from storage.shadow_verdicts import VerdictRow
from tests.support.minutes import add, usual_day
from tests.support.rows import store_rows
from tests.support.shadows import CANDIDATE, CHAMPION, document

PAST = datetime(2026, 3, 10, tzinfo=UTC)
START = PAST + timedelta(days=2)
END = START + timedelta(hours=6)
TOPICS = ("automobile", "sports", "finance", "technology", "entertainment")
MINUTE = timedelta(minutes=1)
Hours = tuple[float, float] | None


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def is_within(at: datetime, hours: Hours) -> bool:
    return hours is not None and START + timedelta(hours=hours[0]) <= at < START + timedelta(hours=hours[1])


def scripted(topic: str, champion: Hours, candidate: Hours) -> Iterator[tuple[DocumentRow, str]]:
    """Six hours of a topic in which each of the two finds a surge at another time, and else the same; with what the
    candidate says of each document."""
    chance = Random(topic)
    for minute in range(6 * 60):
        at = START + minute * MINUTE
        is_surge = any(is_within(at, hours) for hours in (champion, candidate))
        for nth in range(6 if is_surge else chance.choice((0, 1, 1, 2))):
            is_usual = chance.random() < 0.2
            says = ["negative" if is_usual or is_within(at, hours) else "neutral" for hours in (champion, candidate)]
            name = f"{topic}:{minute}:{nth}"
            yield (
                document(
                    name, at, says="bad" if says[0] == "negative" else "calm", topic_label=topic, source="weibo"
                ),
                says[1],
            )


def store(engine: Engine, story: list[tuple[DocumentRow, str]]) -> int:
    """Two usual days as counts, then the story, with both verdicts in a shadow run."""
    with engine.begin() as connection:
        for topic in TOPICS:
            add(connection, usual_day(PAST, 2 * 24 * 60, source="weibo", topic=topic))
        for version in (CHAMPION, CANDIDATE):
            model_versions.register(connection, version, version, origin="test")
    rows = sorted((one for one, _ in story), key=lambda one: one.published_at)
    store_rows(engine, rows)
    with engine.begin() as connection:
        run, _ = shadow_runs.open_run(connection, candidate=CANDIDATE, champion=CHAMPION, training_run=None, now=END)
        shadow_runs.place(connection, run, window_from=START, live_from=END, share=1.0)
        shadow_runs.advance(connection, run, reached=(END, ""), scored=len(story), live=0, failures=0)
        shadow_verdicts.add(connection, run, [_verdict(one, new) for one, new in story])
    return run


def _verdict(one: DocumentRow, new: str) -> VerdictRow:
    return VerdictRow(
        one.published_at, one.id, one.source, one.kind, one.lang, one.topic_label, one.topic_label,
        one.sentiment, new, one.score_negative, float(new == "negative"), 0.9, 0.9, None,
    )  # fmt: skip


def test_gained_lost_earlier_later_and_the_same(engine: Engine) -> None:
    """One topic of each, by the rules that hold, over counts that only the champion has made."""
    hours: dict[str, tuple[Hours, Hours]] = {
        "automobile": ((2, 2.5), None),
        "sports": (None, (2, 2.5)),
        "finance": ((3, 3.75), (2.5, 3.75)),
        "technology": ((2.5, 3.75), (3, 3.75)),
        "entertainment": ((2, 2.5), (2, 2.5)),
    }
    run_id = store(engine, [one for topic, (old, new) in hours.items() for one in scripted(topic, old, new)])
    with engine.connect() as connection:
        run = shadow_runs.of_version(connection, CANDIDATE)
        assert run is not None
        pairs = shadow_verdicts.pairs(connection, run_id)
        overlap = Overlap({(row.label, row.value): (row.negative_old, row.negative_new) for row in overlap_of(pairs)})
        span = Span(START, END, CHAMPION, CANDIDATE, DetectorOptions(), overlap)
        found, series = contrast(connection, Rule("by-topic", ("topic",)), pairs, span)
        whole = with_incidents(connection, compare(run, pairs), run, pairs, DetectorOptions())
    assert series == len(TOPICS)
    assert {one.labels["topic"]: one.change for one in found} == {
        "automobile": "lost",
        "sports": "gained",
        "finance": "earlier",
        "technology": "later",
        "entertainment": "same",
    }
    by_topic = {one.labels["topic"]: one for one in found}
    late = by_topic["technology"]
    assert late.old is not None
    assert late.new is not None
    assert timedelta(minutes=20) <= late.new.told_at - late.old.told_at <= timedelta(minutes=40)
    assert whole.incidents is not None
    assert whole.incidents.coverage == 1.0
    assert {one.change for one in whole.incidents.changed if one.rule == "by-topic"} == {
        "gained", "lost", "earlier", "later",
    }  # fmt: skip


def test_a_candidate_that_finds_more_everywhere_makes_no_incident(engine: Engine) -> None:
    """What is expected is translated, as after a promotion: half as many negatives more, evenly, are no surge."""
    chance = Random(5)
    story = [
        (one, "negative" if one.sentiment == "negative" or chance.random() < 0.12 else "neutral")
        for topic in TOPICS
        for one, _ in scripted(topic, None, None)
    ]
    run_id = store(engine, story)
    with engine.connect() as connection:
        run = shadow_runs.of_version(connection, CANDIDATE)
        assert run is not None
        pairs = shadow_verdicts.pairs(connection, run_id)
        comparison = with_incidents(connection, compare(run, pairs), run, pairs, DetectorOptions())
    assert comparison.negative_change > 0.3
    assert comparison.incidents is not None
    assert comparison.incidents.changed == []
