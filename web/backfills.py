"""Backfills of watchlists that are started from the console, and where each backfill stands."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from sqlalchemy import Connection

from storage import watchlist_backfills

FRESH: Final = timedelta(minutes=1)  # one that goes on says so after every page of documents, which takes seconds


@dataclass(frozen=True, slots=True)
class BackfillRun:
    """One that this console has started; `said` is what it printed last."""

    state: Literal["waits", "runs", "done", "failed"]
    since: datetime | None
    said: str = ""


class Backfills(Protocol):
    """Starts them, one after the other."""

    def start(self, name: str, since: datetime | None) -> None:
        """Bring this watchlist's mentions up to date; one that waits or runs already is not started again."""

    def of(self, name: str) -> BackfillRun | None:
        """The last one of this watchlist that was started here."""


@dataclass(frozen=True, slots=True)
class BackfillView:
    """Where a watchlist's backfill stands: `broken` goes on where it was as soon as somebody starts it again.

    Attributes:
        documents, estimate: how many are done, and about how many there are.
    """

    state: Literal["waits", "runs", "done", "failed", "broken"]
    since: datetime | None
    documents: int = 0
    estimate: int = 0
    said: str = ""

    @property
    def is_open(self) -> bool:
        """Whether there is something to look at again in a moment."""
        return self.state in ("waits", "runs")


def standing(connection: Connection, now: datetime) -> dict[str, BackfillView]:
    """By watchlist, of those that are at work somewhere or were broken off."""
    found: dict[str, BackfillView] = {}
    for one in reversed(watchlist_backfills.unfinished(connection)):
        state: Literal["runs", "broken"] = "runs" if one.updated_at > now - FRESH else "broken"
        estimate = watchlist_backfills.estimate(connection, one.since)
        view = BackfillView(state, one.since, one.figures.get("documents", 0), estimate)
        found |= dict.fromkeys(one.watchlists, view)
    return found


def of_one(connection: Connection, backfills: Backfills | None, name: str, now: datetime) -> BackfillView | None:
    """Of one watchlist, with how the last one ended that was started here."""
    at_work = standing(connection, now).get(name)
    run = backfills.of(name) if backfills else None
    if run is None:
        return at_work
    if run.state in ("waits", "runs"):
        done = (at_work.documents, at_work.estimate) if at_work and run.state == "runs" else (0, 0)
        return BackfillView(run.state, run.since, *done)
    if at_work is not None and at_work.state == "runs":
        return at_work
    return BackfillView(run.state, run.since, said=run.said)
