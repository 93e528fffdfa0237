"""`opinion dlq`: look at dead letters and put them back."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from heapq import nsmallest
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from core.errors import GateRefusedError, UsageError
from core.settings import Settings, load_settings
from core.times import parse_time
from opinion.dead_letters import checked_reason, destinations, detail_of, escaped, origin_of, place_of, topic_name
from opinion.servers import Addresses, servers
from storage.engine import connect
from streams import dead_letter_topic
from streams.dead_letter_topic import DeadLetterTopic, Span, StoredDeadLetter
from streams.redrive import Redriven, redrive

app = typer.Typer(help="Records that could never be stored: list, show, put back.", no_args_is_help=True)
stderr = Console(stderr=True)

TopicOption = Annotated[
    Literal["raw", "label"], typer.Option("--topic", help="Whose dead letters: of documents or of labels.")
]
ReasonOption = Annotated[str | None, typer.Option(help="Only of this reason, for example bad_json.")]
SinceOption = Annotated[
    str | None, typer.Option(help="Only those dead-lettered at or after this time, for example 2026-05-01T08:00.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("list")
def list_letters(
    reason: ReasonOption = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(help="Show at most so many, oldest first; all are counted.", min=1)] = 50,
    topic: TopicOption = "raw",
    as_json: JsonOption = False,
) -> None:
    """List dead letters, and count them by reason.

    Example: opinion dlq list --reason bad_json --since 2026-05-01
    """
    settings = load_settings()
    checked_reason(reason)
    with _opened(settings, topic) as (letters, _):
        by_reason: Counter[str] = Counter()
        spans = letters.spans(_time(since, settings))
        found = _summaries(_wanted(letters, spans, reason), by_reason)
        shown = nsmallest(limit, found, key=lambda row: row["dead_lettered_at"])
    if as_json:
        body = {"count": by_reason.total(), "reasons": dict(by_reason.most_common()), "dead_letters": shown}
        typer.echo(json.dumps(body, ensure_ascii=False))
        return
    table = Table("id", "when", "reason", "from", "detail", title=f"{by_reason.total()} dead letters")
    for row in shown:
        table.add_row(*(Text(row[name]) for name in ("id", "dead_lettered_at", "reason", "from", "detail")))
    counts = Table("reason", "dead letters")
    for name, count in by_reason.most_common():
        counts.add_row(Text(name), str(count))
    Console().print(table, counts)


@app.command("show")
def show(
    letter_id: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="The id, as `dlq list` shows it.")],
    is_raw: Annotated[bool, typer.Option("--raw", help="The untouched bytes to stdout, and nothing else.")] = False,
    topic: TopicOption = "raw",
) -> None:
    """Print one dead letter as JSON, everything unprintable in it escaped.

    Example: opinion dlq show 3:17; opinion dlq show 3:17 --raw > letter.bin
    """
    partition, offset = place_of(letter_id)
    with _opened(load_settings(), topic) as (letters, _):
        letter = letters.letter(partition, offset)
    if is_raw:
        sys.stdout.buffer.write(letter.value or b"")
        return
    value = letter.value
    body = {
        **_summary(letter),
        "key": escaped(letter.key),
        "headers": [[name, escaped(content)] for name, content in letter.headers],
        "bytes": None if value is None else len(value),
        "value": escaped(value),
    }
    typer.echo(json.dumps(body, indent=2))  # ASCII only: no control character reaches a terminal


@app.command("redrive")
def redrive_letters(
    reason: ReasonOption = None,
    since: SinceOption = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="PARTITION:OFFSET", help="Only this one; repeat it for several.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many.", min=1)] = None,
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would be put back.")] = False,
    is_again: Annotated[bool, typer.Option("--again", help="Also those that were put back before.")] = False,
    topic: TopicOption = "raw",
    as_json: JsonOption = False,
) -> None:
    """Put dead letters back onto the topic they came from: each once, bytes and own headers untouched.

    A letter whose topic is not read here or does not exist any more is refused; the others go back, and the exit
    code is 5.

    Example: opinion dlq redrive --reason too_large --dry-run
    """
    if only and (reason or since):
        raise UsageError("--only names letters; --reason and --since choose among all", remedy="leave one out")
    settings = load_settings()
    checked_reason(reason)
    with _opened(settings, topic, need_postgres=True) as (letters, addresses):
        spans = letters.spans(_time(since, settings))
        if only:
            chosen = [letters.letter(*place_of(one)) for one in dict.fromkeys(only)]
            source, total = iter(chosen), len(chosen)
        else:
            source = _wanted(letters, spans, reason)
            total = sum(max(0, span.end - span.start) for span in spans.values())
        engine = connect(addresses.database_url)
        try:
            with _progress(total) as on_progress:
                result = redrive(
                    addresses.kafka_bootstrap,
                    engine,
                    letters.topic,
                    source,
                    destinations(settings, letters),
                    most=limit,
                    is_dry=is_dry,
                    is_again=is_again,
                    on_progress=on_progress,
                )
        finally:
            engine.dispose()
    _report(result, is_dry, as_json)


def _report(result: Redriven, is_dry: bool, as_json: bool) -> None:
    """Raises GateRefusedError when a letter was refused."""
    if as_json:
        body = {
            "would_redrive" if is_dry else "redriven": result.sent,
            "reasons": dict(result.reasons),
            "already": result.already,
            "refused": result.refused,
            "objections": result.objections,
        }
        typer.echo(json.dumps(body, ensure_ascii=False))
    else:
        typer.echo(f"{result.sent} records {'would be ' if is_dry else ''}put back")
        if result.already:
            stderr.print(f"{result.already} had been put back before; --again does it once more")
    if result.refused:
        first, objection = next(iter(result.objections.items()))
        raise GateRefusedError(
            f"{result.refused} dead letters were refused; {first} {objection}",
            remedy="`opinion dlq show` tells of each; `opinion topics apply` creates a topic of ours that is missing",
        )


@contextmanager
def _opened(
    settings: Settings, topic: Literal["raw", "label"], *, need_postgres: bool = False
) -> Iterator[tuple[DeadLetterTopic, Addresses]]:
    name = topic_name(settings, topic)
    with (
        servers(settings, need_postgres=need_postgres) as addresses,
        dead_letter_topic.opened(addresses.kafka_bootstrap, name) as letters,
    ):
        yield letters, addresses


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """A bar on a terminal's stderr; nothing elsewhere."""
    columns = (TextColumn("dead letters"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda letters: bar.advance(task, letters)


def _wanted(letters: DeadLetterTopic, spans: Mapping[int, Span], reason: str | None) -> Iterator[StoredDeadLetter]:
    return (letter for letter in letters.read(spans) if reason in (None, letter.reason))


def _summaries(found: Iterator[StoredDeadLetter], by_reason: Counter[str]) -> Iterator[dict[str, str]]:
    """Each letter in short, so that no value is kept; counts on the way."""
    for letter in found:
        by_reason[letter.reason] += 1
        yield _summary(letter)


def _summary(letter: StoredDeadLetter) -> dict[str, str]:
    return {
        "id": letter.id,
        "dead_lettered_at": letter.dead_lettered_at.isoformat(timespec="milliseconds"),
        "reason": letter.reason,
        "from": origin_of(letter),
        "detail": detail_of(letter),
    }


def _time(since: str | None, settings: Settings) -> datetime | None:
    try:
        return None if since is None else parse_time(since, settings.zone)
    except ValueError as error:
        raise UsageError(f"--since: {error}", remedy="for example --since 2026-05-01T08:00") from error
