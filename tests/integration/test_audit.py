"""Every kind of damage is named; a healthy system stays clean while it works; a piece costs what lies in it."""

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from core.windows import MINUTE
from storage.audit import AuditReport, LedgerReport, LogStanding, audit, check_ledger, without_passed
from storage.audit_rounds import AuditState, load_state, run_piece, save_state
from storage.audit_walk import walk_rows
from storage.documents import DocumentRow
from storage.engine import connect
from storage.engine import database_url as engine_url
from storage.offset_ledger import Hole, totals
from storage.row_audit import LATEST, Slice, check_slice, next_slice, partition_faults, snapshot
from tests.support.records import START, row
from tests.support.rows import store_rows

TOPIC = "opinion.document.raw.v1"
TIMEOUT = timedelta(seconds=30)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def stored(engine: Engine) -> Engine:
    """Sixty documents over an hour and two months, the first five revised twice; offsets 0 to 69 in seven lines."""
    days = (timedelta(0), timedelta(days=40))
    rows = [row(f"d{n}", n, published_at=START + days[n % 2] + n * MINUTE, text=f"{n}") for n in range(60)]
    rows += [row(f"d{n % 5}", 60 + n, text=f"edit {n}") for n in range(10)]
    for first in range(0, 70, 10):
        store_rows(engine, rows[first : first + 10])
    return engine


def report(engine: Engine) -> AuditReport:
    with engine.connect() as connection:
        return audit(connection, TOPIC, {0: 70})


def damage(engine: Engine, statement: str, minute: int = 0) -> None:
    """One row; `:at` in the statement is so many minutes after the first document."""
    with engine.begin() as connection:
        parameters = {"at": START + minute * MINUTE} if ":at" in statement else {}
        assert connection.execute(text(statement), parameters).rowcount == 1


def test_a_healthy_system_is_clean(stored: Engine) -> None:
    """Documents, revisions and two months: nothing to name, everything checked."""
    found = report(stored)
    assert (found.is_clean, found.first_hole, found.documents, found.ledger_lines) == (True, None, 60, 7)


def test_a_deleted_ledger_line_is_the_first_hole(stored: Engine) -> None:
    """The offsets it settled are named."""
    damage(stored, "DELETE FROM offset_ledger WHERE first_offset = 20")
    found = report(stored)
    assert not found.is_clean
    assert found.first_hole == Hole(TOPIC, 0, 20, 29)


def test_an_altered_count_is_named_with_what_it_should_be(stored: Engine) -> None:
    """Also where only the share of negatives is wrong and the total is right."""
    damage(stored, "UPDATE opinion_minute SET total = total + 2 WHERE bucket_at = :at", minute=6)
    damage(stored, "UPDATE opinion_minute SET negative = 0, neutral = 1 WHERE bucket_at = :at", minute=8)
    assert [(d.bucket_at, d.counted, d.rows) for d in report(stored).differences] == [
        (START + 6 * MINUTE, 3, 1),
        (START + 8 * MINUTE, 1, 1),
    ]


def test_a_lost_document_is_missed_by_count_key_and_history(stored: Engine) -> None:
    """Its minute counts one too many, its key leads nowhere, its versions belong to nothing."""
    damage(stored, "DELETE FROM document WHERE id = 'd2'")
    found = report(stored)
    assert [(d.bucket_at, d.counted, d.rows) for d in found.differences] == [(START + 2 * MINUTE, 1, 0)]
    assert {(f.kind, f.id) for f in found.row_faults} == {("key_without_document", "d2"), ("history_broken", "d2")}


def test_a_doubled_document_is_named(stored: Engine) -> None:
    """A second row of an id, at another time, is not the one its key leads to."""
    with stored.begin() as connection:
        connection.execute(text("CREATE TEMP TABLE copy ON COMMIT DROP AS SELECT * FROM document WHERE id = 'd30'"))
        connection.execute(text("UPDATE copy SET published_at = published_at + interval '90 s'"))
        connection.execute(text("INSERT INTO document SELECT * FROM copy"))
    found = report(stored)
    [fault] = found.row_faults
    assert (fault.kind, fault.id) == ("document_without_key", "d30")
    assert "its key says" in fault.detail
    assert len(found.differences) == 1


