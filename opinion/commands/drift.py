"""`opinion models drift|topics`: is the champion still at home in what comes in, and what is new in it."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, Engine

from core.clock import SystemClock
from core.settings import Settings, load_settings
from models.drift_figures import ABOUT
from opinion.drift import check, drift_options, labels_wanted, retrain_wanted, trigger_options
from opinion.servers import database
from storage import drift_checks, topic_proposals
from storage.drift_checks import DriftRow
from storage.excess_documents import ExampleDocument, examples
from storage.topic_proposals import ProposalRow

EXAMPLE_CHARS = 70
NO_CHECK = "There has been no check yet: the scheduler makes one every OPINION_DRIFT__EVERY, or add --check."
stderr = Console(stderr=True, highlight=False)


def drift(
    check_now: Annotated[bool, typer.Option("--check", help="Look for drift now; takes a minute or two.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """How far the newest documents are from those that the champion took over with, as of the last check.

    Example: opinion models drift
    """
    settings = load_settings()
    with database(settings) as engine:
        reason = _checked(settings, engine) if check_now else None
        now, options = SystemClock().now(), trigger_options(settings)
        with engine.connect() as connection:
            rows = drift_checks.newest(connection)
            wanted = {
                "retrain": retrain_wanted(connection, now, options),
                "labels": labels_wanted(connection, now, options),
            }
    if as_json:
        body = {"checked_at": rows[0].checked_at if rows else None, "not_checked": reason, "wanted": wanted}
        typer.echo(json.dumps(body | {"figures": [row._asdict() for row in rows]}, default=str, ensure_ascii=False))
        return
    console = Console(highlight=False)
    if reason:
        console.print(f"Not checked: {reason}.", markup=False)
    if not rows:
        console.print(NO_CHECK, markup=False)
        return
    _show(console, rows)
    for what, why in wanted.items():
        if why:
            console.print(f"Asks for {'a new model' if what == 'retrain' else what}: {why}.", markup=False)


def topics(
    check_now: Annotated[
        bool, typer.Option("--check", help="Look for new topics now; takes a minute or two.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Clusters among the documents whose topic the champion doubts: what might become a topic of its own.

    Example: opinion models topics
    """
    settings = load_settings()
    with database(settings) as engine:
        reason = _checked(settings, engine) if check_now else None
        with engine.connect() as connection:
            found = [(one, _examples(connection, one)) for one in topic_proposals.newest(connection)]
    if as_json:
        typer.echo(json.dumps({"not_checked": reason, "topics": [_body(*one) for one in found]}, ensure_ascii=False))
        return
    console = Console(highlight=False)
    if reason:
        console.print(f"Not checked: {reason}.", markup=False)
    if not found:
        console.print("No new topics are proposed. The scheduler looks for them with each check for drift.")
        return
    table = Table(
        "terms", "documents", "before", "growth", "examples", title=f"New topics, {found[0][0].found_at:%F}"
    )
    for one, documents in found:
        shown = "\n".join(plain(document.text[:EXAMPLE_CHARS]) for document in documents)
        terms = plain(", ".join(one.terms))
        table.add_row(terms, str(one.documents_now), str(one.documents_before), f"×{one.growth:.1f}", shown)
    console.print(table)


def _checked(settings: Settings, engine: Engine) -> str | None:
    """Check now; why it was not possible, if so."""
    stderr.print("Reading documents with the champion …")
    return check(engine, drift_options(settings), SystemClock().now()).reason


def _show(console: Console, rows: Sequence[DriftRow]) -> None:
    first = rows[0]
    table = Table(
        "slice",
        "what",
        "effect",
        "drift above",
        "",
        "estimate",
        title=f"{plain(first.model_version)}, checked {first.checked_at:%Y-%m-%d %H:%M}",
        caption=f"{first.current_documents} documents since {first.current_from:%F} "
        f"against {first.reference_documents} of {first.reference_from:%F} to {first.reference_until:%F}",
    )
    for row in rows:
        if row.slice_kind != "all" and not row.is_drifted:
            continue  # of slices only what is wrong
        name = "all" if row.slice_kind == "all" else plain(f"{row.slice_kind}={row.slice_value}")
        what = next((about[0] for measure, about in ABOUT.items() if measure == row.measure), row.measure)
        mark = "[bold red]drift[/]" if row.is_drifted else ""
        table.add_row(name, what, f"{row.effect:.3f}", f"{row.threshold:.3f}", mark, _estimate(row))
    console.print(table)


def _estimate(row: DriftRow) -> str:
    """Accuracy now with its interval, where the figure is about it."""
    found = row.detail
    if "estimate" not in found:
        return ""
    return f"{100 * found['estimate']:.1f} % ({100 * found['low']:.1f} to {100 * found['high']:.1f})"


def _examples(connection: Connection, one: ProposalRow) -> list[ExampleDocument]:
    """Those that are still stored."""
    return examples(connection, list(zip(one.example_times, one.example_ids, strict=True)))


def _body(one: ProposalRow, documents: Sequence[ExampleDocument]) -> dict[str, object]:
    return {
        "found_at": one.found_at.isoformat(),
        "terms": one.terms,
        "documents": one.documents_now,
        "before": one.documents_before,
        "growth": round(one.growth, 2),
        "examples": [{"id": document.id, "text": document.text[:500]} for document in documents],
    }


def plain(value: str) -> str:
    """Crawled words cannot style the table nor steer the terminal."""
    return "".join(c if c.isprintable() else " " for c in value).replace("[", r"\[")
