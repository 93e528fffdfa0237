"""`opinion search`: find stored documents."""

import json
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from alerts.rendering.excerpts import excerpt
from core.errors import UsageError
from core.queries import parse_query
from core.settings import Settings, load_settings
from core.taxonomy import Sentiment
from core.times import parse_time
from opinion.commands.json_rows import row_as_json
from opinion.servers import servers
from storage.engine import connect
from storage.queries import DocumentView
from storage.search import MOST, Wanted
from storage.search import search as find
from storage.series import Filters, Span

SHOWN_CHARS: Final = 160  # of a text, to a person
PATIENCE_SECONDS: Final = 60.0  # at a terminal one can see that it still works, and stop it
EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)


def search(
    query: Annotated[
        str | None, typer.Argument(help='Words, "phrases", begin*, AND, OR, NOT, ( ); all documents if absent.')
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    lang: Annotated[str | None, typer.Option(help="Only in this language, such as zh.")] = None,
    sentiment: Annotated[Sentiment | None, typer.Option(help="Only with this sentiment.")] = None,
    topic: Annotated[str | None, typer.Option(help="Only on this topic.")] = None,
    watchlist: Annotated[str | None, typer.Option(help="Only documents that mention this one.")] = None,
    comments_of: Annotated[str | None, typer.Option(metavar="ID", help="Only comments on this document.")] = None,
    since: Annotated[str | None, typer.Option(help="Published then or later: 2026-03-01 or with a time.")] = None,
    until: Annotated[str | None, typer.Option(help="Published before then.")] = None,
    limit: Annotated[int, typer.Option(help="Documents in a page.", min=1, max=MOST)] = 20,
    after: Annotated[str | None, typer.Option(metavar="CURSOR", help="The `next` of the page before.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Find documents by their words, newest first.

    Example: opinion search '手机 (降价 OR "price cut")' --sentiment negative --since 2026-03-01
    """
    settings = load_settings()
    named = {"source": source, "lang": lang, "topic": topic, "watchlist": watchlist, "comments-of": comments_of}
    for option, value in named.items():
        if value is not None and "\x00" in value:
            raise UsageError(f"--{option}: a NUL character matches nothing")
    wanted = Wanted(
        query=parse_query(query) if query is not None else None,
        filters=Filters(topic=topic, source=source, language=lang),
        sentiment=sentiment,
        watchlist=watchlist,
        comments_of=comments_of,
        span=_span(since, until, settings),
        before=_cursor(after) if after is not None else None,
        limit=limit + 1,
    )
    with servers(settings, need_kafka=False) as addresses:
        engine = connect(addresses.database_url)
        try:
            with engine.connect() as connection:
                found = find(connection, wanted, seconds=PATIENCE_SECONDS)
        finally:
            engine.dispose()
    following = f"{found[limit - 1].published_at.isoformat()},{found[limit - 1].id}" if len(found) > limit else None
    if as_json:
        body = {"documents": [row_as_json(one) for one in found[:limit]], "next": following}
        typer.echo(json.dumps(body, ensure_ascii=False))
    else:
        _print(found[:limit], following, settings)


def _span(since: str | None, until: str | None, settings: Settings) -> Span | None:
    if since is None and until is None:
        return None
    times = []
    for option, value, otherwise in (("since", since, EARLIEST), ("until", until, LATEST)):
        try:
            times.append(otherwise if value is None else parse_time(value, settings.zone))
        except ValueError as error:
            raise UsageError(f"--{option}: {error}", remedy="for example 2026-03-01T08:00+08:00") from error
    return Span(*times)


def _cursor(after: str) -> tuple[datetime, str]:
    at, _, document_id = after.partition(",")
    try:
        seen_at = datetime.fromisoformat(at)
        if seen_at.tzinfo is None or not document_id or "\x00" in document_id:
            raise ValueError(after)
        return seen_at.astimezone(UTC), document_id
    except (ValueError, OverflowError) as error:
        raise UsageError("--after: not a cursor of a search", remedy="copy `next` of the page before") from error


def _print(found: list[DocumentView], following: str | None, settings: Settings) -> None:
    console = Console(highlight=False)
    for one in found:
        at = one.published_at.astimezone(settings.zone)
        verdict = f"{_verdict(one.shown_topic, one.topic_label)}  {_verdict(one.shown_sentiment, one.sentiment)}"
        line = Text(f"{at:%Y-%m-%d %H:%M}  {one.source}  {verdict}  {one.id}", style="dim")
        console.print(line)  # Text: crawled words are not markup
        console.print(Text("  " + excerpt(f"{one.title}  {one.text}" if one.title else one.text, SHOWN_CHARS)))
    if not found:
        console.print("no document matches")
    elif following:
        console.print(Text(f"more: --after '{following}'", style="dim"))


def _verdict(shown: str, judged: str) -> str:
    """What people say, where it differs from the model with both."""
    return shown if shown == judged else f"{shown} (model: {judged})"