def test_a_document_without_its_key_is_named(stored: Engine) -> None:
    """Without the key its id could be stored a second time."""
    damage(stored, "DELETE FROM document_key WHERE id = 'd30'")
    assert [(f.kind, f.id) for f in report(stored).row_faults] == [("document_without_key", "d30")]


@pytest.mark.parametrize("end", ["min", "max"])
def test_a_dropped_revision_is_named(stored: Engine, end: str) -> None:
    """The first or the last version of the history is missing."""
    versions = {
        "min": "DELETE FROM document_revision WHERE id = 'd1' AND revision = 0",
        "max": "DELETE FROM document_revision WHERE id = 'd1' AND revision = 1",
    }
    damage(stored, versions[end])
    [fault] = report(stored).row_faults
    assert (fault.kind, fault.id, fault.published_at.minute) == ("history_broken", "d1", 1)
    assert "revision 2 has 1 versions before it" in fault.detail


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE document DETACH PARTITION document_y2024m05", "document_y2024m05 is no partition"),
        ("CREATE TABLE document_rest PARTITION OF document DEFAULT", "default partition document_rest"),
        ("ALTER TABLE mention DETACH PARTITION mention_y2024m05", "mention_y2024m05 is no partition of mention"),
    ],
)
def test_partitions_that_stop_the_writers_are_named(stored: Engine, statement: str, said: str) -> None:
    """A month that was detached, from either table, and a default partition that keeps months from being made."""
    with stored.begin() as connection:
        connection.execute(text(statement))
    [fault] = report(stored).partition_faults
    assert said in fault


def test_a_role_that_cannot_make_the_next_month_is_named(stored: Engine) -> None:
    """Before the month begins, and every insert fails."""
    with stored.connect() as connection:
        connection.execute(text("CREATE ROLE month_maker_test"))
        connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO month_maker_test"))
        connection.execute(text("SET ROLE month_maker_test"))
        found = partition_faults(connection)
        connection.rollback()
    assert any("month_maker_test cannot make the next partition" in fault for fault in found)


def offsets(engine: Engine, *standings: LogStanding) -> LedgerReport:
    with snapshot(engine, TIMEOUT) as connection:
        return check_ledger(connection, TOPIC, dict(enumerate(standings)))


def test_a_broker_that_agrees_is_clean(stored: Engine) -> None:
    """What is read and not yet acknowledged, what waits, and what nobody has begun are no faults."""
    found = offsets(stored, LogStanding(0, 90, 60), LogStanding(5, 5, None), LogStanding(5, 9, None))
    assert found.is_clean
    assert found.unread == {2: 4}


def test_a_commit_beyond_the_ledger_is_named(stored: Engine) -> None:
    """Records that were acknowledged and never settled, also on a partition that the ledger does not know."""
    found = offsets(stored, LogStanding(0, 90, 80), LogStanding(0, 9, 3))
    assert found.unsettled == [Hole(TOPIC, 0, 70, 79), Hole(TOPIC, 1, 0, 2)]
    assert found.first_hole == Hole(TOPIC, 0, 70, 79)


def test_records_that_expired_unread_are_named(stored: Engine) -> None:
    """The log begins after what was settled, or committed: retention was faster than the workers."""
    found = offsets(stored, LogStanding(75, 90, 70), LogStanding(50, 90, 40))
    assert found.expired == [Hole(TOPIC, 0, 70, 74), Hole(TOPIC, 1, 40, 49)]
    assert not found.is_clean


