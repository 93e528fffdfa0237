"""Who is champion: the first one, changes of it, and telling the workers."""

from pathlib import Path

from sqlalchemy import Connection, Engine

from core.errors import NotFoundError
from core.logs import get_logger
from core.records import ModelAnnouncement
from storage import model_versions
from storage.model_versions import Promotion
from streams.announcements import announce

log = get_logger(__name__)


def announce_pending(engine: Engine, bootstrap: str, topic: str) -> Promotion | None:
    """Tell the workers of the champion, unless the broker has it already; the scheduler's `announce` job.

    What was announced last is the champion, even if this process was frozen between question and answer and another
    scheduler has announced a newer one meanwhile.

    Returns:
        The promotion that was announced now.

    Raises:
        DependencyNotReadyError: the broker did not take it; the next run tries again.
    """
    with engine.connect() as connection:
        promotion = model_versions.to_announce(connection)
    if promotion is None:
        return None
    while True:
        _announce(promotion, bootstrap, topic)
        with engine.begin() as connection:
            model_versions.set_announced(connection, promotion.id)
            newest = model_versions.champion(connection)
        log.info("champion_announced", version=promotion.version, topic=topic)
        if newest is None or newest.id == promotion.id:
            return promotion
        promotion = newest


def _announce(promotion: Promotion, bootstrap: str, topic: str) -> None:
    announce(
        bootstrap,
        topic,
        ModelAnnouncement(
            version=promotion.version,
            path=promotion.path,
            promoted_at=promotion.promoted_at,
            reason=promotion.reason,
        ),
    )


def first_champion(connection: Connection, checkpoint: str) -> Promotion:
    """The champion; before any promotion, `checkpoint` is registered and becomes it.

    Args:
        checkpoint: `Settings.models.checkpoint`, what workers use until a model is promoted.

    Raises:
        CheckpointError: there is no champion, and no such checkpoint.
    """
    present = model_versions.champion(connection)
    if present is not None:
        return present
    model_versions.lock_promotions(connection)
    present = model_versions.champion(connection)
    return present or _promote_folder(connection, checkpoint, "the configured checkpoint, at first use", by="opinion")


def promote(engine: Engine, name: str, *, reason: str, by: str) -> Promotion:
    """Make a model the champion; `announce_pending` tells the workers.

    Args:
        name: a registered version, or the folder of a checkpoint, which is registered.

    Raises:
        NotFoundError: no such version or folder.
        CheckpointError: the folder holds no checkpoint of ours.
    """
    with engine.begin() as connection:
        known = {version.version: version.path for version in model_versions.versions(connection)}
        if name in known:
            if not _is_there(known[name]):
                raise NotFoundError(f"the folder of {name} is gone: {known[name]}", remedy="opinion models list")
            promotion = model_versions.promote(connection, name, reason=reason, by=by)
        elif _is_there(name):
            promotion = _promote_folder(connection, name, reason, by=by)
        else:
            raise NotFoundError(f"{name} is neither a known version nor a folder", remedy="opinion models list")
    log.info("champion_promoted", version=promotion.version, reason=reason, by=by)
    return promotion


def rollback(engine: Engine, *, to: str | None, by: str) -> Promotion:
    """Go back to the champion before this one, or to the version `to`.

    Raises:
        NotFoundError: there is no earlier champion, or no such version.
    """
    with engine.connect() as connection:
        target = to or model_versions.previous_champion(connection)
        present = model_versions.champion(connection)
    if target is None or present is None:
        raise NotFoundError("there is no earlier champion to go back to", remedy="opinion models list")
    return promote(engine, target, reason=f"rollback from {present.version}", by=by)


def _promote_folder(connection: Connection, checkpoint: str, reason: str, *, by: str) -> Promotion:
    from models.checkpoints import STARTER, load_checkpoint, resolve  # brings torch: only for a new folder
    from models.lineage import version_of

    folder, is_starter = resolve(checkpoint), checkpoint == STARTER
    if not is_starter:
        load_checkpoint(folder)  # what cannot be loaded must not become champion
    path = checkpoint if is_starter else str(folder.resolve())
    version = version_of(folder)
    model_versions.register(connection, version, path, origin=STARTER if is_starter else "trained")
    return model_versions.promote(connection, version, reason=reason, by=by)


def _is_there(path: str) -> bool:
    return path == "starter" or Path(path).is_dir()
