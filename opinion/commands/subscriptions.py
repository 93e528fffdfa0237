"""`opinion subscriptions`: who hears of what, when; schedulers follow with their next look."""

import getpass
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.rendering.excerpts import excerpt
from alerts.routing.matchers import one_of
from alerts.routing.subscription_file import read_subscriptions, written
from alerts.routing.subscriptions import ALL, Entry, definition_of, entry_of, usable
from core.errors import UsageError
from core.records import Severity
from core.settings import Settings, load_settings
from opinion.commands.json_rows import row_as_json
from opinion.commands.who import people_of
from opinion.servers import database
from storage import subscriptions
from storage.subscriptions import StoredSubscription

app = typer.Typer(help="Subscriptions: who hears of which incidents, and when.", no_args_is_help=True)
stderr = Console(stderr=True, highlight=False)

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
ByOption = Annotated[str | None, typer.Option(help="Who does it; you if absent.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the subscription.")]


@app.command("list")
def list_subscriptions(as_json: JsonOption = False) -> None:
    """Show the subscriptions; while there is none, every receiver hears of everything.

    Example: opinion subscriptions list
    """
    settings = load_settings()
    with database(settings) as engine, engine.connect() as connection:
        found = subscriptions.known(connection)
    _, wrong = usable([(one.name, one.definition) for one in found])
    if as_json:
        shown = [{**row_as_json(one), "problem": wrong.get(one.name)} for one in found]
        typer.echo(json.dumps({"subscriptions": shown}, ensure_ascii=False))
        return
    table = Table("name", "who", "what", "when", "changed", title=f"{len(found)} subscriptions")
    for one in found:
        cells = _cells(one) if one.name not in wrong else ("", wrong[one.name], "")
        changed = f"{one.updated_at.astimezone(settings.zone):%m-%d %H:%M} by {excerpt(one.updated_by, 30)}"
        table.add_row(*(Text(cell) for cell in (excerpt(one.name, 40), *cells, changed)))
    Console().print(table)


@app.command("receivers")
def list_receivers(as_json: JsonOption = False) -> None:
    """Show the names of the receivers in the settings, for --who and --escalate.

    Example: opinion subscriptions receivers
    """
    found = people_of(load_settings())
    if as_json:
        typer.echo(json.dumps({"receivers": [{"channel": c, "name": n} for c, n in found]}, ensure_ascii=False))
        return
    table = Table("name", "channel", title=f"{len(found)} receivers")
    for channel, name in found:
        table.add_row(Text(name), channel)
    Console().print(table)


