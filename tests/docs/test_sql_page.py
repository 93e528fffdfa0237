"""What the page on SQL shows is what comes out, on two known weeks, as a login that can only read.

Every SQL example has a name in the page; `EXPECTED` says what it finds, counted by hand from
`tests.support.analyst_days`.
"""

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from sqlalchemy.engine import make_url

from storage import readers
from storage.engine import connect
from storage.postgres_binaries import wheel_folder
from tests.support.analyst_days import local

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "query-by-sql.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"```sql ([\w-]+)\n(.*?)```", PAGE, re.DOTALL))
EXAMPLES = dict(re.findall(r"```python ([\w-]+)\n(.*?)```", PAGE, re.DOTALL))
WEEK = [date(2026, 3, day) for day in range(9, 16)]
DUCKDB_HOST_IS_AWAY = "DuckDB cannot fetch its postgres extension here"


def topic_days() -> list[list[Any]]:
    finance = [["finance", day, 10, 30.0, 30.0] for day in WEEK]
    food = [["food", day, 10, 60.0, 20.0] for day in WEEK]
    return [*finance, *food, ["sports", WEEK[1], 4, 50.0, None], ["tech", WEEK[3], 4, 100.0, None], *_tech()]


def _tech() -> list[list[Any]]:
    return [["tech", WEEK[4], 2, 100.0, None]]


EXPECTED: dict[str, list[list[Any]]] = {
    "share-of-voice": [["Acme", 71, 71, 71.7, 59.2], ["Bolt", 28, 28, 28.3, 75.0]],
    "topic-day-week": topic_days(),
    "drivers-of-change": [
        ["forum", "food", 42, 14, 28, 77.8],
        ["blog", "tech", 2, 0, 2, 5.6],
        ["portal", "sports", 2, 0, 2, 5.6],
        ["wire", "tech", 2, 0, 2, 5.6],
        ["daily", "tech", 1, 0, 1, 2.8],
        ["portal", "tech", 1, 0, 1, 2.8],
        ["paper", "finance", 21, 21, 0, 0.0],
    ],
    "comments-of-article": [
        [local(10, 12), "negative", 50, "排队太久", "新店开业", ["Acme"]],
        [local(10, 13), "positive", 7, "好喝", "新店开业", ["Acme"]],
        [local(10, 14), "negative", 3, "太远", "新店开业", ["Acme"]],
    ],
    "comments-on-watchlist": [["新店开业", 3, 2]],
    "models-same-days": [
        [WEEK[2], "forum", 5, 5, 60.0, 60.0],
        [WEEK[2], "paper", 5, 5, 40.0, 20.0],
    ],
    "sources-that-turned": [["forum", 0.2, 0.6, 4.8]],
    "incidents-and-drivers": [
        [2, WEEK[4], "warning", "resolved", "Acme", 12.0, 4.0, None],
        [3, WEEK[3], "warning", "resolved", "forum", 42.0, 6.0, None],
        [
            1,
            WEEK[2],
            "critical",
            "firing",
            "food",
            36.0,
            11.0,
            "cluster: 奶茶店停业; source: forum; term: 过期",
        ],
    ],
    "incident-documents": [[1, "term", "过期", "forum", "forum 11 0"]],
    "labels-against-model": [
        ["negative", "negative", 4, 80.0],
        ["negative", "positive", 1, 20.0],
        ["neutral", "negative", 1, 100.0],
        ["positive", "positive", 2, 100.0],
    ],
    "who-hears-first": [
        ["blog", 2, 1, timedelta(minutes=40)],
        ["wire", 2, 1, timedelta(minutes=20)],
        ["daily", 1, 0, None],
        ["portal", 1, 0, None],
    ],
    "spread-of-story": [
        [local(12, 8), 2, 2, "blog, wire"],
        [local(12, 9), 1, 3, "portal"],
        [local(12, 11), 1, 4, "daily"],
    ],
    "share-with-interval": [
        ["tech", 2, 1.0, 0.342, 1.0],
        ["food", 70, 0.6, 0.483, 0.707],
        ["sports", 4, 0.5, 0.15, 0.85],
        ["finance", 70, 0.3, 0.205, 0.415],
    ],
    "hours-of-week": [
        [1, 1, 20, 40.0],
        [1, 20, 20, 30.0],
    ],
}


@pytest.fixture(scope="module")
def url(analyst_database_url: str) -> Iterator[str]:
    """The two weeks, for a login as the page has it made."""
    name = f"reader_{uuid.uuid4().hex[:6]}"
    engine = connect(analyst_database_url)
    with engine.begin() as connection:
        password = readers.create(connection, name)
    yield make_url(analyst_database_url).set(username=name, password=password).render_as_string(hide_password=False)
    with engine.begin() as connection:
        readers.remove(connection, name)
    engine.dispose()