def test_a_ledger_put_aside_is_no_longer_compared(stored: Engine) -> None:
    """The statement of docs/how-to/audit-a-live-system.md: expired records stop being a hole, totals stay."""
    damage(stored, "DELETE FROM offset_ledger WHERE first_offset = 20")
    log = LogStanding(30, 90, 70)
    assert not offsets(stored, log).is_clean
    page = Path(__file__).parents[2] / "docs" / "how-to" / "audit-a-live-system.md"
    [statement, _] = re.findall(r"```sql\n(.*?);\n```", page.read_text(encoding="utf-8"), re.DOTALL)
    with stored.begin() as connection:
        before = totals(connection)
        statement = statement.replace("partition = 3", "partition = 0").replace("< 1200", "< 30")
        assert connection.execute(text(statement)).rowcount == 2
        assert totals(connection) == before
    assert offsets(stored, log).is_clean


def test_a_beginning_that_was_skipped_is_a_hole(stored: Engine) -> None:
    """The broker still has records before the first that was settled, as after a first run that began too late."""
    damage(stored, "DELETE FROM offset_ledger WHERE first_offset = 0")
    assert offsets(stored, LogStanding(4, 90, 70)).holes == [Hole(TOPIC, 0, 4, 9)]
    assert offsets(stored, LogStanding(10, 90, 70)).is_clean


def test_a_ledger_ahead_of_the_log_is_named_unless_the_log_has_moved(stored: Engine) -> None:
    """The broker lost its tail or the topic was made anew; a log that went on meanwhile is no fault."""
    found = offsets(stored, LogStanding(0, 66, 66))
    assert found.ahead == [Hole(TOPIC, 0, 66, 69)]
    assert not without_passed(found, {0: LogStanding(0, 66, 66)}).is_clean
    assert without_passed(found, {0: LogStanding(0, 70, 66)}).is_clean


def piece(engine: Engine, state: AuditState, rows: int = 40) -> int:
    return run_piece(engine, state, rows, TIMEOUT, NOW, lambda: False)


def test_pieces_go_through_everything_in_rounds(stored: Engine) -> None:
    """Small pieces come to the end of rows and keys, and begin again; any scheduler can go on from SQL."""
    state = AuditState()
    for pieces in itertools.count(1):
        with stored.begin() as connection:
            save_state(connection, TOPIC, state, NOW)
            state = load_state(connection, TOPIC)
        piece(stored, state)
        if state.completed_at:
            break
        assert pieces < 20
    assert pieces > 2
    assert (state.completed_at, state.completed_rows, state.rows) == (NOW, 60, 0)
    assert (state.differences, state.faults) == ([], [])


