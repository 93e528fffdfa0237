"""`opinion alerts verify`: every figure of an incident's frozen evidence, worked out again from SQL."""

import json
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.reasons.verifying import Because, Check, Verification, verify
from alerts.rendering.excerpts import excerpt
from core.errors import GateRefusedError, NotFoundError
from core.settings import load_settings
from opinion.servers import database
from storage import incidents

SHOWN_CHARS: Final = 60
WHY: Final[dict[Because, str]] = {
    "late": "late or revised documents moved it after freezing",
    "erased": "documents were erased after freezing",
    "expired": "its documents have expired",
    "rescored": "its documents were judged again by another model after freezing",
    "no judgement": "what it was judged from was not kept: another version froze it",
    "changed": "no late, revised or erased document explains it: counts or evidence were changed otherwise",
}


def verify_incident(
    incident_id: Annotated[int, typer.Argument(metavar="ID")],
    every: Annotated[bool, typer.Option("--all", help="Earlier evidence of the incident, too.")] = False,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Learn the baselines again, too: seconds for months of counts.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Work out every figure of an incident's evidence again, from counts and documents as they are now.

    Names each figure that differs, and why. Writes nothing. Exit code 5 when any differs.

    Example: opinion alerts verify 12
    """
    with database(load_settings()) as engine, engine.begin() as connection:
        rows = incidents.by_ids(connection, [incident_id])
        if not rows:
            raise NotFoundError(f"there is no incident {incident_id}", remedy="opinion alerts list")
        frozen = incidents.frozen_evidence(connection, incident_id)
        found = [
            verify(connection, rows[0].labels, one, with_baselines=baselines)
            for one in (frozen if every else frozen[:1])
        ]
    if not found:
        raise NotFoundError(f"incident {incident_id} has no evidence: nobody was told of it yet")
    if as_json:
        body = {
            "incident": incident_id,
            "agrees": all(one.agrees for one in found),
            "evidence": [as_json_values(one) for one in found],
        }
        typer.echo(json.dumps(body, ensure_ascii=False))
    else:
        for one in found:
            Console().print(_table(incident_id, one))
            _print_changes(one)
    wrong = [check.name for one in found for check in one.checks if check.agrees is False]
    if wrong:
        raise GateRefusedError(
            f"incident {incident_id}: {', '.join(wrong)} cannot be worked out again as frozen",
            remedy="docs/how-to/read-an-incident.md says what each reason means",
        )


def as_json_values(one: Verification) -> dict[str, Any]:
    """One piece of evidence; what agrees is named without its figures."""
    return {
        "frozen_at": one.frozen_at.isoformat(),
        "agrees": one.agrees,
        "checks": [
            {"name": check.name, "agrees": check.agrees}
            if check.agrees
            else {**asdict(check), "why": WHY[check.because] if check.because else None}
            for check in one.checks
        ],
        "late": asdict(one.changes) if one.changes else None,
        "erased": one.erased,
        "rescored_by": one.rescored_by,
    }


def _table(incident_id: int, one: Verification) -> Table:
    table = Table(
        title=f"incident {incident_id}, evidence of {one.frozen_at:%Y-%m-%d %H:%M} UTC: "
        + ("agrees" if one.agrees else "does not agree")
    )
    for heading in ("figure", "agrees", "frozen", "now", "why"):
        table.add_column(heading)
    for check in one.checks:
        said = "yes" if check.agrees else "cannot say" if check.agrees is None else "no"
        cells = (check.name, said, *_values(check), WHY[check.because] if check.because else "")
        table.add_row(*(Text(cell) for cell in cells))  # Text: crawled names are not markup
    return table


def _values(check: Check) -> tuple[str, str]:
    if isinstance(check.frozen, dict | list) and check.agrees:
        return "", ""
    frozen, now = (excerpt(json.dumps(value, ensure_ascii=False), SHOWN_CHARS) for value in _difference(check))
    return frozen, "" if check.agrees or check.agrees is None else now


def _difference(check: Check) -> tuple[Any, Any]:
    """Of two groups of figures the first that differs."""
    frozen, now = check.frozen, check.recomputed
    if check.agrees is False and isinstance(frozen, list) and isinstance(now, list):
        pairs = [(was, is_now) for was, is_now in zip(frozen, now, strict=False) if was != is_now]
        return pairs[0] if pairs else (f"{len(frozen)} entries", f"{len(now)} entries")
    if check.agrees is False and isinstance(frozen, dict) and isinstance(now, dict):
        names = [name for name in frozen if frozen[name] != now.get(name)]
        return tuple({name: side.get(name) for name in names} for side in (frozen, now))  # type: ignore[return-value]
    return frozen, now


def _print_changes(one: Verification) -> None:
    if one.changes and (one.changes.late or one.changes.revised):
        moved = f"{one.changes.negative:+d} negatives, {one.changes.total:+d} documents"
        said = f"{one.changes.late} late and {one.changes.revised} revised documents since: {moved}"
        Console().print(said, markup=False, highlight=False)
    for version in one.rescored_by:
        Console().print(f"counts re-scored since by model {version}", markup=False, highlight=False)