@pytest.fixture(scope="module")
def reader(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def test_every_query_has_an_answer_to_be_held_against() -> None:
    """There are at least ten worked queries, and none is unchecked."""
    assert list(QUERIES) == list(EXPECTED)
    assert len(QUERIES) >= 10


@pytest.mark.parametrize("name", QUERIES)
def test_query_finds_what_was_counted_by_hand(reader: psycopg.Connection, name: str) -> None:
    """The answer is the expected one, to the last row and digit."""
    rows = [[plain(value) for value in row] for row in reader.execute(QUERIES[name].encode())]
    if name == "hours-of-week":
        rows = [row for row in rows if row[0] == 1]
    assert rows == EXPECTED[name]


@pytest.mark.parametrize("name", QUERIES)
def test_query_scans_no_partition_of_documents(reader: psycopg.Connection, name: str) -> None:
    """With a range of time, documents and mentions are found by index, in the partitions of that range alone."""
    reader.execute("SET enable_seqscan = off")  # a few hundred rows are read faster as they lie
    [[plan]] = reader.execute(b"EXPLAIN (FORMAT JSON) " + QUERIES[name].encode()).fetchall()
    reader.execute("RESET enable_seqscan")
    partitions = [node for node in nodes(plan[0]["Plan"]) if is_partition(node.get("Relation Name", ""))]
    assert bool(partitions) == bool(re.search(r"bi\.(document|mention|comment|copy)\b", QUERIES[name]))
    for node in partitions:
        assert node["Node Type"] != "Seq Scan", node
        assert any("Index Cond" in part or is_of_comments(part) for part in nodes(node)), node
        assert node["Relation Name"].endswith("_y2026m03") or is_looked_up(node), node


def is_partition(relation: str) -> bool:
    return re.match(r"(document|mention)_y\d", relation) is not None


def is_of_comments(node: dict[str, Any]) -> bool:
    """Whether it is the index of comments alone: where they are few, all of it is less than a range of time."""
    return re.match(r"document_y\w+_parent_id_idx", node.get("Index Name", "")) is not None


def is_looked_up(node: dict[str, Any]) -> bool:
    """Whether one document is asked for, by its id or its very time: an article may be of any month."""
    return any(re.search(r"\b((document_)?id|published_at) = ", part.get("Index Cond", "")) for part in nodes(node))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def plain(value: Any) -> Any:
    """Numbers as they are written in `EXPECTED`; times in UTC."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral() and value.as_tuple().exponent >= 0 else float(value)
    return value.astimezone(local(1, 0).tzinfo) if isinstance(value, datetime) else value


def test_psql_prints_what_the_page_asks_for(url: str) -> None:
    """The page's psql line runs as it stands."""
    path = os.pathsep.join([os.environ["PATH"], str(wheel_folder() or "")])
    if shutil.which("psql", path=path) is None:
        pytest.skip("psql is neither on PATH nor in the wheel of PostgreSQL")
    [line] = re.findall(r"^psql .*$", PAGE, re.MULTILINE)
    around = {"URL": url, "PATH": path}
    done = subprocess.run(["sh", "-ec", line], env=around, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "source,total\nforum,140\npaper,140\nportal,5\n"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("pandas", ["2026-03-08 00:00:00+08:00 0.3 0.2", "2026-03-09 00:00:00+08:00 0.3 0.6"]),
        ("duckdb", ["Acme negative 42", "Acme positive 29", "Bolt negative 21", "Bolt positive 7"]),
        ("duckdb-postgres", ["food 140", "finance 140"]),
    ],
)
def test_tools_show_the_same_figures(
    url: str, name: str, shown: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """The page's Python runs as it stands, and prints what SQL counts."""
    monkeypatch.chdir(tmp_path)
    try:
        exec(compile(EXAMPLES[name], name, "exec"), {"URL": url})  # noqa: S102  # the page's own words
    except duckdb.Error as error:
        if "extension" not in str(error).lower():
            raise
        pytest.skip(DUCKDB_HOST_IS_AWAY)
    printed = [" ".join(re.findall(r"[\w.:+-]+", line)) for line in capsys.readouterr().out.splitlines()]
    for line in shown:
        assert any(one.startswith(line) for one in printed), printed


def test_a_login_made_by_hand_has_the_limits(analyst_database_url: str) -> None:
    """The page's statements for an administrator run, and name limits that a reader has."""
    [statements] = re.findall(r"```sql\n(CREATE ROLE.*?)```", PAGE, re.DOTALL)
    with psycopg.connect(analyst_database_url) as connection:
        for statement in statements.strip().split(";\n"):
            connection.execute(statement.rstrip(";").encode())
        connection.rollback()
    for setting, value in re.findall(r"SET (\w+) = '(\w+)'", statements):
        assert readers.LIMITS[setting] == value
