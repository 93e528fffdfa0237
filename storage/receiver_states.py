"""How each receiver of notifications is doing, shared by all schedulers and kept over restarts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from storage.tables import receiver_state


@dataclass(frozen=True, slots=True)
class ReceiverState:
    """What is known of a receiver; a new one is this with its defaults.

    Attributes:
        tokens: messages it may get at `refilled_at`; None: as many as it takes at once.
        failures: attempts that failed since the last one that did not.
        paused_until: left alone until then.
    """

    channel: str
    receiver: str
    tokens: float | None = None
    refilled_at: datetime | None = None
    failures: int = 0
    paused_until: datetime | None = None
    last_error: str | None = None
    delivered_at: datetime | None = None


def locked(connection: Connection, channel: str, receiver: str) -> ReceiverState:
    """The state of one receiver; others wait for it until the transaction ends, so keep that short."""
    key = {"channel": channel, "receiver": receiver}
    connection.execute(insert(receiver_state).values(**key).on_conflict_do_nothing())
    row = connection.execute(select(receiver_state).filter_by(**key).with_for_update()).one()
    return ReceiverState(**row._mapping)


def save(connection: Connection, state: ReceiverState) -> None:
    """Replace the state of a receiver."""
    values = asdict(state)
    key = [receiver_state.c.channel, receiver_state.c.receiver]
    connection.execute(insert(receiver_state).values(**values).on_conflict_do_update(index_elements=key, set_=values))


def all_states(connection: Connection) -> Sequence[ReceiverState]:
    """Of all receivers that anything was sent to."""
    rows = connection.execute(select(receiver_state).order_by("channel", "receiver"))
    return [ReceiverState(**row._mapping) for row in rows]


def paused(connection: Connection, now: datetime) -> int:
    """How many are left alone at the moment."""
    query = select(func.count()).select_from(receiver_state).where(receiver_state.c.paused_until > now)
    return int(connection.scalar(query) or 0)
