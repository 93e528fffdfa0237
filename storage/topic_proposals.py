"""Clusters of doubtful documents that might become topics, as of each check."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from storage.tables import topic_proposal

KEPT: Final = timedelta(days=90)


class ProposalRow(NamedTuple):
    """One proposal; see the comments of `bi.topic_proposal`. Examples are documents, by time and id."""

    found_at: datetime
    model_version: str
    terms: list[str]
    documents_now: int
    documents_before: int
    current_from: datetime
    current_until: datetime
    example_ids: list[str]
    example_times: list[datetime]

    @property
    def growth(self) -> float:
        """See `models.topic_clusters.Proposal.growth`."""
        return (self.documents_now + 1) / (self.documents_before + 1)


def add(connection: Connection, rows: Sequence[ProposalRow], now: datetime) -> None:
    """Keep the proposals of a check, and forget old ones."""
    connection.execute(delete(topic_proposal).where(topic_proposal.c.found_at < now - KEPT))
    if rows:
        connection.execute(insert(topic_proposal), [row._asdict() for row in rows])


def of_check(connection: Connection, found_at: datetime) -> list[ProposalRow]:
    """The proposals of one check, those that grow most first."""
    columns = [topic_proposal.c[name] for name in ProposalRow._fields]
    query = select(*columns).where(topic_proposal.c.found_at == found_at).order_by(topic_proposal.c.id)
    return [ProposalRow(*row) for row in connection.execute(query)]


def newest(connection: Connection) -> list[ProposalRow]:
    """The latest proposals that there are."""
    last = connection.scalar(select(func.max(topic_proposal.c.found_at)))
    return [] if last is None else of_check(connection, last)
