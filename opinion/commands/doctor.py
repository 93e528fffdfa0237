"""`opinion doctor`: is everything here that the product needs, and what to do about what is not."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.errors import GateRefusedError
from core.settings import load_settings
from opinion.checks import Check, run_checks

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> None:
    """Check machine, servers, topics, schema, model, lag and scheduler; say the remedy for what is wrong.

    Starts and changes nothing. Exit code 5 when a check failed.

    Example: opinion doctor --json
    """
    checks: list[Check] = []
    with Console(stderr=True).status("Looking …") as status:
        for check in run_checks(load_settings()):
            checks.append(check)
            status.update(f"{check.name}: {check.finding.status}")
    if as_json:
        body = {check.name: asdict(check.finding) for check in checks}
        typer.echo(json.dumps({"is_well": not _failed(checks), "checks": body}, ensure_ascii=False))
    else:
        _show(checks)
    if failed := _failed(checks):
        raise GateRefusedError(f"not well: {', '.join(failed)}", remedy="see the remedies above")


def _failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if check.finding.status == "fail"]


def _show(checks: list[Check]) -> None:
    table = Table("check", "")
    table.add_column("found", overflow="fold")
    table.add_column("next", overflow="fold")
    for check in checks:
        finding = check.finding
        mark = Text(finding.status, style=STYLES[finding.status])
        table.add_row(Text(check.name), mark, Text(finding.detail), Text(finding.remedy or ""))
    Console().print(table)
