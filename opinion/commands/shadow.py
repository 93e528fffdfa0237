"""`opinion models shadow|reject`: what a candidate says of live documents, and refusing it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.rulebook.contrasting import ChangedIncident
from core.errors import NotFoundError, UsageError
from core.settings import Settings, load_settings
from opinion.commands.registry import who
from opinion.servers import database
from opinion.shadow_comparison import Comparison, HeadAgreement, comparison_of
from opinion.shadowing import close_if_overtaken, reject
from opinion.shadowing import start as start_shadow
from storage import shadow_disagreements, shadow_runs
from storage.shadow_runs import ShadowRun

RUNS_SHOWN = 10
SLICES_SHOWN = 12
CHANGES_SHOWN = 6
MOST_INCIDENTS = 20
NOT_SHOWN = ("alertname", "rule")


def show_shadow(
    version: Annotated[str | None, typer.Argument(help="A candidate; all of the latest if absent.")] = None,
    chart: Annotated[Path | None, typer.Option(help="With VERSION: write the curves into this SVG file.")] = None,
    start: Annotated[
        bool, typer.Option("--start", help="Put VERSION, or a checkpoint's folder, into shadow; the scheduler reads.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """What is in shadow, or what one candidate would change: agreement, negatives, incidents, telling documents.

    Example: opinion models shadow
    """
    if (chart is not None or start) and version is None:
        raise UsageError(
            "--chart and --start are about one candidate", remedy="name it: opinion models shadow VERSION"
        )
    settings = load_settings()
    with database(settings) as engine, engine.begin() as connection:
        close_if_overtaken(connection, now=datetime.now(UTC))
        if start and version is not None:
            version = start_shadow(connection, version, settings, now=datetime.now(UTC))
        if version is None:
            runs = shadow_runs.newest(connection, RUNS_SHOWN)
            reports = []
        else:
            found = shadow_runs.of_version(connection, version)
            if found is None:
                raise NotFoundError(f"{version} was never in shadow", remedy="opinion models shadow")
            runs = [found]
            reports = [shadow_disagreements.report(connection, found)]
    if chart is not None:
        _draw(runs[0], chart, settings)
    if as_json:
        body: dict[str, Any] = reports[0] if reports else {"runs": [run._asdict() for run in runs]}
        typer.echo(json.dumps(body, default=_json, ensure_ascii=False))
    elif reports:
        _show_one(runs[0], reports[0]["disagreements"], settings)
    else:
        _show_all(runs)


def reject_model(
    version: Annotated[str, typer.Argument(help="The candidate that is in shadow.")],
    reason: Annotated[str, typer.Option(help="Why; kept for good.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Refuse a candidate that is in shadow: it is not promoted, and the champion stays.

    Example: opinion models reject 20260501-1a2b3c4d --reason "calls every complaint about delivery neutral"
    """
    with database(load_settings()) as engine:
        run = reject(engine, version, reason=reason, by=who(), now=datetime.now(UTC))
    if as_json:
        typer.echo(
            json.dumps({"candidate": version, "champion": run.champion, "state": "rejected", "reason": reason})
        )
    else:
        Console(highlight=False).print(f"{version} was rejected; {run.champion} stays champion.", markup=False)


