"""Rows on their way out of PostgreSQL as CSV, lines of JSON, or Parquet: never more than a few thousand in memory.

CSV and JSON are made by PostgreSQL itself and passed on as they come (COPY); Parquet is made here, from a cursor on
the server. Cells that a spreadsheet would take for a formula get an apostrophe before them (OWASP, "CSV Injection"),
unless they are asked for as they are.
"""

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Final, Literal, get_args

from psycopg import Connection, sql

from storage.exports import TEXT_TYPES, Column, Narrowed, rows_of

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: Final = get_args(Format)
FETCHED: Final = 5_000  # rows from the server at a time
ROW_GROUP: Final = 50_000  # rows; fewer where they are long
GROUP_BYTES: Final = 32 << 20
TOLD_EVERY: Final = 1_000  # rows

FORMULA: Final = "^[=+\\-@\\t\\r\\n＝＋－＠]"
"""First characters of a formula, full-width ones among them."""

_AS_IT_IS: Final = sql.SQL("FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02'")
"""JSON holds neither of these two characters, so that COPY leaves each line as it is."""

OnProgress = Callable[[int], None]


def write_csv(
    connection: Connection[Any],
    view: str,
    columns: Sequence[Column],
    narrowed: Narrowed,
    out: BinaryIO,
    on_progress: OnProgress,
    *,
    is_raw: bool = False,
) -> int:
    """A header and a line a row; returns how many rows.

    Args:
        is_raw: leave cells that look like formulas as they are.
    """
    shown = [_cell(one, is_raw) for one in columns]
    query = rows_of(view, columns, narrowed, shown)
    return _copy(connection, query, sql.SQL("FORMAT csv, HEADER"), out, on_progress) - 1


def write_jsonl(
    connection: Connection[Any],
    view: str,
    columns: Sequence[Column],
    narrowed: Narrowed,
    out: BinaryIO,
    on_progress: OnProgress,
) -> int:
    """An object a line; returns how many rows."""
    query = rows_of(view, columns, narrowed, [sql.SQL("row_to_json(v)::text")])
    return _copy(connection, query, _AS_IT_IS, out, on_progress)


def write_parquet(
    connection: Connection[Any],
    view: str,
    columns: Sequence[Column],
    narrowed: Narrowed,
    out: BinaryIO,
    on_progress: OnProgress,
) -> int:
    """A file with a type for each column and row groups of some megabytes; returns how many rows."""
    import pyarrow as pa  # a third of a second, which no other command should wait for
    from pyarrow import parquet

    fields = [_field(pa, one) for one in columns]
    schema = pa.schema([(one.name, type_) for one, (type_, _) in zip(columns, fields, strict=True)])
    query = rows_of(view, columns, narrowed, [expression for _, expression in fields])
    rows, group, held = 0, [], 0
    with (
        connection.cursor("export", binary=True) as cursor,
        parquet.ParquetWriter(out, schema, compression="zstd") as writer,
    ):
        cursor.execute(query)
        while fetched := cursor.fetchmany(FETCHED):
            arrays = [
                pa.array(values, type=type_)
                for values, (type_, _) in zip(zip(*fetched, strict=True), fields, strict=True)
            ]
            group.append(pa.record_batch(arrays, schema=schema))
            rows, held = rows + len(fetched), held + group[-1].nbytes
            on_progress(rows)
            if held >= GROUP_BYTES or sum(one.num_rows for one in group) >= ROW_GROUP:
                writer.write_table(pa.Table.from_batches(group))
                group, held = [], 0
        if group:
            writer.write_table(pa.Table.from_batches(group))
    return rows


def _copy(
    connection: Connection[Any], query: sql.Composed, options: sql.SQL, out: BinaryIO, on_progress: OnProgress
) -> int:
    """COPY the query's rows; returns how many lines. libpq gives each line by itself, whatever it holds."""
    lines = 0
    statement = sql.SQL("COPY ({}) TO STDOUT ({})").format(query, options)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for line in copy:
            out.write(line)
            lines += 1
            if lines % TOLD_EVERY == 0:
                on_progress(lines)
    on_progress(lines)
    return lines


def _cell(column: Column, is_raw: bool) -> sql.Composable:
    name = sql.SQL("v.{}").format(sql.Identifier(column.name))
    if is_raw or column.type not in TEXT_TYPES:
        return name
    return sql.SQL("CASE WHEN {0} ~ {1} THEN '''' || {0} ELSE {0} END AS {2}").format(
        name, sql.Literal(FORMULA), sql.Identifier(column.name)
    )


def _field(pa: Any, column: Column) -> tuple[Any, sql.Composable]:
    """Arrow's type of a column, and how it is asked for."""
    name = sql.SQL("v.{}").format(sql.Identifier(column.name))
    types: dict[int, Any] = {
        16: pa.bool_(),
        17: pa.binary(),
        20: pa.int64(),
        21: pa.int16(),
        23: pa.int32(),
        700: pa.float32(),
        701: pa.float64(),
        1082: pa.date32(),
        1184: pa.timestamp("us", tz="UTC"),
        1007: pa.list_(pa.int32()),
        1009: pa.list_(pa.string()),
        1016: pa.list_(pa.int64()),
        1021: pa.list_(pa.float32()),
        1022: pa.list_(pa.float64()),
    }
    if column.type == 1700:  # numeric: shares and rates, of few digits
        return pa.float64(), sql.SQL("{}::float8").format(name)
    if column.type in types:
        return types[column.type], name
    return pa.string(), sql.SQL("{}::text").format(name)
