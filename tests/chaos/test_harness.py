"""The harness itself: equal seeds give equal runs, and its verdict sees what is wrong."""

import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from kafka import KafkaProducer
from sqlalchemy import text

from storage.engine import connect
from streams.dead_letters import error_headers
from streams.offsets import Standing
from tests.chaos import verdict as judge
from tests.chaos.observer import Standstill
from tests.chaos.run import Harness, Plan
from tests.chaos.schedule import LASTS, NEEDS_THREE_NODES, make_schedule
from tests.chaos.stream import POISONS, Expected, digest, make_stream
from tests.chaos.verdict import Verdict
from tests.support.records import START, row
from tests.support.rows import add_incident, store_rows
from tests.support.servers import JARS


@pytest.mark.timeout(900)
def test_short_run_under_faults_is_clean():
    """Kills, freezes, restarts and a model that fails: nothing lost, nothing doubled, the same incidents."""
    folder = Path(tempfile.mkdtemp(prefix="opinion-chaos-"))
    folder.chmod(0o755)
    try:
        plan = Plan(seed=11, faults=9, documents=1500, longest=5.0)
        outcome = Harness(plan, folder / "run", JARS, print).run()
        assert outcome.verdict.is_clean, outcome.verdict
        assert outcome.verdict.incidents > 0
        assert outcome.verdict.notifications > 0
        assert outcome.undone == 0
        assert outcome.unrecovered == []
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_equal_seeds_give_equal_runs():
    """A run that failed can be run again: stream and schedule follow from the seed alone."""
    one, again, other = make_stream(5, 600), make_stream(5, 600), make_stream(6, 600)
    assert one.records == again.records != other.records
    assert make_schedule(5, 30, 3) == make_schedule(5, 30, 3) != make_schedule(6, 30, 3)


def test_stream_holds_what_it_says():
    """Repeats, revisions, late records and each kind of poison are really in the stream."""
    stream = make_stream(1, 2000)
    expected = stream.expected
    assert len(expected.versions) == 2000
    assert set(expected.kinds.values()) == set(POISONS)
    assert sum(expected.produced.values()) + len(expected.poison) == len(stream.records)
    assert len(expected.ce_ids) > 2000
    assert sum(expected.produced.values()) > len(expected.ce_ids)


@pytest.mark.parametrize("nodes", [1, 3])
def test_schedule_deals_every_kind(nodes):
    """Every kind of fault comes before any comes again, and what needs three brokers only where there are three."""
    kinds = Counter(fault.kind for fault in make_schedule(3, 80, nodes))
    wanted = set(LASTS) if nodes == 3 else set(LASTS) - NEEDS_THREE_NODES
    assert set(kinds) == wanted
    assert max(kinds.values()) - min(kinds.values()) <= 1


def test_standstill_counts_only_time_in_which_servers_are_up():
    """A stretch ends with progress, with an empty backlog, and when a server goes away; then another begins."""
    standstill = Standstill()

    def look(now, committed, end=10, up_since=0.0):
        standstill.look(now, {0: Standing(0, end, committed)}, up_since)

    look(0, 5)
    look(4, 5)
    assert standstill.worst == 4
    look(6, 5, up_since=None)
    look(60, 5, up_since=None)
    assert standstill.worst == 4
    look(61, 5, up_since=60.8)
    look(68, 5, up_since=60.8)
    assert standstill.worst == pytest.approx(7.2)
    look(99, 6, up_since=98.0)  # away and back without a look in between
    assert standstill.worst == pytest.approx(7.2)
    look(100, 10, up_since=98.0)
    look(199, 10, up_since=98.0)
    assert standstill.worst == pytest.approx(7.2)


def test_verdict_sees_lost_and_doubled_rows(database_url):
    """A missing version, a changed text and a version nobody produced are all counted."""
    engine = connect(database_url)
    store_rows(engine, [row("a"), row("b", 1), row("b", 2, text="y"), row("c", 3)])
    right = Expected(versions={"a": ["x"], "b": ["x", "y"], "c": ["x"]})
    assert _rows(engine, right) == (0, 0)
    assert _rows(engine, Expected(versions={"a": ["x"], "b": ["x", "y"], "c": ["other"], "d": ["x"]})) == (2, 0)
    assert _rows(engine, Expected(versions={"a": ["x"], "b": ["x"], "c": ["x"]})) == (0, 1)
    verdict = Verdict()
    judge.judge_counts(verdict, engine, right, "opinion.document.raw.v1")
    assert (verdict.lost, verdict.doubled, verdict.holes, verdict.count_differences) == (0, 0, 0, 0)
    with engine.begin() as connection:
        connection.execute(text("UPDATE opinion_minute SET total = total + 1, negative = negative + 1"))
    judge.judge_counts(verdict, engine, right, "opinion.document.raw.v1")
    assert verdict.doubled > 0
    assert verdict.count_differences > 0
    engine.dispose()


def _rows(engine, expected):
    verdict = Verdict()
    judge.judge_rows(verdict, engine, expected)
    return verdict.lost, verdict.doubled


def test_verdict_sees_missing_and_changed_dead_letters(kafka_bootstrap, new_topic):
    """Poison must be there with its own bytes; a second delivery of the same origin is no second letter."""
    topic = new_topic("dlq")
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    for offset in (4, 4, 9):
        facts = {"recorded_at": START, "stage": "decode", "reason": "bad_json", "detail": "x"}
        headers = error_headers((), topic="raw", partition=0, offset=offset, **facts)
        producer.send(topic, key=f"poison:{offset}".encode(), value=b"{", headers=headers)
    producer.close()

    def judged(poison):
        verdict = Verdict()
        kinds = dict.fromkeys(poison, "bad_json")
        judge.judge_dead_letters(verdict, kafka_bootstrap, topic, Expected(poison=poison, kinds=kinds))
        return verdict.dead_letters_ok, verdict.lost, verdict.repeated_dead_letters

    right = {b"poison:4": digest(b"{"), b"poison:9": digest(b"{")}
    assert judged(right) == (True, 0, 1)
    assert judged(right | {b"poison:9": digest(b"[")}) == (False, 1, 1)
    assert judged({b"poison:4": digest(b"{")}) == (False, 0, 1)


def test_verdict_sees_other_incidents_and_silent_ones(database_url):
    """Another figure in an incident is a difference, and an incident nobody was told of is a fault."""
    engine = connect(database_url)
    with engine.begin() as connection:
        add_incident(connection)
    undisturbed = judge.incidents(engine)
    verdict = Verdict()
    judge.judge_incidents(verdict, engine, undisturbed)
    assert verdict.incidents_equal
    judge.judge_incidents(verdict, engine, [undisturbed[0] | {"starts_at": START.replace(hour=1)}])
    assert not verdict.incidents_equal
    judge.judge_notifications(verdict, engine, Counter())
    assert not verdict.notifications_ok
    engine.dispose()
