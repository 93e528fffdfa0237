"""`opinion alerts show`: one incident with its reasons."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from alerts.rendering.excerpts import excerpt
from alerts.rendering.messages import subject
from core.errors import NotFoundError
from core.settings import load_settings
from opinion.commands.json_rows import row_as_json
from opinion.commands.terminal_chart import chart
from opinion.servers import database
from storage import incidents
from storage.incidents import FrozenEvidence, IncidentRow

NAME_CHARS: Final = 48
DIMENSIONS: Final = {
    "cluster": "stories",
    "source": "sources",
    "topic": "topics",
    "watchlist": "watchlists",
    "term": "words",
}
STANDS_FOR: Final = {
    "term": "one of {negative} that say “{name}”",
    "topic": "one of {negative} on {name}",
    "source": "one of {negative} from {name}",
}


def show_incident(
    incident_id: Annotated[int, typer.Argument(metavar="ID")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show an incident with its reasons: figures and their formula, a chart, what drives it, and documents.

    Example: opinion alerts show 12
    """
    settings = load_settings()
    with database(settings) as engine, engine.connect() as connection:
        rows = incidents.by_ids(connection, [incident_id])
        if not rows:
            raise NotFoundError(f"there is no incident {incident_id}", remedy="opinion alerts list")
        frozen = incidents.frozen_evidence(connection, incident_id)
    newest = frozen[0] if frozen else None
    if as_json:
        evidence = {"at": newest.at.isoformat(), "body": newest.body} if newest else None
        typer.echo(json.dumps({"incident": row_as_json(rows[0]), "evidence": evidence}, ensure_ascii=False))
    else:
        Console().print(Group(*_page(rows[0], newest, settings.zone)))


def _page(row: IncidentRow, frozen: FrozenEvidence | None, zone: ZoneInfo) -> Iterator[RenderableType]:
    """Crawled words go in as `Text`: they are not markup."""

    def local(at: datetime | str) -> str:
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at
        return moment.astimezone(zone).strftime("%m-%d %H:%M")

    title = Text(f"incident {row.id} · ", style="bold")
    title.append(excerpt(" · ".join(subject(row.labels)), 120))
    title.append(f" · {row.severity}, {row.status}", style="bold red" if row.status == "firing" else "bold")
    yield title
    until = local(row.ends_at) if row.ends_at else "now"
    yield Text(f"from {local(row.starts_at)} to {until}, detected {local(row.detected_at)} ({zone})")
    if frozen is None:
        yield Text("No evidence: it is frozen when people are told.", style="dim")
        return
    body = frozen.body
    yield from _figures(body, local)
    yield from _chart(body, local)
    yield from _drivers(body)
    yield from _counterfactual(body, local)
    yield from _documents(body, local)
    hints = f"opinion alerts verify {row.id}   opinion explain --incident {row.id}"
    yield Text(f"\nfrozen {local(frozen.at)}; work it out again, or see which words spoke for negative:\n  {hints}")


def _figures(body: Mapping[str, Any], local: Any) -> Iterator[RenderableType]:
    if "observed" not in body or "window_starts_at" not in body:
        return
    window = f"{local(body['window_starts_at'])} to {local(body['window_ends_at'])}"
    between = f" ({body['interval']['lower']} to {body['interval']['upper']})" if "interval" in body else ""
    seen = f"{body['observed']:g} negative of {body['documents_in_window']}"
    if _is_of_all(body):
        seen = f"{body['observed']:g}"
    lines = [f"\n{window}: {seen} documents; {body['expected']:g}{between} expected"]
    if (raw := body.get("raw")) and raw["total"] != body["documents_in_window"]:
        lines.append(f"copies of one another counted each: {raw['negative']} negative of {raw['total']} documents")
    if body.get("share") is not None:
        lines.append(f"share {body['share']:.1%}, usually {body['usual_share']:.1%}")
    if scores := body.get("scores"):
        lines.append(
            f"score {body['score']:g} = {scores['count']:g} by count + {scores['share']:g} by share; "
            f"{scores['threshold']:g} fires"
        )
    if isinstance(severity := body.get("severity"), Mapping):
        limits = "; ".join(
            f"{name} from {limit['excess']:g} more and {limit['ratio']:g} times"
            for name, limit in severity["limits"].items()
        )
        lines.append(f"{severity['name']}: {severity['excess']:g} more, {severity['ratio']:g} times ({limits})")
        least, most = severity.get("at_least", "info"), severity.get("at_most", "critical")
        if (least, most) != ("info", "critical"):
            lines.append(f"its rule calls an incident {least} at least and {most} at most")
    yield Text("\n".join(lines))


