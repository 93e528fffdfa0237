"""What each receiver has been told of each incident: the memory that keeps people from hearing things twice.

Written in the transaction that fills the outbox, under the lock of whoever judges (`storage.detector_states.lock`):
however many schedulers there are, and wherever one stops, a thing is told once.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, or_, select
from sqlalchemy.dialects.postgresql import insert

from core.records import AlertStatus
from storage.notifications import Channel
from storage.tables import telling

HeldBy = Literal["quiet", "silence"]


@dataclass(frozen=True, slots=True)
class Telling:
    """One receiver and one incident; times are of the wall clock.

    Attributes:
        status: what it was last told; None: nothing yet.
        first_told_at, told_at: when it first heard of it as firing, and when it last heard of it.
        told_score: the incident's `notified_score` then.
        news_at: since when there is something to tell for the first time.
        held_by: what keeps it back.
        messages: how many it got.
        thread: under which all of them come.
    """

    incident_id: int
    channel: Channel
    receiver: str
    status: AlertStatus | None = None
    first_told_at: datetime | None = None
    told_at: datetime | None = None
    told_score: float | None = None
    news_at: datetime | None = None
    held_by: HeldBy | None = None
    messages: int = 0
    thread: str = ""


Known = Mapping[int, Mapping[tuple[Channel, str], Telling]]
"""By incident, then by receiver."""


def of_incidents(connection: Connection, incident_ids: Sequence[int]) -> Known:
    """What is known of these incidents."""
    columns = [telling.c[name] for name in Telling.__dataclass_fields__]
    found: defaultdict[int, dict[tuple[Channel, str], Telling]] = defaultdict(dict)
    for row in connection.execute(select(*columns).where(telling.c.incident_id.in_(incident_ids))):
        one = Telling(**row._mapping)
        found[one.incident_id][one.channel, one.receiver] = one
    return found


def unfinished(connection: Connection) -> list[int]:
    """Incidents of which somebody has still to hear the beginning or the end."""
    query = (
        select(telling.c.incident_id)
        .distinct()
        .where(or_(telling.c.status == "firing", telling.c.news_at.is_not(None)))
    )
    return list(connection.scalars(query))


def save(connection: Connection, tellings: Iterable[Telling]) -> None:
    """Replace these rows."""
    rows = [asdict(one) for one in tellings]
    if not rows:
        return
    statement = insert(telling)
    keys = ("incident_id", "channel", "receiver")
    new = {name: statement.excluded[name] for name in Telling.__dataclass_fields__ if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=new), rows)