DAMAGES = {
    "count": (
        "UPDATE opinion_minute SET total = total + 1 WHERE bucket_at = :at",
        "UPDATE opinion_minute SET total = total - 1 WHERE bucket_at = :at",
    ),
    "key": (
        "DELETE FROM document_key WHERE id = 'd0'",
        "INSERT INTO document_key (id, published_at) VALUES ('d0', :at)",
    ),
    "document": (
        "INSERT INTO document_key (id, published_at) VALUES ('never', :at)",
        "DELETE FROM document_key WHERE id = 'never'",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_old_damage_is_found_within_a_round_kept_and_forgotten_after_its_repair(stored: Engine, name: str) -> None:
    """It is known until it is mended, wherever the walk has gone meanwhile, and the next piece sees the repair."""
    wrong, right = DAMAGES[name]
    damage(stored, wrong)
    state = AuditState()
    while not (state.differences or state.faults):
        assert state.completed_at is None
        piece(stored, state)
    for _ in range(3):
        piece(stored, state)
        assert len(state.differences) + len(state.faults) == 1
    damage(stored, right)
    piece(stored, state)
    assert (state.differences, state.faults) == ([], [])


def test_fresh_damage_is_found_by_the_next_piece(stored: Engine) -> None:
    """The newest rows are part of every piece."""
    state = AuditState()
    for _ in range(3):
        piece(stored, state)
    damage(
        stored,
        "UPDATE opinion_minute SET total = total + 1 WHERE bucket_at = (SELECT max(bucket_at) FROM opinion_minute)",
    )
    piece(stored, state)
    assert len(state.differences) == 1


def test_slices_cover_event_time_without_gap_or_overlap(stored: Engine) -> None:
    """Each slice ends where the one before began, none has more rows than asked for, and all rows are in them."""
    walked = []
    with snapshot(stored, TIMEOUT) as connection:
        before = LATEST
        while not walked or walked[-1].rows:
            walked.append(check_slice(connection, next_slice(connection, before, 7)))
            before = walked[-1].span.begin
    assert all(later.span.begin == earlier.span.end for later, earlier in itertools.pairwise(walked))
    assert max(one.rows for one in walked) <= 7
    assert sum(one.rows for one in walked) == 60


def test_a_walk_that_is_out_of_time_says_how_far_it_came(stored: Engine) -> None:
    """What the scheduler knew to be wrong is looked at all the same."""
    damage(stored, "UPDATE opinion_minute SET total = total + 1 WHERE bucket_at = :at")
    cut = walk_rows(stored, [Slice(START, START + MINUTE)], 0, lambda rows: None)
    assert (cut.is_complete, cut.documents, len(cut.slices[0].differences)) == (False, 1, 1)
    told: list[int] = []
    whole = walk_rows(stored, [Slice(START, START + MINUTE)], None, told.append)
    assert (whole.is_complete, whole.documents, whole.keys, sum(told)) == (True, 60, 60, 120)
    assert sum(len(one.differences) for one in whole.slices) == 1


def rows_read(engine: Engine, work: Callable[[], object]) -> int:
    """Rows and index entries that PostgreSQL itself says it has read; the engine has one connection."""

    def seen() -> int:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_stat_force_next_flush()"))
        with engine.connect() as connection:
            return int(
                connection.scalar(
                    text("""
                        SELECT (SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables)
                             + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)
                    """)
                )
                or 0
            )

    before = seen()
    work()
    return seen() - before


def history(count: int, per_minute: int) -> Iterator[list[DocumentRow]]:
    """Documents of many minutes, some revised, in batches."""
    rows = [row(f"h{n}", n, published_at=START + (n // per_minute) * MINUTE) for n in range(count)]
    rows += [row(f"h{n}", count + n, text="edited") for n in range(0, count, 10)]
    for first in range(0, len(rows), 500):
        yield rows[first : first + 500]


def test_a_piece_costs_no_more_when_history_is_ten_times_as_long(database_url: str) -> None:
    """What PostgreSQL reads for a piece depends on the piece, not on the history, with statistics and without."""
    engine = create_engine(engine_url(database_url), pool_size=1, max_overflow=0)
    for batch in history(800, 8):
        store_rows(engine, batch)
    state = AuditState()
    piece(engine, state, rows=200)
    short = rows_read(engine, lambda: piece(engine, state, rows=200))
    for batch in history(8000, 8):
        store_rows(engine, batch)
    state = AuditState()
    piece(engine, state, rows=200)
    long = [rows_read(engine, lambda: piece(engine, state, rows=200))]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    long += [rows_read(engine, lambda: piece(engine, state, rows=200)) for _ in range(8)]
    engine.dispose()
    assert 200 < short < 8000  # of at least 18,000 in the long history, for each of the five queries
    assert max(long) < 1.2 * short


def test_an_audit_beside_a_writer_stays_clean(engine: Engine) -> None:
    """A worker stores, revises and settles meanwhile: no piece and no walk sees half of it."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def write() -> None:
        try:
            for n in itertools.count():
                if stop.is_set() and n > 20:
                    return
                keys = [f"w{(n * 7 + k) % 90}" for k in range(10)]
                store_rows(engine, [row(key, n * 10 + k, text=f"{n}") for k, key in enumerate(keys)])
        except BaseException as error:
            errors.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        state = AuditState()
        for _ in range(15):
            piece(engine, state)
            assert (state.differences, state.faults) == ([], [])
            assert offsets(engine).is_clean
            walk = walk_rows(engine, [], None, lambda rows: None)
            assert [fault for one in walk.slices for fault in (*one.differences, *one.faults)] + walk.lost_keys == []
            with engine.connect() as connection:
                assert audit(connection, TOPIC, {}).is_clean
    finally:
        stop.set()
        writer.join()
    assert errors == []
