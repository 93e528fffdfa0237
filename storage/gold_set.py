"""The gold set: texts that models are judged by and never trained on. A text that is in it stays in it."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Connection, select, text

from storage.tables import gold_text

Origin = Literal["share", "random", "earlier"]
INSERT_ROWS: Final = 5000

_INSERT = text("""
    INSERT INTO gold_text (text_hash, origin)
    SELECT text_hash, :origin FROM unnest(CAST(:hashes AS bytea[])) AS g(text_hash)
    ON CONFLICT (text_hash) DO NOTHING
""")


def add(connection: Connection, text_hashes: Collection[bytes], origin: Origin) -> int:
    """Put texts into the gold set, in the caller's transaction. Returns how many were not in it yet.

    A text that a model has been trained on must not come in: that is the caller's care. A text that nobody has
    labelled yet was not, except by the champion's own answer to it.

    Args:
        text_hashes: of `core.texts.text_hash`.
        origin: `share` of a batch of labels, or the answers to a `random` sample.
    """
    hashes = sorted(text_hashes)
    return sum(
        connection.execute(_INSERT, {"hashes": hashes[start : start + INSERT_ROWS], "origin": origin}).rowcount
        for start in range(0, len(hashes), INSERT_ROWS)
    )


def hashes(connection: Connection) -> set[bytes]:
    """Every text of the gold set."""
    return set(dates(connection))


def dates(connection: Connection) -> dict[bytes, datetime]:
    """The same, with when each came in."""
    statement = select(gold_text.c.text_hash, gold_text.c.added_at)
    return {bytes(text_hash): added_at for text_hash, added_at in connection.execute(statement)}
