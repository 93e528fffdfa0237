"""Tokens of programs that use the API: made once, kept as hashes, checked, taken back.

A token is `opinion_<number>_<secret>`: the number finds the row, the secret has 256 random bits. Against so many a
plain SHA-256 is enough (slow hashes protect passwords, which people choose), and the prefix lets scanners of
repositories find one that was committed.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from sqlalchemy import Connection, func, insert, or_, select, text, update

from core.errors import NotFoundError
from storage.tables import api_token

Scope = Literal["documents:write", "read", "write"]
"""Push documents; read what a viewer reads; change what an analyst changes, which includes reading."""
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
PREFIX: Final = "opinion"
SECRET_BYTES: Final = 32
NOTE_USE_EVERY: Final = text("interval '1 minute'")  # a push is not worth a write each time
LARGEST_ID: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ApiToken:
    """What is known of a token; never the token itself."""

    id: int
    name: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


_COLUMNS = [api_token.c[name] for name in ApiToken.__dataclass_fields__]


def create(connection: Connection, name: str, scopes: Sequence[Scope]) -> tuple[ApiToken, str]:
    """A new token and the text of it, which nobody can read again later."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    made = connection.execute(
        insert(api_token).values(name=name, scopes=list(scopes), token_hash=_hash(secret)).returning(*_COLUMNS)
    ).one()
    return ApiToken(**made._mapping), f"{PREFIX}_{made.id}_{secret}"


def check(connection: Connection, token: str) -> ApiToken | None:
    """The token's row, if it is one of ours and not revoked; notes that it was used."""
    prefix, _, rest = token.partition("_")
    number, _, secret = rest.partition("_")
    if prefix != PREFIX or not (number.isascii() and number.isdigit()) or int(number[:20]) > LARGEST_ID:
        return None
    row = connection.execute(
        select(*_COLUMNS, api_token.c.token_hash).where(
            api_token.c.id == int(number), api_token.c.revoked_at.is_(None)
        )
    ).one_or_none()
    if row is None or not hmac.compare_digest(row.token_hash, _hash(secret)):
        return None
    connection.execute(
        update(api_token)
        .where(
            api_token.c.id == row.id,
            or_(api_token.c.last_used_at.is_(None), api_token.c.last_used_at < func.now() - NOTE_USE_EVERY),
        )
        .values(last_used_at=func.now())
    )
    return ApiToken(**{name: row._mapping[name] for name in ApiToken.__dataclass_fields__})


def known(connection: Connection) -> list[ApiToken]:
    """All of them, revoked ones too, oldest first."""
    return [ApiToken(**row._mapping) for row in connection.execute(select(*_COLUMNS).order_by(api_token.c.id))]


def revoke(connection: Connection, token_id: int) -> ApiToken:
    """From now on nobody gets in with it; the first time stays.

    Raises:
        NotFoundError: there is no such token.
    """
    row = connection.execute(
        update(api_token)
        .where(api_token.c.id == token_id)
        .values(revoked_at=func.coalesce(api_token.c.revoked_at, func.now()))
        .returning(*_COLUMNS)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no token {token_id}", remedy="opinion tokens list")
    return ApiToken(**row._mapping)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
