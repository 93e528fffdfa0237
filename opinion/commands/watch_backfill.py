"""`opinion watch backfill` and `recount`: mentions and counts of what was stored before."""

import json
import time
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import Engine, text

from core.errors import NotFoundError, UsageError
from core.settings import Settings, load_settings
from core.times import parse_time
from core.watchlist_entries import watchlist_of
from core.watchlists import Rule, Watchlists
from core.windows import MINUTE, floor_to
from opinion.backfilling import Backfill, Plan
from opinion.champion import load_classifier
from opinion.servers import database
from storage import watchlist_backfills, watchlist_counts, watchlists
from storage.watchlists import StoredWatchlist

stderr = Console(stderr=True, highlight=False)
RECOUNTED_AT_ONCE: Final = timedelta(hours=1)  # writers wait meanwhile

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def backfill(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Which watchlists; else all.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only documents published then or later.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Find watchlists in the documents that are stored already, and count how these speak of them.

    Mentions that are stored stay as they were judged; a document that no longer matches loses its mention. Workers go
    on meanwhile. When it is broken off, the same command goes on where it was. Nobody is alerted of the past.

    Example: opinion watch backfill 苹果 --since 2026-01-01
    """
    settings = load_settings()
    start = time.monotonic()
    with database(settings) as engine:
        plan = plan_of(engine, names or [], _time(since, settings))
        with engine.connect() as connection:
            total = watchlist_backfills.estimate(connection, plan.since)
        with Progress(console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
            task = bar.add_task("documents", total=total or None)
            run = Backfill(
                engine,
                plan,
                load=partial(load_classifier, settings),
                on_progress=lambda documents: bar.advance(task, documents),
            )
            figures = run.run()
        if changed := _changed_meanwhile(engine, plan):
            stderr.print(f"changed meanwhile, so run it again: {', '.join(changed)}", markup=False)
    result = {"watchlists": sorted(plan.revisions), **figures, "seconds": round(time.monotonic() - start, 2)}
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    else:
        sentence = (
            f"{figures['documents']} documents read, {figures['added']} mentions added, {figures['removed']} removed"
        )
        stderr.print(f"{sentence} in {result['seconds']} s", markup=False)


def recount(
    since: Annotated[str | None, typer.Option(help="Only minutes from then on.")] = None, as_json: JsonOption = False
) -> None:
    """Make the minute counts of watchlists anew from the mentions, where they differ.

    Needed once, after an upgrade during which workers of a version before watchlist counts went on storing.

    Example: opinion watch recount
    """
    settings = load_settings()
    begin = _time(since, settings)
    mended = 0
    with database(settings) as engine:
        with engine.connect() as connection:
            oldest, newest = connection.execute(_SPAN).one()
        reached = floor_to(max(begin, oldest) if begin and oldest else oldest, MINUTE) if oldest else None
        while reached is not None and reached <= newest:
            with engine.begin() as connection:
                mended += watchlist_counts.recount(connection, reached, reached + RECOUNTED_AT_ONCE)
                following = connection.scalar(_NEXT, {"from": reached + RECOUNTED_AT_ONCE})
            reached = floor_to(following, MINUTE) if following else None
    if as_json:
        typer.echo(json.dumps({"mended": mended}))
    else:
        stderr.print(f"{mended} counts were not as they had to be, and are now")


_SPAN = text("""
    SELECT min(at), max(at) FROM (
        SELECT min(published_at) AS at FROM mention UNION ALL SELECT max(published_at) FROM mention
        UNION ALL SELECT min(bucket_at) FROM watchlist_minute UNION ALL SELECT max(bucket_at) FROM watchlist_minute
    ) AS ends
""")
_NEXT = text("""
    SELECT min(at) FROM (
        SELECT min(published_at) AS at FROM mention WHERE published_at >= :from
        UNION ALL SELECT min(bucket_at) FROM watchlist_minute WHERE bucket_at >= :from
    ) AS ends
""")


def plan_of(engine: Engine, names: list[str], since: datetime | None) -> Plan:
    """What to bring up to date, out of SQL.

    Raises:
        NotFoundError: no such watchlist, or none at all. UsageError: its definition cannot be used.
    """
    with engine.connect() as connection:
        stored = {row.name: row for row in watchlists.active(connection)}
    if not stored:
        raise NotFoundError("there are no watchlists", remedy="opinion watch add, or opinion watch import")
    if unknown := [name for name in names if name not in stored]:
        raise NotFoundError(f"no watchlist {', '.join(map(repr, unknown))}", remedy="opinion watch list")
    chosen = [stored[name] for name in names or stored]
    for row in chosen:
        _rule(row)
    usable = [rule for row in stored.values() if (rule := _usable_rule(row)) is not None]
    return Plan(
        watched=Watchlists.of(usable),
        revisions={row.name: row.revision for row in chosen},
        changed_at=max(row.updated_at for row in chosen),
        since=since,
    )


def _rule(row: StoredWatchlist) -> Rule:
    return Rule(watchlist_of(row.name, row.definition))


def _usable_rule(row: StoredWatchlist) -> Rule | None:
    """None for a definition that workers cannot use either."""
    try:
        return _rule(row)
    except UsageError:
        return None


def _changed_meanwhile(engine: Engine, plan: Plan) -> list[str]:
    with engine.connect() as connection:
        now = {row.name: row.revision for row in watchlists.active(connection)}
    return [name for name, revision in plan.revisions.items() if now.get(name) != revision]


def _time(since: str | None, settings: Settings) -> datetime | None:
    try:
        return None if since is None else parse_time(since, settings.zone)
    except ValueError as error:
        raise UsageError(f"--since: {error}", remedy="for example --since 2026-05-01T08:00") from error
