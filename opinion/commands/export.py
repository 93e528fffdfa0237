"""`opinion export`: rows of a view into a file or a pipe."""

import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import typer
from psycopg import Connection
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import Engine

from core.errors import UsageError
from core.settings import Settings, load_settings
from core.taxonomy import Sentiment
from core.times import parse_time
from opinion.servers import servers
from storage import export_formats, exports
from storage.engine import connect
from storage.export_formats import Format
from storage.exports import Narrowed

stderr = Console(stderr=True)


def export(
    view: Annotated[str, typer.Argument(help="A view of schema bi: document, mention, sentiment_hour, incident, …")],
    format_: Annotated[
        Format | None, typer.Option("--format", help="By the name of the file if absent, else csv.")
    ] = None,
    out: Annotated[str, typer.Option(metavar="FILE", help="- is stdout; .gz behind .csv or .jsonl packs it.")] = "-",
    since: Annotated[str | None, typer.Option("--from", help="From then on: 2026-03-01 or with a time.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Before then.")] = None,
    topic: Annotated[str | None, typer.Option(help="Only on this topic.")] = None,
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    watchlist: Annotated[str | None, typer.Option(help="Only what mentions this one.")] = None,
    lang: Annotated[str | None, typer.Option(help="Only in this language, such as zh.")] = None,
    sentiment: Annotated[Sentiment | None, typer.Option(help="Only with this sentiment.")] = None,
    raw_cells: Annotated[
        bool, typer.Option("--raw-cells", help="CSV: leave cells alone that a spreadsheet takes for formulas.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout; needs --out FILE.")] = False,
) -> None:
    """Write the rows of a view as CSV, lines of JSON, or Parquet, however many they are, in little memory.

    All rows are of one moment. A file appears when it is whole, or not at all. In CSV a text that a spreadsheet would
    take for a formula gets an apostrophe before it.

    Example: opinion export mention --watchlist 奶茶 --from 2026-03-01 --out mentions.parquet
    """
    settings = load_settings()
    options = {"topic": topic, "source": source, "watchlist": watchlist, "lang": lang, "sentiment": sentiment}
    equal = {name: value for name, value in options.items() if value is not None}
    for name, value in equal.items():
        if "\x00" in value:
            raise UsageError(f"--{name}: a NUL character matches nothing")
    chosen = _format(format_, out)
    if as_json and out == "-":
        raise UsageError("--json: stdout is taken by the rows", remedy="give --out FILE")
    narrowed = Narrowed(_time("from", since, settings), _time("to", until, settings), equal)
    started = time.monotonic()
    with servers(settings, need_kafka=False) as addresses:
        engine = connect(addresses.database_url)
        try:
            with _snapshot(engine) as connection, _destination(out) as file:
                rows = _write(connection, view, chosen, narrowed, file, raw_cells)
        finally:
            engine.dispose()
    seconds = time.monotonic() - started
    if as_json:
        body = {"out": out, "format": chosen, "rows": rows, "bytes": Path(out).stat().st_size}
        typer.echo(json.dumps({**body, "seconds": round(seconds, 2)}, ensure_ascii=False))
    elif out != "-":
        stderr.print(f"{rows:,} rows in {out}, {seconds:.1f} s", highlight=False, markup=False)


def _write(
    connection: Connection[Any], view: str, format_: Format, narrowed: Narrowed, file: BinaryIO, is_raw: bool
) -> int:
    name = exports.view_named(connection, view)
    columns = exports.columns_of(connection, name)
    look = (SpinnerColumn(), TextColumn("{task.description}: {task.completed:,} rows"), TimeElapsedColumn())
    with Progress(*look, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task(f"bi.{name}", total=None)

        def on_progress(rows: int) -> None:
            bar.update(task, completed=rows)

        try:
            if format_ == "csv":
                return export_formats.write_csv(connection, name, columns, narrowed, file, on_progress, is_raw=is_raw)
            write = export_formats.write_jsonl if format_ == "jsonl" else export_formats.write_parquet
            return write(connection, name, columns, narrowed, file, on_progress)
        except BaseException:  # Ctrl-C, too: the server must not go on for nobody
            connection.cancel_safe()
            raise


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection[Any]]:
    """A read-only transaction that sees one moment, and may take as long as it takes."""
    with engine.connect() as pooled:
        connection = cast("Connection[Any]", pooled.connection.driver_connection)
        connection.rollback()  # what the pool's check has begun
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SET LOCAL statement_timeout = 0")
        yield connection


@contextmanager
def _destination(out: str) -> Iterator[BinaryIO]:
    """Where the rows go. A file is written beside its place and moved there when it is whole."""
    if out == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(out)
    if not target.parent.is_dir():
        raise UsageError(f"--out: there is no folder {target.parent}")
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as plain:
            if out.endswith(".gz"):
                with gzip.open(plain, "wb", compresslevel=3) as packed:
                    yield cast("BinaryIO", packed)
            else:
                yield plain
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)  # as `open` would have made it
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _format(given: Format | None, out: str) -> Format:
    suffix = Path(out.removesuffix(".gz")).suffix.removeprefix(".")
    chosen = given or (cast("Format", suffix) if suffix in export_formats.FORMATS else "csv")
    if chosen == "parquet" and out == "-" and sys.stdout.isatty():
        raise UsageError("--format parquet: a terminal cannot show it", remedy="give --out FILE")
    if chosen == "parquet" and out.endswith(".gz"):
        raise UsageError("--out: Parquet is packed already", remedy="leave .gz out")
    return chosen


def _time(option: str, value: str | None, settings: Settings) -> datetime | None:
    try:
        return None if value is None else parse_time(value, settings.zone)
    except ValueError as error:
        raise UsageError(f"--{option}: {error}", remedy="for example 2026-03-01T08:00+08:00") from error
