"""How often somebody may try a password: counted in SQL, so that several consoles count together.

Each attempt costs some time, which is paid back by waiting; who owes too much waits (the generic cell rate
algorithm). So nobody is ever locked out for good, and a row is one time stamp. Keys are hashes: what people type into
a field for names may be a password.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.tables import login_limit

CLEARED_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Limit:
    """So many attempts at once; then one for each `every`."""

    burst: int
    every: timedelta


@dataclass(frozen=True, slots=True)
class Counted:
    """What an attempt is counted under."""

    kind: str
    value: str
    limit: Limit

    @property
    def key_hash(self) -> bytes:
        return hashlib.sha256(f"{self.kind}\0{self.value}".encode("utf-8", "surrogatepass")).digest()


def take(connection: Connection, counted: Sequence[Counted], now: datetime) -> timedelta | None:
    """Count an attempt under each; None: it may be made. Else how long to wait, and nothing is counted.

    Call it in a transaction of its own, before the password is looked at: attempts that come together are counted
    one after the other.
    """
    owed = dict[bytes, datetime]()
    waits = list[timedelta]()
    for one in sorted(counted, key=lambda one: one.key_hash):
        known = insert(login_limit).values(key_hash=one.key_hash, paid_until=now)
        held = known.on_conflict_do_update(
            index_elements=["key_hash"], set_={"paid_until": login_limit.c.paid_until}
        ).returning(login_limit.c.paid_until)
        owed[one.key_hash] = max(connection.scalars(held).one(), now) + one.limit.every
        waits.append(owed[one.key_hash] - now - one.limit.burst * one.limit.every)
    if (longest := max(waits)) > timedelta(0):
        return longest
    for key_hash, until in owed.items():
        connection.execute(update(login_limit).where(login_limit.c.key_hash == key_hash).values(paid_until=until))
    paid = select(login_limit.c.key_hash).where(login_limit.c.paid_until < now - timedelta(hours=1))
    old = paid.limit(CLEARED_AT_ONCE).with_for_update(skip_locked=True)
    connection.execute(delete(login_limit).where(login_limit.c.key_hash.in_(old.scalar_subquery())))
    return None


def give_back(connection: Connection, counted: Sequence[Counted], now: datetime) -> None:
    """The attempt was right: it cost nothing, and under a name or browser neither did those before it."""
    for one in sorted(counted, key=lambda one: one.key_hash):
        paid = now if one.kind != "address" else func.greatest(login_limit.c.paid_until - one.limit.every, now)
        connection.execute(update(login_limit).where(login_limit.c.key_hash == one.key_hash).values(paid_until=paid))
