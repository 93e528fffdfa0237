"""Subscriptions, as people wrote them (`alerts.routing.subscriptions` reads them), and which digests were made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from core.errors import NotFoundError
from storage.tables import digest, subscription

Period = Literal["daily", "weekly"]


@dataclass(frozen=True, slots=True)
class StoredSubscription:
    """A subscription and who made it what it is."""

    name: str
    definition: Any
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


def known(connection: Connection) -> list[StoredSubscription]:
    """All of them, by name."""
    return [_row(row) for row in connection.execute(select(subscription).order_by(subscription.c.name))]


def one(connection: Connection, name: str) -> StoredSubscription:
    """Raises:
    NotFoundError: there is none of this name.
    """
    row = connection.execute(select(subscription).where(subscription.c.name == name)).first()
    if row is None:
        raise NotFoundError(f"no subscription {name!r}", remedy="opinion subscriptions list")
    return _row(row)


def put(connection: Connection, definitions: Iterable[tuple[str, Mapping[str, Any]]], *, by: str) -> None:
    """Add these, or change what they are."""
    rows = [
        {"name": name, "definition": dict(definition), "created_by": by, "updated_by": by}
        for name, definition in sorted(definitions, key=lambda one: one[0])
    ]
    if rows:
        statement = insert(subscription)
        new = {name: statement.excluded[name] for name in ("definition", "updated_by")}
        newer = {**new, "updated_at": func.clock_timestamp()}
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=newer), rows)


def remove(connection: Connection, name: str) -> None:
    """Raises:
    NotFoundError: there is none of this name.
    """
    if not connection.execute(delete(subscription).where(subscription.c.name == name)).rowcount:
        raise NotFoundError(f"no subscription {name!r}", remedy="opinion subscriptions list")
    connection.execute(delete(digest).where(digest.c.subscription == name))


def digested(connection: Connection) -> dict[tuple[str, str], datetime]:
    """Up to when each digest has been made, by subscription and period."""
    return {(row.subscription, row.period): row.made_to for row in connection.execute(select(digest))}


def note_digest(connection: Connection, name: str, period: Period, made_to: datetime) -> None:
    """This digest has been made up to then."""
    statement = insert(digest).values(subscription=name, period=period, made_to=made_to)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["subscription", "period"], set_={"made_to": made_to})
    )


def _row(row: Row[tuple[object, ...]]) -> StoredSubscription:
    return StoredSubscription(**row._mapping)
