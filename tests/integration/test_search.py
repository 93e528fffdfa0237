"""Search against a brute-force scan, with and without indexes, and its index job beside writers."""

import json
import random
import threading
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from core.clock import MovableClock
from core.folding import fold
from core.queries import matches, parse_query
from opinion.cli import app
from opinion.search_index import BUILDER_LOCK, SearchIndexJob
from storage.documents import DocumentRow
from storage.engine import connect
from storage.search import PROBED, SearchTooLongError, Wanted, search
from storage.search_slices import Slice, read_slices
from storage.series import Filters, Span
from tests.support.records import START, row
from tests.support.rows import store_rows
from tests.support.waiting import wait_for

run = CliRunner()
PIECES = (
    *(
        "苹果",
        "手机",
        "苹果手机",
        "华为",
        "５Ｇ手机",
        "5G",
        "瑞幸咖啡",
        "果",
        "，",
        "。",
        " ",
        "\n",
        "……",
        "😀",
        "㈱",
        "々",
    ),
    *("AI", "training", "Straße", "STRASSE", "Café", "cafe\u0301", "New York", "new\u3000york", "NEW-YORK", "Привет"),
    *("ΣΊΣΥΦΟΣ", "ᾳ", "İstanbul", "ﬁne", "don't", "C++", "a_b", "\u0f53", "각", "각", "のだ", "'", "\\", "-", "%"),
)
QUERIES = (
    *(
        "苹果",
        "手机",
        "5G手机",
        "果",
        "瑞幸 咖啡",
        "华为 NOT 苹果",
        "苹果 OR (AI 手机)",
        "AI",
        "train*",
        "strasse",
        "straße",
    ),
    *("café", "caf*", '"new york"', "new-york", "привет", "σίσυφοσ", "αι", "i̇stanbul", "fine", "don't", "c++", "😀"),
    *(
        "...",
        "(株)",
        "NOT 苹果",
        "人",
        "々",
        "a_b",
        "각",
        "のだ",
        "'",
        "\\",
        "苹果，手机",
        '"苹果。"',
        "-",
        "%",
        "没有的词",
    ),
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A fresh database."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


def rows_of(count: int, seed: int, *, apart: timedelta = timedelta(minutes=7)) -> list[DocumentRow]:
    """Texts and titles put together from difficult pieces; several at the same moment."""
    rng = random.Random(seed)

    def words() -> str:
        return "".join(rng.choice(PIECES) + rng.choice(("", "", " ")) for _ in range(rng.randint(1, 7)))

    return [
        row(
            f"d{nth:05}",
            nth,
            title=words() if rng.random() < 0.3 else None,
            text=words(),
            published_at=START + nth // 3 * apart,
            source=("forum", "paper")[nth % 5 == 0],
            sentiment=("negative", "positive")[nth % 2],
        )
        for nth in range(count)
    ]


def expected(rows: list[DocumentRow], query: str, **fields: str) -> list[str]:
    """What reading every text finds, newest first."""
    tree = parse_query(query)
    found = [
        one
        for one in rows
        if matches(tree, fold(one.text if one.title is None else f"{one.title}\n{one.text}", simplify=False).text)
        and all(getattr(one, name) == value for name, value in fields.items())
    ]
    return [one.id for one in sorted(found, key=lambda one: (one.published_at, one.id), reverse=True)]


def found(engine: Engine, query: str | None, limit: int = 200, **wanted: object) -> list[str]:
    """The ids of all pages."""
    ids: list[str] = []
    before = None
    while True:
        with engine.connect() as connection:
            tree = parse_query(query) if query is not None else None
            page = search(connection, Wanted(query=tree, before=before, limit=limit, **wanted))  # type: ignore[arg-type]
        ids += [one.id for one in page]
        if len(page) < limit:
            return ids
        before = (page[-1].published_at, page[-1].id)


def slices(engine: Engine) -> list[Slice]:
    with engine.connect() as connection:
        return read_slices(connection)


def index(engine: Engine, now: datetime = START + timedelta(days=400), size: int = 100) -> None:
    """Two runs of the job: a closed month is indexed once it has stopped growing."""
    job = SearchIndexJob(engine, size=size, settle=timedelta(minutes=10), clock=MovableClock(now))
    job(lambda: False)
    job(lambda: False)


@pytest.mark.parametrize("is_indexed", [False, True])
def test_search_finds_what_reading_every_text_finds(engine: Engine, is_indexed: bool) -> None:
    """Scripts, widths, cases, phrases, prefixes and operators, in pages of every size, with an index and without."""
    rows = rows_of(1500, seed=3)
    store_rows(engine, rows)
    if is_indexed:
        index(engine)
        assert slices(engine)
    for query in QUERIES:
        assert found(engine, query) == expected(rows, query), query
    assert found(engine, "苹果", limit=7) == expected(rows, "苹果")
    assert found(engine, "手机", filters=Filters(source="paper")) == expected(rows, "手机", source="paper")
    assert found(engine, "AI", sentiment="negative") == expected(rows, "AI", sentiment="negative")


def test_every_character_is_folded_in_sql_as_in_the_program(engine: Engine) -> None:
    """What the index holds is what is looked up: nothing is missed for a letter of a rare script."""
    letters = [c for c in map(chr, range(1, 0x110000)) if unicodedata.category(c) not in ("Cn", "Co", "Cs")]
    with engine.connect() as connection:
        statement = text(
            "SELECT search_fold(NULL, c) FROM unnest(CAST(:letters AS text[])) WITH ORDINALITY AS t(c, n)"
        )
        folded = list(connection.scalars(statement, {"letters": letters}))
    differing = [
        letter
        for letter, in_sql in zip(letters, folded, strict=True)
        if in_sql != fold(letter, simplify=False).text
        and not letter.isspace()  # stays as it is, and separates all the same
        and not ("\uff01" <= letter <= "\uff5e" and not letter.isalnum())
    ]
    assert differing == []


def test_span_and_watchlist_narrow_a_search(engine: Engine) -> None:
    """Times and mentions are filters like the others, with and without words."""
    said = {"watchlist": "Acme", "mentions": 1, "sentiment": "negative"}
    said |= {"sentiment_scores": {"negative": 1.0, "neutral": 0.0, "positive": 0.0}}
    rows = [
        row(
            f"d{n:03}",
            n,
            text=f"苹果 {n}",
            published_at=START + n * timedelta(minutes=1),
            mentions=[said] * (n % 4 == 0),
        )
        for n in range(PROBED * 3)
    ]
    store_rows(engine, rows)
    span = Span(START + timedelta(minutes=100), START + timedelta(minutes=120))
    for _ in range(2):
        assert found(engine, "苹果", span=span) == [f"d{n:03}" for n in range(119, 99, -1)]
        assert found(engine, "苹果", watchlist="Acme") == [f"d{n:03}" for n in range(596, -1, -4)]
        assert found(engine, None, watchlist="Acme", span=span) == ["d116", "d112", "d108", "d104", "d100"]
        assert found(engine, "苹果", watchlist="acme") == []
        index(engine)


def test_late_revised_and_new_documents_are_found_at_once(engine: Engine) -> None:
    """An index is never behind: neither in its own stretch nor beyond it."""
    store_rows(engine, rows_of(400, seed=5))
    index(engine)
    late = [
        row("late", 1000, text="迟到的奶茶", published_at=START + timedelta(minutes=1)),
        row("d00007", 1001, text="改成奶茶", crawled_at=START + timedelta(days=1)),
        row("newest", 1002, text="新奶茶", published_at=START + timedelta(days=40)),
    ]
    store_rows(engine, late)
    assert found(engine, "奶茶") == ["newest", "d00007", "late"]


def test_a_text_too_long_for_an_index_is_found_to_its_end(engine: Engine) -> None:
    """Of a text with more than 100,000 characters the index holds the beginning; the end is found all the same."""
    rows = [*rows_of(400, seed=8), row("long", 1000, text="\ufdfa" * 6_000 + "奶茶", published_at=START)]
    rows += [row(f"other{n}", 2000 + n, text="别的", published_at=START + timedelta(hours=n)) for n in range(PROBED)]
    store_rows(engine, rows)
    index(engine)
    assert found(engine, "奶茶") == ["long"]
    assert found(engine, "奶茶 NOT 别的") == ["long"]


def test_an_open_month_is_indexed_slice_by_slice_and_merged(engine: Engine) -> None:
    """Its newest documents stay without an index; small slices become one; a closed month is covered whole."""
    rows: list[DocumentRow] = []
    for step in range(9):
        more = [
            one._replace(
                id=f"s{step}{one.id}", published_at=one.published_at + timedelta(hours=step), record_offset=n
            )
            for n, one in enumerate(rows_of(120, seed=step, apart=timedelta(minutes=1)), start=step * 1000)
        ]
        rows += more
        store_rows(engine, more)
        index(engine, now=START + timedelta(hours=step + 1, minutes=10))
        assert found(engine, "苹果") == expected(rows, "苹果")
    open_slices = slices(engine)
    assert 1 < len(open_slices) < 9
    assert all(one.is_valid for one in open_slices)
    store_rows(engine, [row("last", 90_000, text="苹果", published_at=START + timedelta(days=20))])
    index(engine)
    [closed] = slices(engine)
    assert closed.span == Span(datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC))
    assert found(engine, "苹果") == ["last", *expected(rows, "苹果")]


