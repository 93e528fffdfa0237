"""Who may use the console: made, changed, looked up. Nobody is ever removed, so that names keep their meaning."""

import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from core.errors import GateRefusedError, NotFoundError, UsageError
from core.roles import Role
from core.watchlist_entries import speakable
from storage.tables import person, session

MAX_NAME_CHARS: Final = 100


@dataclass(frozen=True, slots=True)
class Account:
    """A person as the console knows them; never the password."""

    id: int
    name: str
    role: Role
    has_password: bool
    must_change: bool
    issuer: str | None
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    last_login_at: datetime | None


@dataclass(frozen=True, slots=True)
class Vouched:
    """Somebody for whom another server vouches: its name, and theirs there, which never changes."""

    issuer: str
    subject: str


_COLUMNS = [
    person.c.password_hash.is_not(None).label(name) if name == "has_password" else person.c[name]
    for name in Account.__dataclass_fields__
]


def name_key(name: str) -> str:
    """By which names are one: however they are composed, in capitals or not."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


def checked_name(name: str) -> str:
    """A name that can be shown and typed.

    Raises:
        UsageError: it is empty, too long, or not one line.
    """
    try:
        trimmed = speakable(name).strip()
        trimmed.encode()
    except ValueError:
        raise UsageError("a name is one line of text") from None
    if not name_key(trimmed) or len(trimmed) > MAX_NAME_CHARS:
        raise UsageError(f"a name has 1 to {MAX_NAME_CHARS} characters")
    return trimmed


def add(connection: Connection, name: str, role: Role, password_hash: str, *, by: str) -> Account:
    """A person with a one-time password.

    Raises:
        UsageError: there is somebody of this name, or it is no name.
    """
    trimmed = checked_name(name)
    if _row(connection, trimmed):
        raise UsageError(f"there is a {trimmed!r} already")
    wanted = {"name": trimmed, "name_key": name_key(trimmed), "role": role, "created_by": by}
    made = insert(person).values(**wanted, password_hash=password_hash, must_change=True)
    return _account(connection.execute(made.returning(*_COLUMNS)).one())


def add_first(connection: Connection, name: str, password_hash: str) -> bool:
    """The first admin, unless there is anybody; of several consoles that start at once, one makes it."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("opinion first admin", 0))))
    if is_anybody(connection):
        return False
    add(connection, name, "admin", password_hash, by="first start")
    return True


def is_anybody(connection: Connection) -> bool:
    """Whether there is an account at all."""
    return connection.execute(select(person.c.id).limit(1)).first() is not None


def known(connection: Connection) -> list[Account]:
    """Everybody, by name."""
    return [_account(row) for row in connection.execute(select(*_COLUMNS).order_by(person.c.name_key))]


def one(connection: Connection, person_id: int) -> Account:
    """Raises NotFoundError."""
    row = connection.execute(select(*_COLUMNS).where(person.c.id == person_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no person {person_id}", remedy="opinion people list")
    return _account(row)


def named(connection: Connection, name: str) -> Account:
    """Raises NotFoundError."""
    row = _row(connection, name)
    if row is None:
        raise NotFoundError(f"there is nobody named {name!r}", remedy="opinion people list")
    return _account(row)


def to_check(connection: Connection, name: str) -> tuple[Account | None, str | None]:
    """Who a login means, with the hash to check against; no hash where this person may not log in by password."""
    row = _row(connection, name)
    if row is None:
        return None, None
    account = _account(row)
    return account, None if account.disabled_at else row.password_hash


def password_hash(connection: Connection, person_id: int) -> str | None:
    """Of somebody who is logged in and proves again who they are."""
    return connection.scalar(select(person.c.password_hash).where(person.c.id == person_id))


def vouched_for(connection: Connection, who: Vouched, name: str, role: Role) -> Account:
    """The account of somebody who came by another server; made at the first time, with the role given.

    Never one that has the same name by chance: then a part of the subject is added to the name.
    """
    found = connection.execute(
        select(*_COLUMNS).where(person.c.issuer == who.issuer, person.c.subject == who.subject)
    ).one_or_none()
    if found:
        return _account(found)
    try:
        chosen = checked_name(name)[: MAX_NAME_CHARS - 12]
    except UsageError:
        chosen = "sso"
    if _row(connection, chosen):
        chosen = f"{chosen} ({_mark(who)})"
    made = insert(person).values(
        name=chosen,
        name_key=name_key(chosen),
        role=role,
        issuer=who.issuer,
        subject=who.subject,
        created_by=who.issuer,
    )
    return _account(connection.execute(made.returning(*_COLUMNS)).one())


def note_login(connection: Connection, person_id: int, now: datetime, *, renewed_hash: str | None = None) -> None:
    """They came in at this time; a hash made with today's cost takes the old one's place."""
    renewed = {"password_hash": renewed_hash} if renewed_hash else {}
    connection.execute(update(person).where(person.c.id == person_id).values(last_login_at=now, **renewed))


def set_password(connection: Connection, person_id: int, password_hash: str, *, must_change: bool) -> Account:
    """Another password; every session of theirs ends."""
    connection.execute(delete(session).where(session.c.person_id == person_id))
    return _change(connection, person_id, password_hash=password_hash, must_change=must_change)


def set_role(connection: Connection, person_id: int, role: Role, *, keeps_an_admin: bool = True) -> Account:
    """Another role, from their next request on.

    Args:
        keeps_an_admin: refuse to leave nobody who manages people; the command line can always make another one.

    Raises:
        GateRefusedError: nobody would be left to manage people.
    """
    if role != "admin" and keeps_an_admin:
        _keep_an_admin(connection, person_id)
    return _change(connection, person_id, role=role)


def disable(connection: Connection, person_id: int, now: datetime) -> Account:
    """They are out at once, and stay out. The first time stays.

    Raises:
        GateRefusedError: nobody would be left to manage people.
    """
    _keep_an_admin(connection, person_id)
    connection.execute(delete(session).where(session.c.person_id == person_id))
    return _change(connection, person_id, disabled_at=func.coalesce(person.c.disabled_at, now))


def enable(connection: Connection, person_id: int) -> Account:
    """They may come in again."""
    return _change(connection, person_id, disabled_at=None)


def _mark(who: Vouched) -> str:
    """Eight characters by which people of one name are told apart."""
    return hashlib.sha256(f"{who.issuer}\0{who.subject}".encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _keep_an_admin(connection: Connection, person_id: int) -> None:
    admins = connection.scalars(
        select(person.c.id)
        .where(person.c.role == "admin", person.c.disabled_at.is_(None))
        .order_by(person.c.id)
        .with_for_update()
    ).all()
    if admins == [person_id]:
        raise GateRefusedError("this is the last admin", remedy="make somebody else an admin first")


def _change(connection: Connection, person_id: int, **values: object) -> Account:
    row = connection.execute(
        update(person).where(person.c.id == person_id).values(**values).returning(*_COLUMNS)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no person {person_id}", remedy="opinion people list")
    return _account(row)


def _row(connection: Connection, name: str) -> Any:
    try:
        name.encode()
    except UnicodeEncodeError:  # half a character, which PostgreSQL cannot be asked for
        return None
    found: Any = connection.execute(
        select(*_COLUMNS, person.c.password_hash).where(person.c.name_key == name_key(name[: 2 * MAX_NAME_CHARS]))
    ).one_or_none()
    return found


def _account(row: Row[Any]) -> Account:
    return Account(**{name: row._mapping[name] for name in Account.__dataclass_fields__})
