"""`opinion reclassify`: another model's verdicts on documents that are stored already."""

import json
import os
import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from kafka.errors import KafkaError
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text
from sqlalchemy import Engine

from core.errors import NotFoundError, UsageError
from core.settings import Settings, load_settings
from core.times import parse_time
from core.watchlists import Watchlists
from opinion.reclassifying import Pace, Reclassification
from opinion.servers import database, kafka_address
from storage import model_versions, reclassifications
from storage.reclassifications import Job, ReclassificationEnded, Wanted
from streams import topics
from streams.classify import TextClassifier
from streams.offsets import OffsetReader
from streams.watching import WatchlistFollower

NICENESS: Final = 15
LOOK_SECONDS: Final = 5.0  # between two questions to the broker
SHOWN: Final = 20
MOST_MOVES: Final = 8

app = typer.Typer()
stderr = Console(stderr=True, highlight=False)

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.callback(invoke_without_command=True)
def reclassify(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help="Documents published then or later.")] = None,
    until: Annotated[str | None, typer.Option(help="Only documents published before.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only of this source; may be repeated.")] = None,
    watchlist: Annotated[
        list[str] | None, typer.Option(help="Only what mentions this watchlist; may be repeated.")
    ] = None,
    model: Annotated[str, typer.Option(help="A version of `opinion models list`.")] = "champion",
    rate: Annotated[float | None, typer.Option(help="Most documents a second; else as fast as it goes.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many documents there are.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge stored documents again with another model, at low priority; verdicts, mentions and counts move together.

    Each document is judged once, also when this is killed: the same command goes on where it was. Workers go on
    meanwhile, and what they revise wins. Nobody is alerted of the past, and documents that the detector may still
    judge, those of the last five hours or so, stay as they are.

    Example: opinion reclassify --since 2026-01-01 --model champion
    """
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    if since is None:
        raise UsageError("--since is missing", remedy="for example --since 2026-05-01")
    if rate is not None and not rate > 0:
        raise UsageError("--rate: documents a second, more than 0", remedy="for example --rate 50")
    start, end = _time("--since", since, settings), _time("--until", until, settings) if until else None
    if end is not None and end <= start:
        raise UsageError("--until is not after --since")
    began = time.monotonic()
    with database(settings) as engine:
        version, path = _model(engine, model)
        watched = _watched(engine, watchlist or [])
        wanted = Wanted(version, start, end, tuple(sorted({*(source or [])})), tuple(sorted({*(watchlist or [])})))
        with engine.connect() as connection:
            ahead = reclassifications.outlook(connection, wanted)
        if dry_run:
            _say_outlook(wanted, ahead, as_json)
            return
        os.nice(NICENESS)
        with Progress(console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
            task = bar.add_task("documents", total=sum(ahead.values()) or None)
            with _lag(settings) as lag:
                job = _run(
                    Reclassification(
                        engine,
                        wanted,
                        load=lambda: _load(settings, path),
                        watched=watched,
                        pace=Pace(rate, lag),
                        on_progress=lambda documents: bar.advance(task, documents),
                    )
                )
    _say(job, round(time.monotonic() - began, 2), as_json)


@app.command("list")
def list_jobs(as_json: JsonOption = False) -> None:
    """What was judged again, or is: the newest jobs with their figures.

    Example: opinion reclassify list
    """
    with database(load_settings()) as engine, engine.connect() as connection:
        found = reclassifications.jobs(connection, SHOWN)
    if as_json:
        typer.echo(json.dumps({"jobs": [_body(job) for job in found]}, ensure_ascii=False))
        return
    table = Table("id", "model", "documents", "status", "reached", "rescored", "changed", title="Reclassifications")
    for job in found:
        reached = f"{job.reached.published_at:%Y-%m-%d %H:%M}" if job.reached else ""
        figures = (str(job.figures.get(name, 0)) for name in ("rescored", "changed"))
        cells = (str(job.id), job.wanted.model_version, _span(job.wanted), job.status, reached, *figures)
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)


@app.command()
def cancel(
    job_id: Annotated[int, typer.Argument(metavar="ID", help="Of `opinion reclassify list`.")],
    as_json: JsonOption = False,
) -> None:
    """End a job where it is: what it has judged stays, the rest keeps the verdicts it has.

    Example: opinion reclassify cancel 3
    """
    with database(load_settings()) as engine, engine.begin() as connection:
        job = reclassifications.cancel(connection, job_id)
    if as_json:
        typer.echo(json.dumps(_body(job), ensure_ascii=False))
    else:
        stderr.print(
            f"reclassification {job.id} is cancelled, {job.figures.get('rescored', 0)} documents were judged"
        )


def _run(run: Reclassification) -> Job:
    try:
        return run.run()
    except ReclassificationEnded:
        raise UsageError(
            "it was cancelled meanwhile; what it has judged stays", remedy="opinion reclassify list"
        ) from None


def _model(engine: Engine, name: str) -> tuple[str, str]:
    """Version and checkpoint.

    Raises:
        NotFoundError: no such version.
    """
    with engine.connect() as connection:
        if name == "champion":
            champion = model_versions.champion(connection)
            if champion is None:
                raise NotFoundError(
                    "no model was promoted yet", remedy="opinion models list, which promotes the first"
                )
            return champion.version, champion.path
        for one in model_versions.versions(connection):
            if one.version == name:
                return one.version, one.path
    raise NotFoundError(f"no model version {name}", remedy="opinion models list")


def _load(settings: Settings, path: str) -> TextClassifier:
    from opinion.champion import load_classifier  # brings torch: only for what has to be judged

    return load_classifier(settings, path)


def _watched(engine: Engine, names: list[str]) -> Watchlists:
    """All watchlists, as workers have them now.

    Raises:
        NotFoundError: one of these is not among them.
    """
    follower = WatchlistFollower(engine)
    follower.catch_up()
    if unknown := sorted(set(names) - set(follower.current().names)):
        raise NotFoundError(f"no watchlist {', '.join(map(repr, unknown))}", remedy="opinion watch list")
    return follower.current()


class _Lag:
    """How many records the workers have not taken yet; nobody is asked more often than every few seconds."""

    def __init__(self, reader: OffsetReader | None) -> None:
        self._reader = reader
        self._asked_at = float("-inf")
        self._known = 0

    def __enter__(self) -> Callable[[], int]:
        return self._now

    def __exit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.close()

    def _now(self) -> int:
        if self._reader is not None and time.monotonic() - self._asked_at >= LOOK_SECONDS:
            try:
                self._known = self._reader.lag_records()
            except KafkaError:
                self._known = 0  # no broker, no stream to be in the way of
            self._asked_at = time.monotonic()
        return self._known


def _lag(settings: Settings) -> _Lag:
    bootstrap = kafka_address(settings)
    topic = settings.kafka.topic_prefix + topics.RAW
    return _Lag(OffsetReader(bootstrap, settings.group, topic) if bootstrap else None)


def _time(option: str, value: str, settings: Settings) -> datetime:
    try:
        return parse_time(value, settings.zone)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", remedy=f"for example {option} 2026-05-01T08:00") from error


def _say_outlook(wanted: Wanted, ahead: dict[str, int], as_json: bool) -> None:
    others = {version: count for version, count in ahead.items() if version != wanted.model_version}
    if as_json:
        body = {"model": wanted.model_version, "documents": sum(others.values()), "by_model": others}
        typer.echo(json.dumps(body, ensure_ascii=False))
        return
    said = ", ".join(f"{count} by {version}" for version, count in others.items()) or "none"
    stderr.print(f"{wanted.model_version} would judge about {sum(others.values())} documents ({said})", markup=False)


def _body(job: Job) -> dict[str, Any]:
    wanted = job.wanted
    return {
        "id": job.id,
        "model": wanted.model_version,
        "since": wanted.since.isoformat(),
        "until": wanted.until.isoformat() if wanted.until else None,
        "sources": list(wanted.sources),
        "watchlists": list(wanted.watchlists),
        "status": job.status,
        "reached": job.reached.published_at.isoformat() if job.reached else None,
        **job.figures,
    }


def _say(job: Job, seconds: float, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**_body(job), "seconds": seconds}, ensure_ascii=False))
        return
    figures = job.figures
    stderr.print(
        f"{figures['rescored']} of {figures['documents']} documents judged again by {job.wanted.model_version}, "
        f"{figures['changed']} with another verdict, in {seconds} s",
        markup=False,
    )
    for name in ("sentiments", "topics"):
        moves = sorted(figures[name].items(), key=lambda one: (-one[1], one[0]))[:MOST_MOVES]
        if moves:
            stderr.print(f"{name}: {', '.join(f'{move} {count}' for move, count in moves)}", markup=False)
    if figures["left"]:
        stderr.print(f"{figures['left']} left: the detector may still judge them", markup=False)


def _span(wanted: Wanted) -> str:
    until = f"{wanted.until:%Y-%m-%d %H:%M}" if wanted.until else ""
    only = [*wanted.sources, *(f"mentions {name}" for name in wanted.watchlists)]
    return " ".join([f"{wanted.since:%Y-%m-%d %H:%M} – {until}".strip(), *only])
