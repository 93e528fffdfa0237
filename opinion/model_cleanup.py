"""Room on the disk and in the store: files that no rollback, no job and no worker needs. What is known of the models
stays in SQL."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from core.clock import Clock
from core.errors import OpinionError
from core.logs import get_logger
from core.settings import Settings
from models.model_store import ModelStore
from models.registry import ModelFolders
from opinion.candidates import push_missing
from storage import model_use, model_versions, training_runs
from streams.model_files import model_store

WORK_FOLDER: Final = "retrain"
UNTOUCHED: Final = timedelta(days=3)  # nobody goes on with a training that was broken off so long ago
log = get_logger(__name__)


@dataclass
class Cleanup:
    """What was removed, or would be.

    Attributes:
        kept: versions with files, each with the reason.
        removed: versions whose files went.
        work: folders of trainings and copies that were never finished.
        bytes: of all that on this machine.
        unreachable: versions that the store did not give up; the next run asks again.
    """

    kept: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    work: list[str] = field(default_factory=list)
    bytes: int = 0
    unreachable: list[str] = field(default_factory=list)


def clean_up(
    engine: Engine, home: Path, *, store: ModelStore | None, keep: int, now: datetime, dry_run: bool = False
) -> Cleanup:
    """Remove the files of models that nothing needs, here and in the store, and what dead trainings have left.

    Only folders of `home/models` are ever removed: a checkpoint that was promoted where it lay is not ours.

    Args:
        keep: so many champions before the present one, and so many newest candidates, are kept.
    """
    folders, done = ModelFolders(home.resolve()), Cleanup()
    with engine.begin() as connection:
        model_versions.lock_promotions(connection)  # what becomes champion meanwhile must not go
        reasons = needed(connection, keep)
        here = {folder.name for folder in folders.folders()}
        for row in model_versions.versions(connection):
            is_here, is_stored = row.version in here, store is not None and row.stored_at is not None
            if not is_here and not is_stored:
                continue
            if (reason := reasons.get(row.version)) is not None:
                done.kept[row.version] = reason
                continue
            done.removed.append(row.version)
            done.bytes += _size(folders.root / row.version)
            if not dry_run:
                model_versions.set_files_gone(connection, row.version)
                folders.remove(row.version)
    if store is not None and not dry_run:
        _free_stored(engine, store, done)
    _free_work(engine, home, folders, done, now, dry_run=dry_run)
    log.info("models_tidied", removed=done.removed, work=len(done.work), bytes=done.bytes, dry_run=dry_run)
    return done


def needed(connection: Connection, keep: int) -> dict[str, str]:
    """The versions whose files must stay, each with the reason."""
    line = model_versions.standing_line(connection)
    promoted = model_versions.promoted_versions(connection)
    known = model_versions.versions(connection)
    candidates = [row.version for row in known if row.version not in promoted][:keep]
    return {
        **dict.fromkeys(candidates, f"one of the {keep} newest candidates"),
        **dict.fromkeys(line[-1 - keep : -1], "a rollback may go back to it"),
        **model_use.in_use(connection),
        **dict.fromkeys(line[-1:], "the champion"),
    }


def models_job(settings: Settings, engine: Engine, clock: Clock) -> Callable[[Callable[[], bool]], None]:
    """The scheduler's job: what the store lacks goes there, then what nothing needs goes away."""
    store, keep = model_store(settings), settings.registry.keep

    def run(should_stop: Callable[[], bool]) -> None:
        if store is not None:
            push_missing(engine, store)
        if not should_stop():
            clean_up(engine, settings.home, store=store, keep=keep, now=clock.now())

    return run


def _free_stored(engine: Engine, store: ModelStore, done: Cleanup) -> None:
    """Also what an earlier run could not remove, because the store did not answer."""
    with engine.connect() as connection:
        gone = [row.version for row in model_versions.versions(connection) if row.files_gone_at and row.stored_at]
    for version in gone:
        try:
            store.remove(version)
        except OpinionError as error:
            log.warning("model_not_removed", version=version, reason=error.message)
            done.unreachable.append(version)
            continue
        with engine.begin() as connection:
            model_versions.set_stored(connection, version, is_stored=False)


def _free_work(
    engine: Engine, home: Path, folders: ModelFolders, done: Cleanup, now: datetime, *, dry_run: bool
) -> None:
    dead = folders.left_over(now)
    with training_runs.only_run(engine) as is_nobody_training:
        if is_nobody_training:
            work = (home / WORK_FOLDER).glob("*")
            dead += [path for path in work if path.is_dir() and _is_untouched(path, now)]
        for path in dead:
            done.work.append(str(path))
            done.bytes += _size(path)
            if not dry_run:
                shutil.rmtree(path, ignore_errors=True)


def _is_untouched(folder: Path, now: datetime) -> bool:
    newest = max((path.stat().st_mtime for path in (folder, *folder.rglob("*"))), default=0.0)
    return now.timestamp() - newest > UNTOUCHED.total_seconds()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
