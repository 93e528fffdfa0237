"""`opinion rules test`: what a rule would have done, before it holds."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection

from alerts.detection.rules import Rule
from alerts.rulebook.entries import read_rules
from alerts.rulebook.laboratory import Trial, TrialOptions, try_rule
from alerts.rulebook.merging import rulebook
from core.errors import GateRefusedError
from core.settings import Settings, load_settings
from opinion.detection import detector_options
from opinion.servers import database

MOST_SHOWN = 30
NOT_SHOWN = ("alertname", "rule")


def try_stored(
    rule: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A rule that holds, or a rules file.")],
    days: Annotated[int, typer.Option(help="Of the stored counts, the newest.", min=1, max=366)] = 28,
    messages_per_week: Annotated[
        float | None, typer.Option(help="Find the least threshold that gives no more messages.", min=0)
    ] = None,
    series: Annotated[int, typer.Option(help="Replay so many series, the largest.", min=1, max=100_000)] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Replay a rule over the stored counts: what would have fired, and what people said of such incidents.

    Changes nothing. With a budget of messages, exit code 5 says that no threshold keeps it.

    Example: opinion rules test rules.yaml --days 28 --messages-per-week 5
    """
    settings = load_settings()
    wanted = read_rules(Path(rule)) if Path(rule).suffix in (".yaml", ".yml") else None
    usual = detector_options(settings.detect)
    options = TrialOptions(usual, days=days, most_series=series, messages_per_week=messages_per_week)
    now = datetime.now(UTC)
    with database(settings) as engine, engine.connect() as connection:
        trials = [try_rule(connection, one, options, now=now) for one in wanted or [_held(connection, rule)]]
    if as_json:
        typer.echo(json.dumps({"rules": [TypeAdapter(Trial).dump_python(one, mode="json") for one in trials]}))
    else:
        for trial in trials:
            _print(trial, settings)
    if over := [trial.rule for trial in trials if trial.keeps_budget is False]:
        raise GateRefusedError(
            f"no threshold keeps {', '.join(over)} within {messages_per_week:g} messages a week",
            remedy="group by less, filter more, or raise --min-per-hour of the rule",
        )


def _held(connection: Connection, name: str) -> Rule:
    return replace(rulebook(connection).rule(name), is_enabled=True)


def _print(trial: Trial, settings: Settings) -> None:
    def local(at: datetime | None) -> str:
        return at.astimezone(settings.zone).strftime("%m-%d %H:%M") if at else "goes on"

    console = Console(highlight=False)
    title = f"{trial.rule}: {len(trial.incidents)} incidents, {trial.messages_per_week:g} messages a week"
    table = Table(
        "labels", "severity", "starts", "detected", "ends", "observed", "expected", "score",
        title=Text(title), caption=f"times of {settings.timezone}",
    )  # fmt: skip
    for one in trial.incidents[-MOST_SHOWN:]:
        labels = ", ".join(f"{name}={value}" for name, value in one.labels.items() if name not in NOT_SHOWN)
        figures = (f"{one.observed:.0f}", f"{one.expected:.1f}", f"{one.score:.1f}")
        times = (local(one.starts_at), local(one.detected_at), local(one.ends_at))
        table.add_row(*(Text(cell) for cell in (labels or "all documents", one.severity, *times, *figures)))
    console.print(table)
    if (left := len(trial.incidents) - MOST_SHOWN) > 0:
        console.print(f"and {left} older ones: --json shows all")
    name = f", sensitivity {trial.sensitivity}" if trial.sensitivity else ""
    console.print(f"threshold {trial.threshold:g}{name}; {trial.replayed} of {trial.series} series replayed")
    compared = trial.compared
    for what, ids in (
        ("called useful or late, and caught", compared.caught),
        ("called useful or late, and missed", compared.missed),
        ("called noise, and raised again", compared.raised),
        ("called noise, and avoided", compared.avoided),
    ):
        if ids:
            console.print(f"{what}: {', '.join(map(str, ids))}")
