"""Who is logged in: a random id in the browser, its hash here, ended by time, by the person or by an admin."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from core.roles import Role
from storage.tables import person, session

ID_BYTES: Final = 32
NOTE_EVERY: Final = timedelta(minutes=1)  # a page view is not worth a write each time
MOST_AGENT_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long a session lasts: after `idle` without a request it is over, and after `longest` in any case."""

    idle: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Whose request it is."""

    person_id: int
    name: str
    role: Role
    must_change: bool


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One of a person's sessions. `key` tells them apart; nobody gets in with it."""

    key: str
    created_at: datetime
    seen_at: datetime
    address: str
    agent: str


def begin(
    connection: Connection, person_id: int, now: datetime, lengths: Lengths, *, address: str = "", agent: str = ""
) -> str:
    """A new session. Returns its id, for the browser alone; what is long over is cleared away."""
    connection.execute(delete(session).where(_is_over(now, lengths)))
    made = secrets.token_urlsafe(ID_BYTES)
    connection.execute(
        insert(session).values(
            id_hash=_hash(made),
            person_id=person_id,
            created_at=now,
            seen_at=now,
            expires_at=now + lengths.longest,
            address=address,
            agent=agent[:MOST_AGENT_CHARS].encode("utf-8", "replace").decode().replace("\x00", ""),
        )
    )
    return made


def find(
    connection: Connection, session_id: str, now: datetime, lengths: Lengths, *, is_seen: bool = True
) -> LoggedIn | None:
    """Who holds this id, if their session still lasts and they may still come in; notes that they were seen."""
    found = connection.execute(
        select(person.c.id, person.c.name, person.c.role, person.c.must_change, session.c.seen_at)
        .join(person, person.c.id == session.c.person_id)
        .where(session.c.id_hash == _hash(session_id), person.c.disabled_at.is_(None), ~_is_over(now, lengths))
    ).one_or_none()
    if found is None:
        return None
    if is_seen and found.seen_at <= now - NOTE_EVERY:
        connection.execute(update(session).where(session.c.id_hash == _hash(session_id)).values(seen_at=now))
    return LoggedIn(found.id, found.name, found.role, found.must_change)


def of_person(connection: Connection, person_id: int, now: datetime, lengths: Lengths) -> list[SessionRow]:
    """Their sessions that last, the one seen last first."""
    rows = connection.execute(
        select(session)
        .where(session.c.person_id == person_id, ~_is_over(now, lengths))
        .order_by(session.c.seen_at.desc())
    )
    return [SessionRow(row.id_hash.hex(), row.created_at, row.seen_at, row.address, row.agent) for row in rows]


def key_of(session_id: str) -> str:
    """The `key` of the session with this id."""
    return _hash(session_id).hex()


def end(connection: Connection, session_id: str) -> None:
    """Log out."""
    connection.execute(delete(session).where(session.c.id_hash == _hash(session_id)))


def end_one(connection: Connection, person_id: int, key: str) -> None:
    """End one of a person's own sessions, by its key."""
    try:
        id_hash = bytes.fromhex(key)
    except ValueError:
        return
    connection.execute(delete(session).where(session.c.person_id == person_id, session.c.id_hash == id_hash))


def end_all(connection: Connection, person_id: int, *, but: str = "") -> int:
    """End every session of a person, except the one with this id. Returns how many."""
    kept = session.c.id_hash != _hash(but)
    return connection.execute(delete(session).where(session.c.person_id == person_id, kept)).rowcount


def _is_over(now: datetime, lengths: Lengths) -> ColumnElement[bool]:
    return ~and_(session.c.expires_at > now, session.c.seen_at > now - lengths.idle)


def _hash(session_id: str) -> bytes:
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).digest()