def test_a_month_that_is_being_imported_is_left_alone(engine: Engine) -> None:
    """An index would slow the import down: it comes when the month has stopped growing."""
    clock = MovableClock(START + timedelta(days=400))
    job = SearchIndexJob(engine, size=100, settle=timedelta(minutes=10), clock=clock)
    rows = rows_of(600, seed=9)
    for first in (0, 200, 400):
        store_rows(engine, rows[first : first + 200])
        job(lambda: False)
        assert slices(engine) == []
    job(lambda: False)
    assert len(slices(engine)) == 1


def test_a_half_built_index_is_replaced(engine: Engine) -> None:
    """A build that was killed leaves an index that PostgreSQL calls invalid; the next run builds it anew."""
    store_rows(engine, rows_of(300, seed=2))
    index(engine)
    [built] = slices(engine)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = CAST(:name AS regclass)"),
            {"name": built.name},
        )
    assert found(engine, "苹果")  # by reading
    index(engine)
    assert [one.is_valid for one in slices(engine)] == [True]


def test_one_builder_at_a_time_and_none_after_the_term(engine: Engine) -> None:
    """A second scheduler, or one whose term has ended, builds nothing."""
    store_rows(engine, rows_of(300, seed=2))
    clock = MovableClock(START + timedelta(days=400))
    job = SearchIndexJob(engine, size=100, settle=timedelta(minutes=10), clock=clock)
    job(lambda: False)
    job(lambda: True)
    assert slices(engine) == []
    with engine.connect() as other:
        other.execute(text("SELECT pg_advisory_lock(:key)"), {"key": BUILDER_LOCK})
        job(lambda: False)
        assert slices(engine) == []
        other.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": BUILDER_LOCK})
    job(lambda: False)
    assert len(slices(engine)) == 1