def _is_of_all(body: Mapping[str, Any]) -> bool:
    """Whether its rule counts all documents, not negatives."""
    return body.get("counted") == "total"


def _chart(body: Mapping[str, Any], local: Any) -> Iterator[RenderableType]:
    if not (series := body.get("series")):
        return
    start = datetime.fromisoformat(series["starts_at"])
    bucket = timedelta(seconds=series["bucket_seconds"])
    end = start + len(series["negatives"]) * bucket
    what = "documents" if _is_of_all(body) else "negatives"
    yield Text(f"\n{what} per {bucket / timedelta(minutes=1):g} minutes, red above the usual range", style="dim")
    drawn = chart(series["negatives"], series["upper"])
    width = max(len(line) for line in drawn.plain.split("\n"))
    drawn.append(f"        {local(start)}{local(end):>{max(width - 8 - len(local(start)), 1)}}", style="dim")
    drawn.no_wrap = True
    yield drawn


def _drivers(body: Mapping[str, Any]) -> Iterator[RenderableType]:
    for dimension, heading in DIMENSIONS.items():
        drivers = body.get("drivers", {}).get(dimension)
        if not drivers:
            continue
        table = Table(title=f"excess by {heading}", title_justify="left", box=None, padding=(0, 2, 0, 0))
        table.add_column(heading, min_width=24)
        for column in ("documents" if _is_of_all(body) else "negative", "usual", "excess", "of it"):
            table.add_column(column, justify="right")
        other = body.get("drivers_other", {}).get(dimension)
        rest = (
            [{"name": f"all others ({other['parts']})", **other}]
            if other and (other["parts"] or other["excess"])
            else []
        )
        for one in [*drivers, *rest]:
            share = one.get("share")
            copies = f" and {one['copies']} copies" if one.get("copies") else ""
            table.add_row(
                Text(excerpt(str(one["name"]), NAME_CHARS) + copies),
                f"{one['negative']:g}",
                f"{one['usual']:g}",
                f"{one['excess']:+g}",
                "" if share is None else f"{share:.0%}",
            )
        yield Text()
        yield table


def _counterfactual(body: Mapping[str, Any], local: Any) -> Iterator[RenderableType]:
    lines = []
    for one in body.get("counterfactual", ()):
        said = "it would still have fired" if one["would_fire"] else "it would not have fired"
        name = excerpt(str(one["name"]), NAME_CHARS)
        what = "documents" if _is_of_all(body) else "negatives"
        lines.append(
            f"without {one['dimension']} “{name}” ({one['negative']} {what} since {local(one['since'])}) {said}: "
            f"score {one['score']:g}, {one['threshold']:g} fires"
        )
    if lines:
        yield Text("\n" + "\n".join(lines))


def _documents(body: Mapping[str, Any], local: Any) -> Iterator[RenderableType]:
    for one in body.get("documents", ()):
        reason = one.get("stands_for") or {}
        why = STANDS_FOR.get(reason.get("by", ""), "").format(**reason) if reason else ""
        head = f"\n{local(one['published_at'])} {excerpt(one['source'], NAME_CHARS)}"
        yield Text(f"{head}{': ' + excerpt(why, 80) if why else ''}", style="dim")
        yield Text(excerpt(f"{one['title']} {one['text']}" if one.get("title") else one["text"]))
