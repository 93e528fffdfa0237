"""`opinion models list|promote|rollback`: which models there are, and which one classifies."""

import getpass
import json
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from sqlalchemy import Engine

from core.settings import Settings, load_settings
from models.registry import ModelFolders
from opinion.announcing import announce_if_possible
from opinion.promotions import first_champion, promote, rollback
from opinion.servers import database
from storage import model_versions, training_runs, worker_models
from storage.model_versions import ModelVersion, Promotion
from storage.training_runs import TrainingRun
from storage.worker_models import WorkerModel

RUNS_SHOWN = 10
stderr = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class _Registry:
    versions: list[ModelVersion]
    champion: Promotion
    runs: list[TrainingRun]
    workers: list[WorkerModel]


def list_models(as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> None:
    """Every known model, the champion among them, and the latest retrain runs with their reasons.

    Example: opinion models list
    """
    settings = load_settings()
    with database(settings) as engine, engine.begin() as connection:
        champion = first_champion(connection, settings.models.checkpoint)
        registry = _Registry(
            model_versions.versions(connection),
            champion,
            training_runs.newest(connection, RUNS_SHOWN),
            worker_models.alive(connection),
        )
    if as_json:
        typer.echo(json.dumps(_body(registry), default=str))
    else:
        _show(registry)


def promote_model(
    version: Annotated[str, typer.Argument(help="A version of `models list`, or the folder of a checkpoint.")],
    reason: Annotated[str, typer.Option(help="Why; kept for good.")] = "by hand",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Make a model the champion: running workers swap to it between two batches.

    Example: opinion models promote var/my-model --reason "better on car forums"
    """
    settings = load_settings()
    with database(settings) as engine:
        with engine.begin() as connection:
            first_champion(connection, settings.models.checkpoint)  # so that a rollback has somewhere to go
        promotion = promote(
            engine,
            version,
            reason=reason,
            by=who(),
            home=settings.home,
            folders=ModelFolders(settings.home.resolve()) if settings.registry.url else None,
        )
        is_announced = tell_workers(settings, engine, stderr)
    _say(promotion, is_announced, as_json)


def rollback_model(
    to: Annotated[str | None, typer.Option(help="A version; the champion before this one if absent.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Go back to the champion before this one. A second rollback goes one step further back.

    Example: opinion models rollback
    """
    settings = load_settings()
    with database(settings) as engine:
        promotion = rollback(engine, to=to, by=who(), home=settings.home)
        is_announced = tell_workers(settings, engine, stderr)
    _say(promotion, is_announced, as_json)


def tell_workers(settings: Settings, engine: Engine, console: Console) -> bool:
    """Tell the workers now when a broker runs; else the scheduler will. Returns whether they were told."""
    is_told = announce_if_possible(settings, engine, on_delay=lambda why: console.print(why, markup=False))
    if not is_told:
        console.print("Workers hear of it from the scheduler, as soon as it runs and Kafka answers.")
    return is_told


def who() -> str:
    """Whoever runs the command, by account."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without an entry for its user id
        return "unknown"


def _body(registry: _Registry) -> dict[str, object]:
    return {
        "champion": registry.champion.version,
        "promoted_at": registry.champion.promoted_at.isoformat(),
        "versions": [version._asdict() for version in registry.versions],
        "runs": [run._asdict() for run in registry.runs],
        "workers": [{**worker._asdict(), "is_behind": worker.is_behind} for worker in registry.workers],
    }


def _say(promotion: Promotion, is_announced: bool, as_json: bool) -> None:
    body = {"champion": promotion.version, "reason": promotion.reason, "is_announced": is_announced}
    if as_json:
        typer.echo(json.dumps(body))
    else:
        Console(highlight=False).print(f"Champion: {promotion.version} ({promotion.reason})", markup=False)


def _show(registry: _Registry) -> None:
    console = Console()
    table = Table("", Column("version", no_wrap=True), "origin", "parent", "created", "held-out F1", title="Models")
    for version in registry.versions:
        table.add_row(
            "★" if version.version == registry.champion.version else "",
            version.version,
            version.origin if version.files_gone_at is None else f"{version.origin}, files gone",
            Text(version.parent or ""),
            f"{version.created_at:%Y-%m-%d %H:%M}",
            _held_out(version),
        )
    console.print(table)
    if registry.runs:
        runs = Table("run", "started", "candidate", "verdict", "reasons", title="Retrain runs")
        for run in registry.runs:
            verdict = _at_work(run) if run.finished_at is None else "promoted" if run.is_promoted else "not promoted"
            started = f"{run.started_at:%Y-%m-%d %H:%M}"
            runs.add_row(str(run.id), started, run.candidate or "", verdict, "\n".join(run.reasons))
        console.print(runs)

    if registry.workers:
        workers = Table("worker", "runs", "since", "told to run", "which waits for", title="Workers")
        for one in registry.workers:
            told, since = one.wanted if one.is_behind else "", f"{one.changed_at:%Y-%m-%d %H:%M}"
            why = one.error or ("loaded, or loading: its next batch takes it" if one.is_behind else "")
            workers.add_row(*(Text(cell) for cell in (one.worker, one.version, since, told, why)))
        console.print(workers)


def _at_work(run: TrainingRun) -> str:
    """How far it is, e.g. `at work: training 120/300`."""
    stage, step, steps = (run.progress.get(name) for name in ("stage", "step", "steps"))
    return "at work" if not stage else f"at work: {stage} {step}/{steps}" if steps else f"at work: {stage}"


def _held_out(version: ModelVersion) -> str:
    figures = version.metrics.get("held_out", {}).get("candidate", {})
    return ", ".join(f"{head} {figure:.3f}" for head, figure in figures.items())
