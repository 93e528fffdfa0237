"""Which dead letters were put back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert

from core.errors import GateRefusedError
from storage.tables import redriven_letter

REDRIVE_LOCK = 0x6F70_7264  # "oprd"; one redrive at a time


class LetterKey(NamedTuple):
    """A letter of a dead-letter topic. Its time tells it from one of the same offset after the topic was remade."""

    partition: int
    letter_offset: int
    dead_lettered_at: datetime


def known(connection: Connection, topic: str, keys: Sequence[LetterKey]) -> set[LetterKey]:
    """Those of these letters that were put back."""
    row = redriven_letter.c
    found = connection.execute(
        select(row.partition, row.letter_offset, row.dead_lettered_at).where(
            row.topic == topic, tuple_(row.partition, row.letter_offset, row.dead_lettered_at).in_(keys)
        )
    )
    return {LetterKey(*one) for one in found}


def remember(connection: Connection, topic: str, keys: Sequence[LetterKey]) -> None:
    """Note that these were put back, now; those put back again get the new time."""
    if keys:
        statement = insert(redriven_letter)
        connection.execute(
            statement.on_conflict_do_update(constraint=redriven_letter.primary_key, set_={"redriven_at": func.now()}),
            [{"topic": topic, **key._asdict()} for key in keys],
        )


@contextmanager
def one_at_a_time(engine: Engine) -> Iterator[None]:
    """Keep a second redrive from sending what the first has sent and not noted yet.

    Raises:
        GateRefusedError: another one is running.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": REDRIVE_LOCK}):
            raise GateRefusedError("another redrive is running", remedy="wait until it has ended")
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": REDRIVE_LOCK})
