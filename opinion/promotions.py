"""Who is champion: the first one, changes of it, and telling the workers."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from core.errors import NotFoundError
from core.logs import get_logger
from core.records import ModelAnnouncement
from models.lineage import Lineage, read_version, version_of
from models.manifest import VERSION_FILE, measured, read_manifest
from models.model_store import ModelStore
from models.registry import STARTER, ModelFolders
from opinion.model_integrity import require_intact
from storage import model_versions
from storage.model_versions import Promotion
from streams.announcements import announce

log = get_logger(__name__)


def announce_pending(
    engine: Engine, bootstrap: str, topic: str, *, store: ModelStore | None = None
) -> Promotion | None:
    """Tell the workers of the champion, unless the broker has it already; the scheduler's `announce` job.

    What is announced can be fetched: a champion that lies on this machine goes to the store first.

    What was announced last is the champion, even if this process was frozen between question and answer and another
    scheduler has announced a newer one meanwhile.

    Returns:
        The promotion that was announced now.

    Raises:
        DependencyNotReadyError: the store or the broker did not take it; the next run tries again.
    """
    with engine.connect() as connection:
        promotion = model_versions.to_announce(connection)
    if promotion is None:
        return None
    while True:
        if store is not None:
            _bring_to(store, engine, promotion)
        _announce(promotion, bootstrap, topic)
        with engine.begin() as connection:
            model_versions.set_announced(connection, promotion.id)
            newest = model_versions.champion(connection)
        log.info("champion_announced", version=promotion.version, topic=topic)
        if newest is None or newest.id == promotion.id:
            return promotion
        promotion = newest


def _bring_to(store: ModelStore, engine: Engine, promotion: Promotion) -> None:
    with engine.connect() as connection:
        known = model_versions.find(connection, promotion.version)
    if known.stored_at is None and store.keeps(promotion.path):
        store.push(promotion.version)
        with engine.begin() as connection:
            model_versions.set_stored(connection, promotion.version)


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


def promote(
    engine: Engine, name: str, *, reason: str, by: str, home: Path = Path("var"), folders: ModelFolders | None = None
) -> Promotion:
    """Make a model the champion; `announce_pending` tells the workers.

    Args:
        name: a registered version, or the folder of a checkpoint, which is registered.
        home: `Settings.home`.
        folders: a checkpoint's folder is copied there first, so that it can go to the store; it is used where it
            lies if absent.

    Raises:
        NotFoundError: no such version or folder, or its files are not on this machine.
        CheckpointError: the folder holds no checkpoint of ours, or its files were changed.
    """
    with engine.begin() as connection:
        model_versions.lock_promotions(connection)  # nobody removes its files meanwhile
        known = {version.version: version for version in model_versions.versions(connection)}
        if name in known:
            require_intact(known[name], home)
            promotion = model_versions.promote(connection, name, reason=reason, by=by)
        elif _is_there(name):
            promotion = _promote_folder(connection, name, reason, by=by, folders=folders)
        else:
            raise NotFoundError(f"{name} is neither a known version nor a folder", remedy="opinion models list")
    log.info("champion_promoted", version=promotion.version, reason=reason, by=by)
    return promotion


def rollback(engine: Engine, *, to: str | None, by: str, home: Path = Path("var")) -> Promotion:
    """Go back to the champion before this one, or to the version `to`.

    Raises:
        NotFoundError: there is no earlier champion, no such version, or its files are not on this machine.
        CheckpointError: its files were changed.
    """
    with engine.connect() as connection:
        target = to or model_versions.previous_champion(connection)
        present = model_versions.champion(connection)
    if target is None or present is None:
        raise NotFoundError("there is no earlier champion to go back to", remedy="opinion models list")
    return promote(engine, target, reason=f"rollback from {present.version}", by=by, home=home)


def known_version(connection: Connection, name: str) -> str:
    """A registered version; the folder of a checkpoint is registered first.

    Raises:
        NotFoundError: no such version or folder.
        CheckpointError: the folder holds no checkpoint of ours.
    """
    if any(one.version == name for one in model_versions.versions(connection)):
        return name
    if not _is_there(name):
        raise NotFoundError(f"{name} is neither a known version nor a folder", remedy="opinion models list")
    return _register_folder(connection, name)


def _promote_folder(
    connection: Connection, checkpoint: str, reason: str, *, by: str, folders: ModelFolders | None = None
) -> Promotion:
    version = _register_folder(connection, checkpoint, folders)
    return model_versions.promote(connection, version, reason=reason, by=by)


def _register_folder(connection: Connection, checkpoint: str, folders: ModelFolders | None = None) -> str:
    from models.checkpoints import load_checkpoint, resolve  # brings torch: only for a new folder

    folder, is_starter = resolve(checkpoint), checkpoint == STARTER
    if not is_starter:
        load_checkpoint(folder)  # what cannot be loaded must not become champion
    if folders is not None and not is_starter:
        folder = folders.path(folders.adopt(folder, created_at=datetime.now(UTC)).version)
    path = checkpoint if is_starter else str(folder.resolve())
    version, manifest = version_of(folder), read_manifest(folder) or measured(folder)
    stamped = read_version(folder) if VERSION_FILE in manifest.files else None
    lineage = stamped.lineage if stamped else Lineage()
    model_versions.register(
        connection,
        version,
        path,
        origin=STARTER if is_starter else "trained",
        parent=stamped.parent if stamped else None,
        code_version=lineage.code_version,
        options=lineage.options,
        content_sha256=manifest.content_sha256,
    )
    return version


def _is_there(path: str) -> bool:
    return path == STARTER or Path(path).is_dir()
