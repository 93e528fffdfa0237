"""`opinion feeds`: which feeds are polled, what a poll would bring, and polling them now."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.rendering.excerpts import excerpt
from core.clock import SystemClock
from core.errors import GateRefusedError, NotFoundError, UsageError
from core.records import Kind
from core.settings import Settings, load_settings
from opinion.servers import database, servers
from storage import feeds
from storage.engine import connect
from storage.feeds import FeedRow, FeedSpec
from streams import topics
from streams.intake import IntakeLimits

app = typer.Typer(help="RSS and Atom feeds: add, list, remove, try, poll.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
EveryOption = Annotated[str | None, typer.Option(help="How often: 15m, 2h, 1d; `feeds.every` if absent.")]
ArticleOption = Annotated[bool, typer.Option("--article", help="Take the text of the page that an entry links to.")]
SourceOption = Annotated[str | None, typer.Option(help="Source of the documents; the host's name if absent.")]
LangOption = Annotated[str | None, typer.Option(help="Language of the documents, such as zh; else it is found out.")]


@app.command("add")
def add(
    url: Annotated[str, typer.Argument(help="Address of the feed.")],
    source: SourceOption = None,
    every: EveryOption = None,
    article: ArticleOption = False,
    kind: Annotated[Kind, typer.Option(help="What its entries are.")] = "news",
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Poll a feed from now on; one that is there already takes these settings and keeps its place.

    Example: opinion feeds add https://example.com/rss.xml --source example --every 10m --article
    """
    settings = load_settings()
    spec = _spec(settings, url=url, source=source, every=every, article=article, kind=kind, lang=lang)
    _put(settings, [spec], as_json)


@app.command("import")
def import_list(
    file: Annotated[Path, typer.Argument(help="YAML file of feeds.")], as_json: JsonOption = False
) -> None:
    """Add the feeds of a YAML file; those that are there already take what the file says and keep their place.

    Example: opinion feeds import feeds.yaml
    """
    from streams.sources.feed_list import read_feed_list

    settings = load_settings()
    _put(settings, read_feed_list(file, settings.feeds.every), as_json)


@app.command("list")
def list_feeds(as_json: JsonOption = False) -> None:
    """Show the feeds, how their last poll went, and when their turn comes again.

    Example: opinion feeds list
    """
    settings = load_settings()
    with database(settings) as engine, engine.connect() as connection:
        found = feeds.all_feeds(connection)
    if as_json:
        typer.echo(json.dumps({"feeds": [_as_json(row) for row in found]}, ensure_ascii=False))
    else:
        Console().print(_table(found, settings))


@app.command("remove")
def remove(url: Annotated[str, typer.Argument(help="Address of the feed.")], as_json: JsonOption = False) -> None:
    """Poll a feed no more; its documents stay.

    Example: opinion feeds remove https://example.com/rss.xml
    """
    settings = load_settings()
    with database(settings) as engine, engine.begin() as connection:
        is_gone = feeds.remove(connection, url) or feeds.remove(connection, _spec(settings, url=url).url)
    if not is_gone:
        raise NotFoundError(f"there is no feed {url}", remedy="opinion feeds list")
    if as_json:
        typer.echo(json.dumps({"removed": url}))
    else:
        Console().print("removed; its documents stay", markup=False)


@app.command("test")
def try_feed(
    url: Annotated[str, typer.Argument(help="Address of the feed.")],
    source: SourceOption = None,
    article: ArticleOption = False,
    lang: LangOption = None,
    limit: Annotated[int, typer.Option(help="Show at most so many documents.", min=0)] = 10,
    as_json: JsonOption = False,
) -> None:
    """Show what a poll would bring, newest last; nothing is written and no server is needed.

    Example: opinion feeds test https://example.com/rss.xml --article
    """
    import msgspec

    from streams.sources.feeds import FeedReader
    from streams.sources.fetching import Fetcher, FetchOptions

    settings = load_settings()
    spec = _spec(settings, url=url, source=source, article=article, lang=lang)
    row = FeedRow(**{name: getattr(spec, name) for name in feeds.SAID})

    async def poll() -> Any:
        async with Fetcher(FetchOptions.of(settings.feeds)) as fetcher:
            most = min(settings.feeds.max_articles, limit) if limit else settings.feeds.max_articles
            reader = FeedReader(fetcher, IntakeLimits.of(settings), SystemClock(), max_articles=most)
            return await reader.poll(row)

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        found = runner.run(poll())
    if found.error:
        raise GateRefusedError(f"{found.error.reason}: {found.error.detail}", remedy="docs/how-to/read-feeds.md")
    documents = found.documents[-limit:] if limit else []
    if as_json:
        body = {
            "documents": msgspec.to_builtins(documents),
            "total": len(found.documents),
            "rejected": found.rejected,
            "problem": found.state.last_error,
        }
        typer.echo(json.dumps(body, ensure_ascii=False))
        return
    table = Table(title=f"{len(found.documents)} documents", caption=found.state.last_error)
    for heading in ("published", "lang", "id", "title", "text"):
        table.add_column(heading)
    for document in documents:
        published = f"{document.published_at.astimezone(settings.zone):%m-%d %H:%M}" if document.published_at else ""
        cells = (published, document.lang, excerpt(document.id, 60), document.title or "", document.text)
        table.add_row(*(Text(excerpt(str(cell), 100)) for cell in cells))
    Console().print(table)
    for reason in found.rejected[:limit]:
        Console().print(f"rejected: {excerpt(reason, 200)}", markup=False)


