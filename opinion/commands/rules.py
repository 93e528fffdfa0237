"""`opinion rules`: what is judged as a surge; the detector follows at its next run."""

import getpass
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection

from alerts.detection.detectors import Sensitivity
from alerts.detection.rules import Counted, Rule
from alerts.rulebook.entries import RuleDefinition, definition_of, read_rules, rule_of, written
from alerts.rulebook.merging import Rulebook, rulebook
from core.errors import UsageError
from core.records import Severity
from core.settings import load_settings
from opinion.servers import database
from storage import feedback, rules
from storage.feedback import Precision

app = typer.Typer(help="Rules: what counts as a surge, where, and how sensitively.", no_args_is_help=True)
stderr = Console(stderr=True, highlight=False)

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
ByOption = Annotated[str | None, typer.Option(help="Who does it; you if absent.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the rule.")]
GroupOption = Annotated[
    list[str] | None,
    typer.Option("--group-by", help="watchlist, source, topic, lang or kind: one series for each value; repeat it."),
]
CountedOption = Annotated[Counted | None, typer.Option(help="Negative documents, or all.")]
WatchlistOption = Annotated[list[str] | None, typer.Option(help="Only documents that mention it; repeat it.")]
TopicOption = Annotated[list[str] | None, typer.Option(help="Only documents about it; repeat it.")]
SourceOption = Annotated[list[str] | None, typer.Option(help="Only documents from here; repeat it.")]
LangOption = Annotated[list[str] | None, typer.Option(help="Only documents in this language; repeat it.")]
KindOption = Annotated[list[str] | None, typer.Option(help="Only news, comment or post; repeat it.")]
SensitivityOption = Annotated[Sensitivity | None, typer.Option(help="How little is a surge.")]
ThresholdOption = Annotated[float | None, typer.Option(help="A score, instead of a sensitivity.")]
MinOption = Annotated[int | None, typer.Option(help="Fewer counted in the last hour are never a surge.")]
AtLeastOption = Annotated[Severity | None, typer.Option(help="No incident of it is called less.")]
AtMostOption = Annotated[Severity | None, typer.Option(help="No incident of it is called more.")]
EnabledOption = Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it is judged by.")]
LIVE = "the detector follows at its next run"


@app.command("list")
def list_rules(as_json: JsonOption = False) -> None:
    """Show the rules that hold, and how often each was right by what people said of its incidents.

    Example: opinion rules list
    """
    with database(load_settings()) as engine, engine.connect() as connection:
        book, precision = rulebook(connection), feedback.precision_by_rule(connection)
    if as_json:
        typer.echo(
            json.dumps({"rules": [as_object(book, name, precision) for name in book.names]}, ensure_ascii=False)
        )
        return
    table = Table(
        "name", "one series by", "where", "judged", "owner", "incidents", "useful/late/noise", "precision",
        title=f"{len(book.names)} rules",
    )  # fmt: skip
    for name in book.names:
        said = precision.get(name, Precision())
        rule = book.rules.get(name)
        cells = (
            name,
            "" if rule is None else " × ".join(rule.group_by) or "-",
            book.unusable[name] if rule is None else _where(rule),
            "" if rule is None else _judged(rule),
            book.owner(name),
            str(said.incidents),
            f"{said.useful}/{said.late}/{said.noise}",
            "" if said.precision is None else f"{said.precision:.0%}",
        )
        table.add_row(*(Text(cell) for cell in cells))  # Text: people's words are not markup
    Console().print(table)


