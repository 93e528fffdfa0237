"""`opinion audit`: proof that nothing was skipped, that counts equal rows, and that every document is whole."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text
from sqlalchemy import Engine

from core.errors import GateRefusedError
from core.settings import load_settings
from opinion.auditing import check_offsets
from opinion.servers import servers
from storage.audit import AuditReport, report_of
from storage.audit_rounds import load_state, suspects
from storage.audit_walk import Walk, walk_rows
from storage.engine import connect
from storage.rollups import RolledUpDifference, differences
from storage.row_audit import estimated_rows, partition_faults, snapshot
from streams import topics
from streams.offsets import OffsetReader

SHOWN: Final = 3  # of each kind, to a person; --json names more
CATALOGUE_TIMEOUT: Final = timedelta(seconds=10)
ROLL_UP_TIMEOUT: Final = timedelta(minutes=10)
ROLLED_UP_DAYS: Final = timedelta(days=7)
stderr = Console(stderr=True)


def audit(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    seconds: Annotated[float, typer.Option(help="Check rows for so long, the newest first.", min=1)] = 30,
    full: Annotated[bool, typer.Option("--full", help="Check every row, however long it takes.")] = False,
) -> None:
    """Check, on a running system, that no offset was skipped and that counts, keys and history agree with the rows.

    The offsets are checked whole. Rows are checked from the newest backwards, after those in which the scheduler
    has found something wrong. Writes nothing. Exit code 5 when something is not as it must be.

    Example: opinion audit --json
    """
    settings = load_settings()
    topic = settings.kafka.topic_prefix + topics.RAW
    started = time.monotonic()
    with servers(settings) as addresses:
        reader = OffsetReader(addresses.kafka_bootstrap, settings.group, topic)
        engine = connect(addresses.database_url)
        try:
            ledger = check_offsets(engine, reader, topic)
            walk = _walk(engine, topic, None if full else seconds)
            with snapshot(engine, CATALOGUE_TIMEOUT) as connection:
                report = report_of(ledger, walk.slices, walk.lost_keys, partition_faults(connection))
            report = replace(report, roll_ups=_roll_ups(engine, walk, is_full=full))
        finally:
            reader.close()
            engine.dispose()
    checked = {
        "from": walk.oldest,
        "to": walk.newest,
        "rows": walk.documents,
        "keys": walk.keys,
        "seconds": round(time.monotonic() - started, 2),
        "is_complete": walk.is_complete,
    }
    if as_json:
        body = {"is_clean": report.is_clean, **asdict(report), "checked": checked}
        typer.echo(json.dumps(body, default=str, ensure_ascii=False))
    else:
        _print(report, checked)
    if not report.is_clean:
        raise GateRefusedError("the audit found faults", remedy="docs/how-to/audit-a-live-system.md says what to do")


def _walk(engine: Engine, topic: str, seconds: float | None) -> Walk:
    """With a progress bar on a terminal when it may take long."""
    with snapshot(engine, CATALOGUE_TIMEOUT) as connection:
        total = estimated_rows(connection)
        known = suspects(load_state(connection, topic))
    is_quiet = seconds is not None or not stderr.is_terminal
    with Progress(console=stderr, transient=True, disable=is_quiet) as bar:
        task = bar.add_task("rows and keys", total=total or None)
        return walk_rows(engine, known, seconds, lambda rows: bar.advance(task, rows))


def _roll_ups(engine: Engine, walk: Walk, *, is_full: bool) -> list[RolledUpDifference]:
    """Of the days whose rows were checked, the newest `ROLLED_UP_DAYS` unless all are asked for."""
    if walk.oldest is None or walk.newest is None:
        return []
    oldest = walk.oldest if is_full else max(walk.oldest, walk.newest - ROLLED_UP_DAYS)
    with snapshot(engine, ROLL_UP_TIMEOUT) as connection:
        return differences(connection, oldest, walk.newest)


def _print(report: AuditReport, checked: dict[str, Any]) -> None:
    table = Table("what", "found", title="Audit: clean" if report.is_clean else "Audit: not clean")
    part = "all there are" if checked["is_complete"] else f"from {checked['from']} on; the rest was not checked"
    table.add_row("documents checked", f"{checked['rows']:,} in {checked['seconds']} s: {part}")
    table.add_row("ledger lines", f"{report.ledger_lines:,}")
    kinds: dict[str, Sequence[Any]] = {
        "holes": report.holes,
        "acknowledged, not settled": report.unsettled,
        "expired before they were read": report.expired,
        "settled beyond the log's end": report.ahead,
        "counts that differ from rows": report.differences,
        "documents, keys, history": report.row_faults,
        "partitions of document": report.partition_faults,
        "hours and days that differ from minutes": report.roll_ups,
    }
    for name, found in kinds.items():
        lines = [str(len(found)), *(_line(fault) for fault in found[:SHOWN])]
        table.add_row(name, Text("\n".join(lines)))  # not markup: ids and sources are other people's words
    Console().print(table)


def _line(fault: Any) -> str:
    if isinstance(fault, str):
        return fault
    values = asdict(fault).items()
    return ", ".join(f"{name} {value!r}" if isinstance(value, str) else f"{name} {value}" for name, value in values)
