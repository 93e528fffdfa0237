"""`opinion alerts feedback`: say of an incident whether it was worth it."""

import getpass
import json
from typing import Annotated

import typer
from rich.console import Console

from core.settings import load_settings
from opinion.servers import database
from storage import feedback
from storage.feedback import Verdict


def give_feedback(
    incident_id: Annotated[int, typer.Argument(metavar="ID")],
    verdict: Annotated[Verdict, typer.Argument(help="useful, noise, or late: true, but told too late.")],
    comment: Annotated[str, typer.Option(help="In your words.")] = "",
    by: Annotated[str | None, typer.Option(help="Who says so; you if absent.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Say of an incident whether it was useful; your newest word counts, and gives the precision of its rule.

    Example: opinion alerts feedback 12 noise --comment "same old story"
    """
    who = by or getpass.getuser()
    with database(load_settings()) as engine, engine.begin() as connection:
        feedback.give(connection, incident_id, verdict, by=who, comment=comment)
    if as_json:
        told = {"incident": incident_id, "verdict": verdict, "comment": comment, "by": who}
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        Console().print(f"incident {incident_id}: {verdict}, says {who}", markup=False)