def test_documents_are_stored_while_an_index_is_built(engine: Engine) -> None:
    """A transaction that is open keeps the build waiting, and the build keeps no writer waiting."""
    store_rows(engine, rows_of(300, seed=2))
    clock = MovableClock(START + timedelta(days=400))
    job = SearchIndexJob(engine, size=100, settle=timedelta(minutes=10), clock=clock)
    job(lambda: False)
    with engine.connect() as writer:
        writer.execute(text("UPDATE document SET likes = 1 WHERE id = 'd00001'"))
        building = threading.Thread(target=job, args=(lambda: False,))
        building.start()
        wait_for(lambda: [one for one in slices(engine) if not one.is_valid], 10, "the build to begin")
        store_rows(engine, [row("during", 5000, text="奶茶", published_at=START)])
        assert found(engine, "奶茶") == ["during"]
        writer.commit()
    building.join(20)
    assert [one.is_valid for one in slices(engine)] == [True]
    assert found(engine, "奶茶") == ["during"]


def test_a_search_that_takes_too_long_is_given_up(engine: Engine) -> None:
    """It ends with what to do, not with the database's error."""
    store_rows(engine, rows_of(3000, seed=1))
    with engine.connect() as connection, pytest.raises(SearchTooLongError, match="given up"):
        search(connection, Wanted(query=parse_query("没有的词 OR zzz*")), seconds=0.001)


def test_the_command_finds_pages_and_explains(
    database_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--json` gives documents and the cursor of the next page; people get lines."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    rows = [row(f"d{n}", n, text=f"[bold]奶茶 {n}", published_at=START + n * timedelta(hours=1)) for n in range(5)]
    rows += [row(f"c{n}", 10 + n, text=f"评论 {n}", kind="comment", parent_id="d1") for n in range(3)]
    store_rows(engine, rows)
    first = json.loads(run.invoke(app, ["search", "奶茶", "--limit", "3", "--json"]).stdout)
    assert [one["id"] for one in first["documents"]] == ["d4", "d3", "d2"]
    rest = json.loads(run.invoke(app, ["search", "奶茶", "--after", first["next"], "--json"]).stdout)
    assert ([one["id"] for one in rest["documents"]], rest["next"]) == (["d1", "d0"], None)
    since = run.invoke(
        app, ["search", "奶茶", "--since", "2024-05-01T15:00Z", "--until", "2024-05-01T16:00Z", "--json"]
    )
    assert [one["id"] for one in json.loads(since.stdout)["documents"]] == ["d3"]
    comments = json.loads(run.invoke(app, ["search", "--comments-of", "d1", "--json"]).stdout)
    assert [one["id"] for one in comments["documents"]] == ["c2", "c1", "c0"]
    narrowed = json.loads(run.invoke(app, ["search", "2", "--comments-of", "d1", "--json"]).stdout)
    assert [one["id"] for one in narrowed["documents"]] == ["c2"]
    assert "[bold]奶茶" in run.invoke(app, ["search", "奶茶"]).stdout
    assert "no document matches" in run.invoke(app, ["search", "没有"]).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["a AND"],
        ['"open'],
        ["x" * 10_000],
        ["a\x00b"],
        ["a", "--source", "\x00"],
        ["a", "--since", "soon"],
        ["a", "--after", "1,2"],
        ["a", "--after", "0001-01-01T00:00+14:00,x"],
    ],
)
def test_wrong_arguments_are_refused_before_any_server_is_asked(arguments: list[str]) -> None:
    """Exit code 2 and a sentence, no traceback."""
    result = run.invoke(app, ["search", *arguments])
    assert getattr(result.exception, "exit_code", None) == 2, result.output
