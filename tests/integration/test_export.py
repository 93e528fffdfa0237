"""`opinion export`: what comes out is what is stored, in every format, whatever the texts say."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from core.errors import NotFoundError, UsageError
from opinion.cli import app
from opinion.commands.export import _destination
from storage.engine import connect
from tests.support.records import START, row, says
from tests.support.rows import store_rows

HOSTILE = [
    '=HYPERLINK("http://x","a")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\tstarts with a tab",
    "＝1",
    'plain, "quoted"\nand a second line',
    "反斜杠 \\ 与 \\n 和 \u2028 🙂",
    "\\.",
]


@pytest.fixture
def engine(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A database with hostile texts, the settings pointing at it."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    engine = connect(database_url)
    rows = [
        row(
            f"d{nth}",
            nth,
            text=said,
            published_at=START + timedelta(hours=nth),
            source=("forum", "paper")[nth % 2],
            mentions=[says("tea")] if nth % 3 == 0 else None,
        )
        for nth, said in enumerate(HOSTILE)
    ]
    store_rows(engine, rows)
    yield engine
    engine.dispose()


def run(*arguments: str) -> Result:
    """The command; its errors are raised."""
    return CliRunner().invoke(app, ["export", *arguments], catch_exceptions=False)


def rows_of(printed: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(printed, newline="")))


@pytest.mark.usefixtures("engine")
def test_csv_holds_no_formula_unless_it_is_asked_for() -> None:
    """A text that a spreadsheet would run comes with an apostrophe; the rest, numbers too, comes as it is stored."""
    found = {one["id"]: one for one in rows_of(run("documents").stdout)}
    said = [found[f"d{nth}"]["text"] for nth in range(len(HOSTILE))]
    assert said == [f"'{one}" for one in HOSTILE[:6]] + HOSTILE[6:]
    raw = {one["id"]: one["text"] for one in rows_of(run("documents", "--raw-cells").stdout)}
    assert [raw[f"d{nth}"] for nth in range(len(HOSTILE))] == HOSTILE
    assert found["d0"]["score_negative"] == "0.875"


@pytest.mark.usefixtures("engine")
def test_lines_of_json_and_parquet_hold_what_is_stored(tmp_path: Path) -> None:
    """Nothing is escaped twice, and each column of Parquet has its type."""
    lines = [json.loads(line) for line in run("document", "--format", "jsonl").stdout.split("\n")[:-1]]
    assert sorted(one["text"] for one in lines) == sorted(HOSTILE)
    assert lines[0]["topic_scores"] == {"finance": 0.9}
    done = run("bi.document", "--out", str(tmp_path / "all.parquet"), "--json")
    assert json.loads(done.stdout)["rows"] == len(HOSTILE)
    table = parquet.read_table(tmp_path / "all.parquet")
    assert sorted(table["text"].to_pylist()) == sorted(HOSTILE)
    assert table.schema.field("published_at").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("score_negative").type == pa.float32()
    run("sentiment_day", "--out", str(tmp_path / "days.parquet"))
    days = parquet.read_table(tmp_path / "days.parquet")
    assert days.schema.field("local_day").type == pa.date32()
    assert days.schema.field("negative_share").type == pa.float64()
    assert sum(days["total"].to_pylist()) == len(HOSTILE)
    empty = run("document", "--topic", "none", "--out", str(tmp_path / "empty.parquet"), "--json")
    assert json.loads(empty.stdout)["rows"] == 0


@pytest.mark.usefixtures("engine")
def test_every_view_comes_out_as_parquet(engine: Engine, tmp_path: Path) -> None:
    """Whatever types its columns have."""
    with engine.connect() as connection:
        names = connection.scalars(text("SELECT table_name FROM information_schema.views WHERE table_schema = 'bi'"))
        for name in names.all():
            assert run(name, "--out", str(tmp_path / f"{name}.parquet")).exit_code == 0, name


@pytest.mark.usefixtures("engine")
def test_filters_narrow_what_comes_out(tmp_path: Path) -> None:
    """By time, source and watchlist, of rows and of counts; a packed file is packed."""
    at = (START + timedelta(hours=2)).isoformat()
    found = rows_of(run("documents", "--from", at, "--source", "forum", "--watchlist", "tea").stdout)
    assert [one["id"] for one in found] == ["d6"]
    assert len(rows_of(run("mentions", "--to", at).stdout)) == 1
    out = tmp_path / "hours.csv.gz"
    run("watchlist_hour", "--watchlist", "tea", "--out", str(out))
    with gzip.open(out, "rt", newline="") as lines:
        assert sum(int(one["total"]) for one in csv.DictReader(lines)) == 3
    assert [one.name for one in tmp_path.iterdir()] == ["hours.csv.gz"]


@pytest.mark.usefixtures("engine")
def test_what_cannot_be_exported_is_refused_with_what_can(tmp_path: Path) -> None:
    """The name of a view, a filter that it has no column for, a place that is none: each with what to do."""
    with pytest.raises(NotFoundError, match="no view 'nothing'") as unknown:
        run("nothing")
    assert "sentiment_hour" in (unknown.value.remedy or "")
    with pytest.raises(UsageError, match="has no column sentiment"):
        run("sentiment_hour", "--sentiment", "negative")
    with pytest.raises(UsageError, match="--from"):
        run("sentiment_hour", "--from", "yesterday-ish")
    with pytest.raises(UsageError, match="there is no folder"):
        run("document", "--out", str(tmp_path / "none" / "x.csv"))
    with pytest.raises(UsageError, match="stdout is taken"):
        run("document", "--json")


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    """An export that breaks off leaves the file of the last one, and nothing beside it."""
    target = tmp_path / "all.csv"
    target.write_text("before")

    def break_off() -> None:
        with _destination(str(target)) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]
