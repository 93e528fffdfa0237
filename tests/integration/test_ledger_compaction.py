"""The ledger after merging says what it said before."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, text
from sqlalchemy.exc import OperationalError

from storage import ledger_compaction
from storage.engine import connect
from storage.ledger_compaction import compact
from storage.offset_ledger import Hole, LedgerLine, coverage, next_offsets, partitions, totals, write_lines
from storage.tables import offset_ledger
from tests.support.records import START

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(hours=24)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def line(first: int, last: int, partition: int = 0, age: timedelta = 2 * DAY, repeats: int = 0) -> dict[str, object]:
    """A line as a worker wrote it so long ago; what is no repeat was stored."""
    return {
        "topic": "raw",
        "partition": partition,
        "first_offset": first,
        "last_offset": last,
        "stored": last - first + 1 - repeats,
        "repeats": repeats,
        "revisions": 0,
        "dead_lettered": 0,
        "last_recorded_at": START + timedelta(seconds=last),
        "committed_at": NOW - age,
    }


def fill(engine: Engine, lines: Sequence[dict[str, object]]) -> None:
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE offset_ledger"))
        if lines:
            connection.execute(insert(offset_ledger), list(lines))


def said(connection: Connection) -> tuple[object, ...]:
    """Everything that anybody asks the ledger, but for the number of its lines."""
    covered = [(c.partition, c.first_offset, c.last_offset, c.holes) for c in coverage(connection)]
    newest = connection.scalar(text("SELECT committed_at FROM offset_ledger ORDER BY id DESC LIMIT 1"))
    return covered, totals(connection), next_offsets(connection, "raw"), partitions(connection), newest


def shape(engine: Engine) -> list[tuple[int, int, int]]:
    """The lines of partition 0: first and last offset, merged lines."""
    with engine.connect() as connection:
        query = "SELECT first_offset, last_offset, merged_lines FROM offset_ledger WHERE partition = 0 ORDER BY 1, 2"
        return [tuple(row) for row in connection.execute(text(query))]


def merge(engine: Engine, lines: int = 100) -> int:
    """Until nothing is left to merge."""
    gone = 0
    while True:
        with engine.begin() as connection:
            merged = compact(connection, NOW - DAY, lines=lines)
        if not merged:
            return gone
        gone += merged


def holes_by_counting(lines: Sequence[dict[str, object]]) -> list[Hole]:
    """The holes as a person would find them: tick off every offset."""
    seen: dict[int, set[int]] = defaultdict(set)
    for one in lines:
        seen[int(str(one["partition"]))] |= set(
            range(int(str(one["first_offset"])), int(str(one["last_offset"])) + 1)
        )
    found = []
    for partition, offsets in sorted(seen.items()):
        missing = sorted(set(range(min(offsets), max(offsets))) - offsets)
        starts = [o for o in missing if o - 1 not in missing]
        ends = [o for o in missing if o + 1 not in missing]
        found += [Hole("raw", partition, *ends_of) for ends_of in zip(starts, ends, strict=True)]
    return found


STEPS = st.tuples(
    st.sampled_from([0, 0, 0, 1, 2, -1, -6]),  # from the end of the partition's last line: on, a hole, read again
    st.integers(0, 5),
    st.integers(0, 1),
    st.sampled_from([100, 25, 100, 23, 1]),
    st.integers(0, 3),
)


def walk(steps: Sequence[tuple[int, int, int, int, int]]) -> list[dict[str, object]]:
    """Lines that mostly follow one another, of every age."""
    ends = [0, 0]
    lines = []
    for step, length, partition, hours, repeats in steps:
        first = max(0, ends[partition] + step)
        ends[partition] = first + length + 1
        lines.append(line(first, first + length, partition, timedelta(hours=hours), min(repeats, length)))
    return lines


LINES = st.lists(STEPS, max_size=30).map(walk)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES, st.sampled_from([2, 3, 7, 100]))
def test_merging_changes_nothing_that_the_ledger_says(
    engine: Engine, lines: list[dict[str, object]], at_once: int
) -> None:
    """Holes, totals by fate and newest offsets stay, whatever lines there are: gaps, overlaps, repeats, any age."""
    fill(engine, lines)
    with engine.connect() as connection:
        before = said(connection)
        assert [hole for covered in coverage(connection) for hole in covered.holes] == holes_by_counting(lines)
    merge(engine, at_once)
    with engine.connect() as connection:
        assert said(connection) == before
        parts = connection.scalar(text("SELECT coalesce(sum(merged_lines), 0) FROM offset_ledger"))
    assert parts == len(lines)


def test_a_partition_becomes_one_line_and_its_recent_ones(engine: Engine) -> None:
    """What is older than the time to keep is one line; younger lines stay as they were written."""
    old = [line(n * 10, n * 10 + 9) for n in range(50)]
    young = [line(n * 10, n * 10 + 9, age=timedelta(hours=23)) for n in range(50, 55)]
    fill(engine, old + young)
    assert merge(engine, lines=20) == 49
    assert shape(engine) == [(0, 499, 50), *((n * 10, n * 10 + 9, 1) for n in range(50, 55))]
    assert merge(engine) == 0


def test_no_line_reaches_over_a_hole(engine: Engine) -> None:
    """A hole parts the lines for good, and goes on being named."""
    fill(engine, [line(0, 9), line(10, 19), line(30, 39), line(40, 49)])
    merge(engine)
    assert shape(engine) == [(0, 19, 2), (30, 49, 2)]
    with engine.connect() as connection:
        assert coverage(connection)[0].holes == [Hole("raw", 0, 20, 29)]


def test_records_read_twice_stay_counted_twice(engine: Engine) -> None:
    """Lines that overlap, after a crash, become one line with the sums of both."""
    fill(engine, [line(0, 99), line(100, 199), line(100, 179, repeats=80), line(180, 299, repeats=20)])
    merge(engine)
    assert shape(engine) == [(0, 299, 4)]
    with engine.connect() as connection:
        assert totals(connection) == {"stored": 300, "repeats": 100, "revisions": 0, "dead_lettered": 0}


def test_full_lines_are_left_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of 32 bits cannot overflow: a line with so many records takes no more."""
    monkeypatch.setattr(ledger_compaction, "FULL_LINE_RECORDS", 20)
    fill(engine, [line(n * 10, n * 10 + 9) for n in range(9)])
    merge(engine, lines=3)
    assert all(last - first + 1 < 40 for first, last, _ in shape(engine))
    with engine.connect() as connection:
        assert coverage(connection)[0].holes == []
        assert totals(connection)["stored"] == 90


