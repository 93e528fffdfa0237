"""`opinion audit`: proof that nothing was skipped and that counts equal rows."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from core.errors import GateRefusedError
from core.settings import load_settings
from opinion.servers import servers
from storage import audit as storage_audit
from storage.engine import connect
from streams import topics
from streams.offsets import OffsetReader


def audit(as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> None:
    """Check the offset ledger for holes, the group's offsets against it, and the minute counts against the rows.

    Exit code 5 when something is not as it must be.

    Example: opinion audit --json
    """
    settings = load_settings()
    topic = settings.kafka.topic_prefix + topics.RAW
    with servers(settings) as addresses:
        reader = OffsetReader(addresses.kafka_bootstrap, settings.group, topic)
        committed = {p: s.committed for p, s in reader.standings().items() if s.committed is not None}
        reader.close()
        engine = connect(addresses.database_url)
        with engine.connect() as connection:
            report = storage_audit.audit(connection, topic, committed)
        engine.dispose()
    body = {"is_clean": report.is_clean, **asdict(report)}
    if as_json:
        typer.echo(json.dumps(body, default=str))
    else:
        table = Table(title="Audit", show_header=False)
        for name, value in body.items():
            table.add_row(name.replace("_", " "), str(len(value) if isinstance(value, list | dict) else value))
        Console().print(table)
    if not report.is_clean:
        raise GateRefusedError("the audit found differences", remedy="opinion audit --json names the first ones")