@app.command("show")
def show(name: NameArgument, as_json: JsonOption = False) -> None:
    """Show one rule with everything that defines it, and who changed it to what.

    Example: opinion rules show by-source
    """
    with database(load_settings()) as engine, engine.connect() as connection:
        book, precision = rulebook(connection), feedback.precision_by_rule(connection)
        changes = rules.history(connection, name)
    if name not in book.unusable:
        book.rule(name)
    found = as_object(book, name, precision)
    history = [{**change._asdict(), "changed_at": change.changed_at.isoformat()} for change in changes]
    if as_json:
        typer.echo(json.dumps({**found, "history": history}, ensure_ascii=False))
        return
    table = Table(show_header=False, title=Text(name))
    for field, value in found.items():
        table.add_row(field, Text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    for change in changes:
        what = "removed" if change.definition is None else json.dumps(change.definition, ensure_ascii=False)
        table.add_row(f"{change.changed_at:%Y-%m-%d %H:%M} UTC", Text(f"{change.changed_by}: {what}"))
    Console().print(table)


@app.command("add")
def add(
    name: NameArgument,
    group_by: GroupOption = None,
    counted: CountedOption = None,
    watchlist: WatchlistOption = None,
    topic: TopicOption = None,
    source: SourceOption = None,
    lang: LangOption = None,
    kind: KindOption = None,
    sensitivity: SensitivityOption = None,
    threshold: ThresholdOption = None,
    min_per_hour: MinOption = None,
    severity_at_least: AtLeastOption = None,
    severity_at_most: AtMostOption = None,
    enabled: EnabledOption = None,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a rule; what is not said is as it is by default.

    Example: opinion rules add acme-by-source --watchlist Acme --group-by source --sensitivity high
    """
    given = _given(
        group_by=group_by, counted=counted, watchlist=watchlist, topic=topic, source=source, lang=lang, kind=kind,
        sensitivity=sensitivity, threshold=threshold, min_per_hour=min_per_hour, severity_at_least=severity_at_least,
        severity_at_most=severity_at_most, enabled=enabled,
    )  # fmt: skip
    wanted = rule_of(name, given)
    with database(load_settings()) as engine, engine.begin() as connection:
        if wanted.name in rulebook(connection).rules:
            remedy = f"opinion rules set {wanted.name!r}, to change it"
            raise UsageError(f"there is a rule {wanted.name!r} already", remedy=remedy)
        changed = _put(connection, [wanted], by)
    _tell(changed, 1, as_json)


@app.command("set")
def change(
    name: NameArgument,
    group_by: GroupOption = None,
    counted: CountedOption = None,
    watchlist: WatchlistOption = None,
    topic: TopicOption = None,
    source: SourceOption = None,
    lang: LangOption = None,
    kind: KindOption = None,
    sensitivity: SensitivityOption = None,
    threshold: ThresholdOption = None,
    min_per_hour: MinOption = None,
    severity_at_least: AtLeastOption = None,
    severity_at_most: AtMostOption = None,
    enabled: EnabledOption = None,
    clear: Annotated[list[str] | None, typer.Option(help="A field as it is by default again; repeat it.")] = None,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a rule, one that holds by default too; what is not said stays.

    A rule that counts something else than before learns anew, from the stored counts; a sensitivity, a threshold or a
    severity changes nothing that was learned.

    Example: opinion rules set by-topic --sensitivity low
    """
    given = _given(
        group_by=group_by, counted=counted, watchlist=watchlist, topic=topic, source=source, lang=lang, kind=kind,
        sensitivity=sensitivity, threshold=threshold, min_per_hour=min_per_hour, severity_at_least=severity_at_least,
        severity_at_most=severity_at_most, enabled=enabled,
    )  # fmt: skip
    cleared = set(clear or [])
    if unknown := cleared - RuleDefinition.model_fields.keys():
        fields = ", ".join(RuleDefinition.model_fields)
        raise UsageError(f"--clear {' '.join(sorted(unknown))}: not understood; understood are: {fields}")
    if given.keys() & {"sensitivity", "threshold"}:
        cleared |= {"sensitivity", "threshold"} - given.keys()
    with database(load_settings()) as engine, engine.begin() as connection:
        book = rulebook(connection)
        before = {} if name in book.unusable else definition_of(book.rule(name))
        kept = {field: value for field, value in before.items() if field not in cleared}
        changed = _put(connection, [rule_of(name, kept | given)], by)
    _tell(changed, 1, as_json)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A rules file.")], by: ByOption = None, as_json: JsonOption = False
) -> None:
    """Make or change all rules of a file, in one step; others stay. People own them from then on.

    Example: opinion rules import rules.yaml
    """
    wanted = read_rules(file)
    with database(load_settings()) as engine, engine.begin() as connection:
        changed = _put(connection, wanted, by)
    _tell(changed, len(wanted), as_json)


@app.command("export")
def export(out: Annotated[Path | None, typer.Option(help="To this file; else to stdout.")] = None) -> None:
    """Write all rules that hold as a rules file, those that hold by default too.

    Example: opinion rules export --out rules.yaml
    """
    with database(load_settings()) as engine, engine.connect() as connection:
        text = written(list(rulebook(connection).rules.values()))
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


@app.command("remove")
def remove(
    name: NameArgument,
    by: ByOption = None,
    force: Annotated[bool, typer.Option("--force", help="Also if a file owns it that is no longer used.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge by a rule no longer; its firing incidents are resolved. A default rule is as it was by default again.

    Example: opinion rules remove acme-by-source
    """
    with database(load_settings()) as engine, engine.begin() as connection:
        book = rulebook(connection)
        if name in book.rules and name not in book.stored:
            remedy = f"opinion rules set {name} --disable"
            raise UsageError(f"the rule {name!r} holds by default and cannot be removed", remedy=remedy)
        rules.remove(connection, name, by=by or getpass.getuser(), is_forced=force)
    if as_json:
        typer.echo(json.dumps({"removed": [name]}, ensure_ascii=False))
    else:
        stderr.print(f"{name} is removed; {LIVE}", markup=False)


def as_object(book: Rulebook, name: str, precision: dict[str, Precision]) -> dict[str, Any]:
    """A rule as `--json` prints it."""
    found = book.described(name, precision.get(name, Precision()))
    return {**found, "updated_at": found["updated_at"] and found["updated_at"].isoformat()}


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None and value != []}


def _put(connection: Connection, wanted: Sequence[Rule], by: str | None) -> list[str]:
    return rules.put(connection, {rule.name: definition_of(rule) for rule in wanted}, by=by or getpass.getuser())


def _tell(changed: Sequence[str], wanted: int, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"rules": wanted, "changed": list(changed)}, ensure_ascii=False))
    else:
        stderr.print(f"{len(changed)} of {wanted} rules are new or changed; {LIVE}", markup=False)


def _where(rule: Rule) -> str:
    parts = [] if rule.counted == "negative" else ["all documents"]
    return "\n".join([*parts, *(f"{name}: {', '.join(values)}" for name, values in rule.where)])


def _judged(rule: Rule) -> str:
    if not rule.is_enabled:
        return "disabled"
    parts = [rule.sensitivity or (f"score {rule.threshold:g}" if rule.threshold is not None else "as set")]
    if rule.min_per_hour is not None:
        parts.append(f"{rule.min_per_hour}/h")
    if rule.severity_at_least != "info":
        parts.append(f"at least {rule.severity_at_least}")
    if rule.severity_at_most != "critical":
        parts.append(f"at most {rule.severity_at_most}")
    return ", ".join(parts)