@app.command("add")
def add(
    name: NameArgument,
    who: Annotated[list[str], typer.Option(help="A receiver's name, or * for all; repeat it.")],
    match: Annotated[list[str], typer.Option(help='A matcher, as source!~"a.*"; repeat it, all must hold.')] = [],  # noqa: B006
    topic: Annotated[list[str], typer.Option(help="Only this topic; repeat it for others.")] = [],  # noqa: B006
    source: Annotated[list[str], typer.Option(help="Only this source; repeat it for others.")] = [],  # noqa: B006
    lang: Annotated[list[str], typer.Option(help="Only this language; repeat it for others.")] = [],  # noqa: B006
    watchlist: Annotated[list[str], typer.Option(help="Only this watchlist; repeat it for others.")] = [],  # noqa: B006
    min_severity: Annotated[Severity, typer.Option(help="Less is not told.")] = "info",
    quiet: Annotated[str, typer.Option(help="Hold messages every day, as 22:30-07:00.")] = "",
    weekends: Annotated[bool, typer.Option("--quiet-weekends", help="Hold messages on Saturday and Sunday.")] = False,
    zone: Annotated[str, typer.Option(help="Time zone of these hours; that of the settings if absent.")] = "",
    hold_critical: Annotated[bool, typer.Option("--hold-critical", help="Hold critical ones, too.")] = False,
    wait: Annotated[str, typer.Option(help="So long related findings are waited for; 0: not at all.")] = "30s",
    remind: Annotated[str, typer.Option(help="Tell again while nobody acknowledges, or never.")] = "24h",
    escalate: Annotated[list[str], typer.Option(help="AFTER=RECEIVER, as 15m=…; repeat it.")] = [],  # noqa: B006
    daily: Annotated[str, typer.Option(help="A digest every day, as 09:00.")] = "",
    weekly: Annotated[str, typer.Option(help="A digest every week, as 'mon 09:00'.")] = "",
    digests_only: Annotated[bool, typer.Option("--digests-only", help="Nothing but digests.")] = False,
    language: Annotated[str, typer.Option(help="zh or en; both if absent.")] = "",
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a subscription, or change what it is: this is its whole definition.

    Example: opinion subscriptions add desk --who '*' --topic sports --quiet 22:30-07:00
    """
    settings = load_settings()
    chosen = {"topic": topic, "source": source, "lang": lang, "watchlist": watchlist}
    definition = {
        "who": who,
        "match": [*match, *(str(one_of(label, values)) for label, values in chosen.items() if values)],
        "min_severity": min_severity,
        "quiet": {
            "hours": quiet,
            "weekends": weekends,
            "zone": zone or settings.timezone,
            "critical_passes": not hold_critical,
        },
        "wait": wait,
        "remind": remind,
        "escalate": [_step(text) for text in escalate],
        "digest": {"daily": daily, "weekly": weekly},
        "instant": not digests_only,
        "language": language or None,
    }
    _put([entry_of(name, definition)], settings, by, as_json)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A subscription file.")],
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make or change all subscriptions of a file, in one step; others stay.

    Example: opinion subscriptions import subscriptions.yaml
    """
    _put(read_subscriptions(file), load_settings(), by, as_json)


@app.command("export")
def export(out: Annotated[Path | None, typer.Option(help="To this file; else to stdout.")] = None) -> None:
    """Write all subscriptions as a file.

    Example: opinion subscriptions export --out subscriptions.yaml
    """
    with database(load_settings()) as engine, engine.connect() as connection:
        found = [entry_of(one.name, one.definition) for one in subscriptions.known(connection)]
    if out is None:
        typer.echo(written(found), nl=False)
    else:
        out.write_text(written(found), encoding="utf-8")


@app.command("remove")
def remove(name: NameArgument, as_json: JsonOption = False) -> None:
    """End a subscription. Who was told of an incident by it still hears of its end, if any other is left.

    Example: opinion subscriptions remove desk
    """
    with database(load_settings()) as engine, engine.begin() as connection:
        subscriptions.remove(connection, name)
        left = len(subscriptions.known(connection))
    if as_json:
        typer.echo(json.dumps({"removed": [name]}, ensure_ascii=False))
    else:
        rest = f"{left} left" if left else "none is left: every receiver hears of everything"
        stderr.print(f"{excerpt(name, 60)} is no subscription any more; {rest}", markup=False)


def _put(entries: Sequence[Entry], settings: Settings, by: str | None, as_json: bool) -> None:
    _refuse_unknown(entries, settings)
    with database(settings) as engine, engine.begin() as connection:
        subscriptions.put(connection, [(one.name, definition_of(one)) for one in entries], by=by or getpass.getuser())
    names = [one.name for one in entries]
    if as_json:
        typer.echo(json.dumps({"subscribed": names}, ensure_ascii=False))
    else:
        stderr.print(f"{', '.join(names)}: schedulers follow with their next look", markup=False)


def _refuse_unknown(entries: Sequence[Entry], settings: Settings) -> None:
    """A misspelt name would tell nobody, and nobody would notice."""
    known = {ALL, *(name for _, name in people_of(settings))}
    for one in entries:
        named = [*one.who, *(to for step in one.escalate for to in step.to)]
        if unknown := [name for name in named if name not in known]:
            raise UsageError(
                f"subscription {one.name!r}: the settings have no receiver {unknown[0]!r}",
                remedy="opinion subscriptions receivers",
            )


def _step(text: str) -> dict[str, Any]:
    after, separator, receiver = text.partition("=")
    if not (after and separator and receiver):
        raise UsageError(f"--escalate is not AFTER=RECEIVER: {text[:40]!r}", remedy="opinion subscriptions receivers")
    return {"after": after, "to": [receiver]}


def _cells(one: StoredSubscription) -> tuple[str, str, str]:
    entry = entry_of(one.name, one.definition)
    what = [*entry.match, *([f"at least {entry.min_severity}"] if entry.min_severity != "info" else [])]
    when = [
        "digests only" if not entry.instant else "",
        f"quiet {entry.quiet.hours}" if entry.quiet.hours else "",
        "quiet weekends" if entry.quiet.weekends else "",
        *(f"after {step.after}: {', '.join(step.to)}" for step in entry.escalate),
        f"daily {entry.digest.daily}" if entry.digest.daily else "",
        f"weekly {entry.digest.weekly}" if entry.digest.weekly else "",
    ]
    return ", ".join(entry.who), ", ".join(what) or "everything", ", ".join(filter(None, when)) or "at once"
