"""The demo's last screen: what came in, what was found, who was told, and what to try next."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from opinion.demo.chart import clock_axis, share_bars, sparkline
from opinion.demo.play import Outcome
from storage.queries import IncidentFile

SEVERITY_STYLE = {"critical": "bold red", "warning": "bold yellow", "info": "bold cyan"}


def summary(outcome: Outcome) -> dict[str, Any]:
    """The `--json` answer."""
    return {
        "documents": outcome.sent,
        "stored": outcome.fates.stored,
        "repeats": outcome.fates.repeats,
        "revisions": outcome.fates.revisions,
        "dead_lettered": outcome.fates.dead_lettered,
        "incidents": len(outcome.incidents),
        "delivered": len(outcome.bodies),
        "model_version": outcome.model_version,
        "seconds": round(outcome.seconds, 1),
    }


def show(console: Console, outcome: Outcome, zone: ZoneInfo, next_steps: list[tuple[str, str]]) -> None:
    """Print everything. Crawled text is shown as plain text, never as markup."""
    lead, *others = outcome.incidents
    console.print()
    console.print(Rule(Text(f"A day in {outcome.seconds:.0f} seconds", style="bold")))
    console.print(_what_came_in(outcome))
    console.print()
    console.print(_chart(outcome, zone))
    console.print()
    console.print(_incident(lead, zone))
    if others:
        names = ", ".join(f"{_subject(file.incident.labels)} ({file.incident.severity})" for file in others)
        console.print(Text(f"  The same surge also shows in: {names}.", style="dim"))
    console.print(_delivered(outcome))
    console.print(_steps(next_steps))


def _what_came_in(outcome: Outcome) -> RenderableType:
    fates = outcome.fates
    table = Table(title="What came in", title_justify="left", title_style="bold", box=None, padding=(0, 1))
    table.add_column("fate")
    table.add_column("records", justify="right")
    table.add_column("", style="dim")
    table.add_row("stored", f"[green]{fates.stored}", "news, comments, posts in Chinese and English")
    table.add_row("repeat", str(fates.repeats), "fetched twice; no effect")
    table.add_row("revision", str(fates.revisions), "an article changed; history kept")
    table.add_row("dead letter", f"[yellow]{fates.dead_lettered}", "malformed; bytes kept untouched")
    table.add_row("[bold]sent", f"[bold]{outcome.sent}", f"classified by {outcome.model_version}", end_section=True)
    return table


def _chart(outcome: Outcome, zone: ZoneInfo) -> RenderableType:
    line, starts = outcome.line, outcome.buckets.starts
    began = min((file.incident.starts_at for file in outcome.incidents), default=None)
    text = Text("Negative share, a column each half hour\n", style="bold", end="")
    rows = share_bars(line.negative, line.total)
    for number, row in enumerate(rows):
        scale = {0: "100 %", len(rows) // 2: " 50 %", len(rows) - 1: "  0 %"}.get(number, "")
        text.append(f"{scale:>5} ┤", style="not bold dim")
        for column, cell in enumerate(row):
            is_hot = began is not None and starts[column] + outcome.buckets.step > began
            text.append(cell, style="not bold red" if is_hot else "not bold cyan")
        text.append("\n")
    text.append(f"      └{'─' * len(starts)}\n", style="not bold dim")
    text.append(f"       {clock_axis(starts, zone)}\n", style="not bold dim")
    text.append(f"  docs {sparkline(line.total)}\n", style="not bold dim")
    text.append(
        f"The wave at {_clock(outcome.launch_at, zone)} is a new phone: loud, not angry, so no alert.", "not bold"
    )
    return text


def _incident(file: IncidentFile, zone: ZoneInfo) -> RenderableType:
    one = file.incident
    evidence = file.evidence[0].body if file.evidence else {}
    head = Text()
    head.append(f"{one.severity} ", style=SEVERITY_STYLE.get(one.severity, "bold"))
    head.append(f"· {one.status} · since {_clock(one.starts_at, zone)}, noticed at {_clock(one.detected_at, zone)}")
    figures = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    figures.add_row("negative documents", f"[bold]{one.observed:.0f}", f"usually about {one.expected:.1f}")
    if evidence.get("share") is not None:
        figures.add_row("share of all", f"[bold]{evidence['share']:.0%}", f"usually {evidence['usual_share']:.0%}")
    figures.add_row("score", f"[bold]{one.score:.1f}", "how surprising: −log10 p of count plus share")
    quotes = [Text(f"“{quote['text']}”  — {quote['source']}") for quote in evidence.get("documents", [])]
    title = Text(f"Incident {one.id}: negative surge, {_subject(one.labels)}")
    body = Group(
        head, "", figures, "", Text("In their own words", style="bold"), *[Padding(q, (0, 2)) for q in quotes]
    )
    return Panel(body, title=title, title_align="left", border_style="red", padding=(1, 2))


def _subject(labels: dict[str, str]) -> str:
    named = [f"{name} {labels[name]}" for name in ("topic", "source", "lang", "kind") if name in labels]
    return ", ".join(named) or "all documents"


def _delivered(outcome: Outcome) -> RenderableType:
    """Who was told, from the outbox itself."""
    sent: dict[str, int] = {}
    for file in outcome.incidents:
        for delivery in file.deliveries:
            if delivery.status == "delivered":
                sent[delivery.channel] = sent.get(delivery.channel, 0) + 1
    names = {"kafka": "Kafka topic opinion.alert.v1", "webhook": "webhook (Alertmanager format)"}
    table = Table(title="Told", title_justify="left", title_style="bold", box=None, show_header=False, padding=(0, 2))
    for channel, times in sorted(sent.items()):
        table.add_row(names.get(channel, channel), f"[green]{times} delivered")
    return Padding(table, (1, 0, 0, 0))


def _steps(next_steps: list[tuple[str, str]]) -> RenderableType:
    table = Table(
        title="Try next", title_justify="left", title_style="bold", box=None, show_header=False, padding=(0, 2)
    )
    for command, about in next_steps:
        table.add_row(Text(command, style="bold cyan"), Text(about))
    return Padding(table, (1, 0, 0, 0))


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%H:%M}"
