"""Who is champion: the first one, changes of it, and telling the workers."""

from pathlib import Path

from sqlalchemy import Engine

from core.errors import NotFoundError
from core.logs import get_logger
from core.records import ModelAnnouncement
from storage import model_versions
from storage.model_versions import Promotion
from streams.announcements import announce

log = get_logger(__name__)


def announce_pending(engine: Engine, bootstrap: str, topic: str) -> Promotion | None:
    """Tell the workers of the champion, unless the broker has it already; the scheduler's `announce` job.

    Returns:
        The promotion that was announced now.

    Raises:
        DependencyNotReadyError: the broker did not take it; the next run tries again.
    """
    with engine.connect() as connection:
        promotion = model_versions.to_announce(connection)
    if promotion is None:
        return None
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
    with engine.begin() as connection:
        model_versions.set_announced(connection, promotion.id)
    log.info("champion_announced", version=promotion.version, topic=topic)
    return promotion


def promote(engine: Engine, version: str, *, reason: str, by: str) -> Promotion:
    """Make a registered version the champion; `announce_pending` tells the workers.

    Raises:
        NotFoundError: no such version, or its folder is gone.
    """
    with engine.begin() as connection:
        promotion = model_versions.promote(connection, version, reason=reason, by=by)
        if not Path(promotion.path).is_dir():
            raise NotFoundError(
                f"the folder of {version} is gone: {promotion.path}", remedy="promote another: opinion models list"
            )
    log.info("champion_promoted", version=version, reason=reason, by=by)
    return promotion


def rollback(engine: Engine, *, to: str | None, by: str) -> Promotion:
    """Go back to the champion before this one, or to `to`.

    Raises:
        NotFoundError: there is no earlier champion, or no such version.
    """
    with engine.connect() as connection:
        target = to or model_versions.previous_champion(connection)
        present = model_versions.champion(connection)
    if target is None:
        raise NotFoundError("there is no earlier champion to go back to", remedy="opinion models list")
    reason = f"rollback from {present.version}" if present else "rollback"
    return promote(engine, target, reason=reason, by=by)
