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
    """A model that may classify; the folder at `path` holds its weights.

    Attributes:
        snapshot_hash, code_version, training_run, options: how it was trained, as far as that is known.
        content_sha256: of what is loaded from its folder.
        stored_at: since when the registry's store has it.
        files_gone_at: when its files were removed; what is known of it stays.
    """

    version: str
    path: str
    parent: str | None
    origin: str
    metrics: dict[str, Any]
    created_at: datetime
    snapshot_hash: str | None = None
    code_version: str | None = None
    training_run: int | None = None
    options: dict[str, Any] = {}  # noqa: RUF012  # never changed
    content_sha256: str | None = None
    stored_at: datetime | None = None
    files_gone_at: datetime | None = None


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
    snapshot_hash: str | None = None,
    code_version: str | None = None,
    training_run: int | None = None,
    options: Mapping[str, Any] | None = None,
    content_sha256: str | None = None,
) -> None:
    """Make a model known; of a version that is known already only the files may be elsewhere, or back.

    What is content-addressed stays so: `content_sha256` is only filled in where it was not known.
    """
    row = {
        "version": version,
        "path": path,
        "parent": parent,
        "origin": origin,
        "metrics": dict(metrics or {}),
        "snapshot_hash": snapshot_hash,
        "code_version": code_version,
        "training_run": training_run,
        "options": dict(options or {}),
        "content_sha256": content_sha256,
    }
    statement = upsert(model_version).values(row)
    known = func.coalesce(model_version.c.content_sha256, content_sha256)
    back = {"path": path, "files_gone_at": None, "content_sha256": known}
    connection.execute(statement.on_conflict_do_update(index_elements=["version"], set_=back))


def versions(connection: Connection) -> list[ModelVersion]:
    """Every known model, the newest first."""
    order = (model_version.c.created_at.desc(), model_version.c.version)
    return [ModelVersion(*row) for row in connection.execute(_versions().order_by(*order))]


def find(connection: Connection, version: str) -> ModelVersion:
    """Raises:
    NotFoundError: no such version.
    """
    row = connection.execute(_versions().where(model_version.c.version == version)).first()
    if row is None:
        raise NotFoundError(f"no model version {version}", remedy="opinion models list")
    return ModelVersion(*row)


def ancestry(connection: Connection, version: str) -> list[ModelVersion | str]:
    """The version, its parent, and so on to the root; an ancestor that was never registered here is only a name.

    Raises:
        NotFoundError: no such version.
    """
    line: list[ModelVersion | str] = [find(connection, version)]
    seen = {version}
    while isinstance(last := line[-1], ModelVersion) and last.parent is not None and last.parent not in seen:
        seen.add(last.parent)
        try:
            line.append(find(connection, last.parent))
        except NotFoundError:
            line.append(last.parent)
    return line


def set_stored(connection: Connection, version: str, *, is_stored: bool = True) -> None:
    """The registry's store has the files, or has them no more."""
    statement = update(model_version).where(model_version.c.version == version)
    connection.execute(statement.values(stored_at=func.clock_timestamp() if is_stored else None))


def set_files_gone(connection: Connection, version: str) -> None:
    """The files are removed: nothing counts on them from here on."""
    gone_at = func.coalesce(model_version.c.files_gone_at, func.clock_timestamp())
    statement = update(model_version).where(model_version.c.version == version)
    connection.execute(statement.values(files_gone_at=gone_at))


def promoted_versions(connection: Connection) -> set[str]:
    """Every version that was ever champion."""
    return set(connection.scalars(select(model_promotion.c.version).distinct()))


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
    find(connection, version)
    row = {"version": version, "reason": reason, "promoted_by": by, "promoted_at": func.clock_timestamp()}
    new_id = connection.scalar(insert(model_promotion).values(row).returning(model_promotion.c.id))
    promotion = _first(connection, _promotions().where(model_promotion.c.id == new_id))
    if promotion is None:
        raise NotFoundError("the promotion was not stored")
    return promotion


def previous_champion(connection: Connection) -> str | None:
    """The version a rollback goes to; None when there is nothing before the champion."""
    line = standing_line(connection)
    return line[-2] if len(line) > 1 else None


def standing_line(connection: Connection) -> list[str]:
    """What rollbacks go back through, the champion last; empty before the first promotion."""
    return champion_line(connection.scalars(select(model_promotion.c.version).order_by(model_promotion.c.id)))


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


def _versions() -> Select[Any]:
    return select(*(model_version.c[name] for name in ModelVersion._fields))


def _promotions() -> Select[Any]:
    joined = model_promotion.join(model_version)
    columns = [model_version.c.path if name == "path" else model_promotion.c[name] for name in Promotion._fields]
    return select(*columns).select_from(joined)


def _first(connection: Connection, statement: Select[Any]) -> Promotion | None:
    row = connection.execute(statement.limit(1)).first()
    return Promotion(*row) if row is not None else None