def test_merging_that_is_killed_has_merged_nothing(engine: Engine) -> None:
    """The session ends before the commit, as by kill -9: every line is there as before, and the next one gets on."""
    lines = [line(n * 10, n * 10 + 9) for n in range(30)]
    fill(engine, lines)
    with engine.connect() as connection:
        assert compact(connection, NOW - DAY) == 29
        own = connection.scalar(text("SELECT pg_backend_pid()"))
        with engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})
        with pytest.raises(OperationalError):
            connection.commit()
        connection.invalidate()
    assert shape(engine) == [(n * 10, n * 10 + 9, 1) for n in range(30)]
    assert merge(engine) == 29


def test_of_two_mergers_one_works(engine: Engine) -> None:
    """A second one, at the same time, leaves the lines to the first."""
    fill(engine, [line(0, 9), line(10, 19)])
    with engine.begin() as first:
        assert compact(first, NOW - DAY) == 1
        with engine.begin() as second:
            assert compact(second, NOW - DAY) == 0
    assert shape(engine) == [(0, 19, 2)]


def test_merging_beside_workers_loses_no_line(engine: Engine) -> None:
    """Workers write while lines are merged as soon as they are written: no hole, and every record counted."""
    fill(engine, [])
    done = threading.Event()

    def work(partition: int) -> None:
        for n in range(150):
            with engine.begin() as connection:
                written = LedgerLine("raw", partition, n * 5, n * 5 + 4, 5, 0, 0, 0, START)
                write_lines(connection, [written])

    def write() -> None:
        threads = [threading.Thread(target=work, args=(partition,)) for partition in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    merged = 0
    while not done.is_set():
        with engine.begin() as connection:
            merged += compact(connection, datetime.now(UTC) + DAY)
        with engine.connect() as connection:
            assert [hole for covered in coverage(connection) for hole in covered.holes] == []
    writer.join()
    assert merged > 0
    with engine.connect() as connection:
        assert totals(connection)["stored"] == 2 * 150 * 5
        assert next_offsets(connection, "raw") == {0: (750, START), 1: (750, START)}
