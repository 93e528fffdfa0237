"""The registry's memory: which models exist, and who was champion when.

Nothing is ever deleted or rewritten; the newest promotion names the champion.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from core.errors import NotFoundError
from storage.tables import model_promotion, model_version

PROMOTION_LOCK: Final = 0x6F70_7072  # "oppr"


class ModelVersion(NamedTuple):
    """A model that may classify; the folder at `path` holds its weights."""

    version: str
    path: str
    parent: str | None
    origin: str
    metrics: dict[str, Any]
    created_at: datetime


class Promotion(NamedTuple):
    """One change of champion. `announced_at` is None until the broker has acknowledged the announcement."""

    id: int
    version: str
    path: str
    promoted_at: datetime
    promoted_by: str
    reason: str
    announced_at: datetime | None


def register(
    connection: Connection,
    version: str,
    path: str,
    *,
    origin: str,
    parent: str | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> None:
    """Make a model known; a version that is known already only gets the new path (its folder may have moved)."""
    row = {"version": version, "path": path, "parent": parent, "origin": origin, "metrics": dict(metrics or {})}
    statement = upsert(model_version).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=["version"], set_={"path": path}))


def versions(connection: Connection) -> list[ModelVersion]:
    """Every known model, the newest first."""
    columns = [model_version.c[name] for name in ModelVersion._fields]
    order = (model_version.c.created_at.desc(), model_version.c.version)
    return [ModelVersion(*row) for row in connection.execute(select(*columns).order_by(*order))]


def champion(connection: Connection) -> Promotion | None:
    """The promotion that counts now; None before the first."""
    return _first(connection, _promotions().order_by(model_promotion.c.id.desc()))


def champion_at(connection: Connection, at: datetime) -> Promotion | None:
    """The promotion that counted at this time; None before the first."""
    order = (model_promotion.c.promoted_at.desc(), model_promotion.c.id.desc())
    return _first(connection, _promotions().where(model_promotion.c.promoted_at <= at).order_by(*order))


def lock_promotions(connection: Connection) -> None:
    """One at a time until the transaction ends: who asks for the champion after this may rely on the answer."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PROMOTION_LOCK})


def promote(connection: Connection, version: str, *, reason: str, by: str) -> Promotion:
    """Make a known version the champion, in the caller's transaction.

    Raises:
        NotFoundError: no such version.
    """
    lock_promotions(connection)
    known = connection.scalar(select(model_version.c.version).where(model_version.c.version == version))
    if known is None:
        raise NotFoundError(f"no model version {version}", remedy="opinion models list")
    row = {"version": version, "reason": reason, "promoted_by": by, "promoted_at": func.clock_timestamp()}
    new_id = connection.scalar(insert(model_promotion).values(row).returning(model_promotion.c.id))
    promotion = _first(connection, _promotions().where(model_promotion.c.id == new_id))
    if promotion is None:
        raise NotFoundError("the promotion was not stored")
    return promotion


def previous_champion(connection: Connection) -> str | None:
    """The version a rollback goes to; None when there is nothing before the champion."""
    line = champion_line(connection.scalars(select(model_promotion.c.version).order_by(model_promotion.c.id)))
    return line[-2] if len(line) > 1 else None


def champion_line(promoted: Iterable[str]) -> list[str]:
    """The champions that stand behind each other, the present one last.

    Going back to a version cuts what came after it. So two rollbacks in a row go two steps back, instead of
    returning to the model that was just rolled back.
    """
    line: list[str] = []
    for version in promoted:
        if version in line:
            del line[line.index(version) + 1 :]
        else:
            line.append(version)
    return line


def to_announce(connection: Connection) -> Promotion | None:
    """The champion's promotion if no broker has acknowledged it yet; what it replaced need not be told any more."""
    newest = champion(connection)
    return newest if newest is not None and newest.announced_at is None else None


def set_announced(connection: Connection, promotion_id: int) -> None:
    """The broker has the announcement."""
    statement = update(model_promotion).where(model_promotion.c.id == promotion_id)
    connection.execute(statement.values(announced_at=func.clock_timestamp()))


def _promotions() -> Select[Any]:
    joined = model_promotion.join(model_version)
    columns = [model_version.c.path if name == "path" else model_promotion.c[name] for name in Promotion._fields]
    return select(*columns).select_from(joined)


def _first(connection: Connection, statement: Select[Any]) -> Promotion | None:
    row = connection.execute(statement.limit(1)).first()
    return Promotion(*row) if row is not None else None