@app.command("run")
def run(
    everything: Annotated[bool, typer.Option("--all", help="All active feeds, also those that are not due.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Poll the feeds that are due, once, and put what is new onto the raw topic, as the scheduler does.

    Example: opinion feeds run --all
    """
    from opinion.feeds import FeedsJob
    from streams.sources.feeds import Poll
    from streams.sources.fetching import shown

    settings = load_settings()
    polls: list[Poll] = []
    with servers(settings) as addresses:
        topics.apply(addresses.kafka_bootstrap, settings.kafka)
        engine = connect(addresses.database_url)
        job = FeedsJob(settings, engine, addresses.kafka_bootstrap, SystemClock(), on_poll=polls.append)
        try:
            if everything:
                with engine.begin() as connection:
                    feeds.make_due(connection, now=datetime.now(UTC))
            job(lambda: False)
        finally:
            job.close()
            engine.dispose()
    outcomes = Counter(poll.outcome for poll in polls)
    result = {
        "polls": len(polls),
        **{outcome: outcomes[outcome] for outcome in ("changed", "unchanged", "failed")},
        "documents": sum(len(poll.documents) for poll in polls),
        "rejected": sum(len(poll.rejected) for poll in polls),
    }
    if as_json:
        errors = {shown(poll.feed.url): str(poll.error) for poll in polls if poll.error}
        typer.echo(json.dumps(result | {"errors": errors}, ensure_ascii=False))
        return
    table = Table(show_header=False)
    for name, value in result.items():
        table.add_row(name, str(value))
    Console().print(table)
    for poll in polls:
        if poll.error:
            Console().print(f"{shown(poll.feed.url)}: {excerpt(str(poll.error), 200)}", markup=False)


def _spec(settings: Settings, **said: Any) -> FeedSpec:
    from streams.sources.feed_list import FeedEntry

    try:
        return FeedEntry(**said).spec(settings.feeds.every)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}", remedy="opinion feeds add --help"
        ) from error


def _put(settings: Settings, specs: Sequence[FeedSpec], as_json: bool) -> None:
    with database(settings) as engine, engine.begin() as connection:
        added = feeds.put(connection, specs, now=datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps({"added": added, "updated": len(specs) - added}))
    else:
        Console().print(f"{added} added, {len(specs) - added} updated; the scheduler polls them", markup=False)


def _as_json(row: FeedRow) -> dict[str, Any]:
    from streams.sources.fetching import shown

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat()
        return value.total_seconds() if isinstance(value, timedelta) else value

    body = {name: plain(getattr(row, name)) for name in feeds.KNOWN if name not in ("seen", "every")}
    return body | {"url": shown(row.url), "every_seconds": row.every.total_seconds(), "entries": len(row.seen)}


def _table(found: Sequence[FeedRow], settings: Settings) -> Table:
    from streams.sources.fetching import shown

    def local(at: datetime | None) -> str:
        return at.astimezone(settings.zone).strftime("%m-%d %H:%M") if at else ""

    table = Table(title=f"{len(found)} feeds", caption=f"times of {settings.timezone}")
    for heading in ("source", "url", "every", "article", "last read", "next", "failures", "last error"):
        table.add_column(heading)
    for row in found:
        cells = (
            excerpt(row.source, 30),
            excerpt(shown(row.url), 80),
            str(row.every),
            "yes" if row.article else "",
            local(row.last_ok_at),
            local(row.next_at) if row.is_active else "off",
            str(row.failures or ""),
            excerpt(row.last_error or "", 60),
        )
        table.add_row(*(Text(cell) for cell in cells))  # Text: what others wrote is not markup
    return table