def _json(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _draw(run: ShadowRun, path: Path, settings: Settings) -> None:
    from opinion.shadow_chart import draw

    comparison = comparison_of(run)
    if comparison is None:
        raise NotFoundError(f"{run.candidate} has judged nothing yet", remedy="opinion models shadow")
    draw(comparison, path, champion=run.champion, candidate=run.candidate, zone=settings.zone)


def _show_all(runs: list[ShadowRun]) -> None:
    console = Console(highlight=False)
    if not runs:
        console.print("Nothing was ever in shadow: accepted candidates of `opinion retrain` come here.", markup=False)
        return
    table = Table(
        "run", "candidate", "beside", "state", "documents", "live", "negatives", "reasons", title="Shadow runs"
    )
    for run in runs:
        comparison = comparison_of(run)
        negatives = f"{comparison.negative_old} → {comparison.negative_new}" if comparison else ""
        cells = [
            str(run.id),
            run.candidate,
            run.champion,
            run.state,
            str(run.scored),
            str(run.live_scored),
            negatives,
        ]
        table.add_row(*(_plain(cell) for cell in [*cells, "\n".join(run.reasons)]))
    console.print(table)


def _show_one(run: ShadowRun, disagreements: list[dict[str, Any]], settings: Settings) -> None:
    console = Console(highlight=False)
    console.print(f"{run.candidate} beside {run.champion}: {run.state}", markup=False, style="bold")
    for reason in run.reasons:
        console.print(f"  {reason}", markup=False)
    comparison = comparison_of(run)
    if comparison is None:
        console.print("It has judged nothing yet.")
        return
    console.print(
        f"{comparison.documents} documents judged by both, {comparison.live_documents} of them live; "
        f"negatives {comparison.negative_old} → {comparison.negative_new} ({comparison.negative_change:+.1%})",
        markup=False,
    )
    for name, head in (("topic", comparison.topic), ("sentiment", comparison.sentiment)):
        console.print(f"{name}: {_agreement(head)}", markup=False)
    for note in comparison.notes:
        console.print(f"note: {note}", markup=False)
    _show_slices(console, comparison)
    _show_incidents(console, comparison, settings)
    _show_disagreements(console, disagreements, settings)


def _agreement(head: HeadAgreement) -> str:
    kappa = "" if head.kappa is None else f", kappa {head.kappa:.3f}"
    changes = ", ".join(f"{old} → {new} {n}" for old, new, n in head.changes[:CHANGES_SHOWN])
    return f"agree on {head.agreement:.1%}{kappa}{'; ' + changes if changes else ''}"


def _show_slices(console: Console, comparison: Comparison) -> None:
    table = Table("", "documents", "negative by the champion", "by the candidate", "change", title="Negatives")
    ordered = sorted(comparison.slices, key=lambda one: -abs(one.negative_new - one.negative_old))
    for one in ordered[:SLICES_SHOWN]:
        change = f"{one.negative_new - one.negative_old:+d}"
        figures = (str(one.documents), str(one.negative_old), str(one.negative_new), change)
        table.add_row(_plain(f"{one.label} {one.value}"), *figures)
    console.print(table)


def _show_incidents(console: Console, comparison: Comparison, settings: Settings) -> None:
    incidents = comparison.incidents
    if incidents is None:
        return
    start, end = (_local(at, settings) for at in (incidents.start, incidents.end))
    title = (
        f"Incidents {start} to {end}: {incidents.gained} gained, {incidents.lost} lost, {incidents.earlier} earlier, "
        f"{incidents.later} later, {incidents.same} the same"
    )
    table = Table("", "rule", "labels", "told by the champion", "by the candidate", title=Text(title))
    for one in incidents.changed[:MOST_INCIDENTS]:
        table.add_row(one.change, _plain(one.rule), _plain(_labels(one)), *_told(one, settings))
    console.print(table if incidents.changed else Text(title))


def _labels(one: ChangedIncident) -> str:
    return ", ".join(f"{name}={value}" for name, value in one.labels.items() if name not in NOT_SHOWN) or "all"


def _told(one: ChangedIncident, settings: Settings) -> list[str]:
    return [
        "" if side is None else f"{_local(side.told_at, settings)}, {side.observed:.0f} for {side.expected:.1f}"
        for side in (one.old, one.new)
    ]


def _show_disagreements(console: Console, disagreements: list[dict[str, Any]], settings: Settings) -> None:
    if not disagreements:
        return
    table = Table("", "published", "champion", "candidate", "like it", "text", title="Telling documents")
    for one in disagreements:
        head = "topic" if one["kind"] == "other topic" else "sentiment"
        table.add_row(
            one["kind"],
            _local(one["published_at"], settings),
            _plain(one[f"{head}_old"]),
            _plain(one[f"{head}_new"]),
            str(one["copies"]),
            _plain(one["text"] or f"{one['document_id']} is gone"),
        )
    console.print(table)


def _local(at: datetime, settings: Settings) -> str:
    return f"{at.astimezone(settings.zone):%m-%d %H:%M}"


def _plain(text: str) -> Text:
    """Crawled words cannot style the table nor steer the terminal."""
    return Text("".join(" " if c == "\n" else c for c in text if c.isprintable() or c == "\n"))
