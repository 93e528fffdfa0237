"""Candidates in shadow: at most one is open, how far it has come, and what became of it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Connection, Engine, delete, func, insert, select, text, update

from storage.advisory_locks import hold
from storage.tables import opinion_minute, shadow_run, shadow_verdict

State = Literal["scoring", "waiting", "promoted", "rejected", "expired"]
OPEN: Final[tuple[State, ...]] = ("scoring", "waiting")
SHADOW_LOCK: Final = 0x6F70_7368  # "opsh"
SCORING_LOCK: Final = 0x6F70_7363  # "opsc"


class ShadowRun(NamedTuple):
    """One candidate beside one champion.

    Attributes:
        training_run: the retrain run that made the candidate.
        state: `waiting`: nothing more is read, and a person has to decide.
        decided_by: `shadow` where the figures decided.
        window_from, live_from: documents published in between were there when it began and are all read; of later
            ones a `share`. None while no document is stored.
        reached_at, reached_id: the last document that was read, in the order of `published_at` and id.
        scored, live_scored: documents that both have judged, and those of them published since `live_from`.
        failures: documents that the candidate raised on.
        attempts: processes begun since the candidate last came further.
        visited_at: when the newest of them began.
        figures: `opinion.shadow_comparison.Comparison` as JSON; empty until there is one.
    """

    id: int
    candidate: str
    champion: str
    training_run: int | None
    state: State
    started_at: datetime
    ended_at: datetime | None
    decided_by: str | None
    reasons: list[str]
    window_from: datetime | None
    live_from: datetime | None
    share: float
    reached_at: datetime | None
    reached_id: str | None
    scored: int
    live_scored: int
    failures: int
    attempts: int
    visited_at: datetime | None
    figures: dict[str, Any]

    @property
    def is_open(self) -> bool:
        return self.ended_at is None

    @property
    def complete_until(self) -> datetime | None:
        """Of what was published before, from `window_from` on, every document was read."""
        if self.live_from is None or self.reached_at is None:
            return None
        return self.reached_at if self.share >= 1 else min(self.reached_at, self.live_from)


_COLUMNS = [shadow_run.c[name] for name in ShadowRun._fields]


def only_scorer(engine: Engine) -> AbstractContextManager[bool]:
    """The right to read for a candidate, as long as the context lasts; it gives False when somebody else has it."""
    return hold(engine, SCORING_LOCK)


def lock(connection: Connection) -> None:
    """One change of state at a time until the transaction ends; taken before the lock of promotions."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SHADOW_LOCK})


def current(connection: Connection) -> ShadowRun | None:
    """The one that is open."""
    row = connection.execute(select(*_COLUMNS).where(shadow_run.c.ended_at.is_(None))).first()
    return ShadowRun(*row) if row is not None else None


def newest(connection: Connection, limit: int = 20) -> list[ShadowRun]:
    """The latest, the newest first."""
    query = select(*_COLUMNS).order_by(shadow_run.c.id.desc()).limit(limit)
    return [ShadowRun(*row) for row in connection.execute(query)]


def of_version(connection: Connection, candidate: str) -> ShadowRun | None:
    """The newest of this candidate."""
    query = select(*_COLUMNS).where(shadow_run.c.candidate == candidate).order_by(shadow_run.c.id.desc()).limit(1)
    row = connection.execute(query).first()
    return ShadowRun(*row) if row is not None else None


def open_run(
    connection: Connection, *, candidate: str, champion: str, training_run: int | None, now: datetime
) -> tuple[int, ShadowRun | None]:
    """Put a candidate into shadow. One that was there gives way, and the verdicts of earlier ones are forgotten.

    Returns:
        The id, and the run that gave way.
    """
    lock(connection)
    before = current(connection)
    if before is not None:
        reason = f"the newer candidate {candidate} took its place"
        close(connection, before.id, "expired", reasons=[reason], by="shadow", now=now)
    connection.execute(delete(shadow_verdict))
    row = {"candidate": candidate, "champion": champion, "training_run": training_run, "started_at": now}
    return int(connection.scalar(insert(shadow_run).values(row).returning(shadow_run.c.id)) or 0), before


def place(connection: Connection, run: int, *, window_from: datetime, live_from: datetime, share: float) -> None:
    """Say what is read, once a document is stored."""
    values = {"window_from": window_from, "live_from": live_from, "share": share}
    connection.execute(update(shadow_run).where(shadow_run.c.id == run).values(**values))


def begin_attempt(connection: Connection, run: int, *, now: datetime) -> None:
    """A process begins to read."""
    values = {"attempts": shadow_run.c.attempts + 1, "visited_at": now}
    connection.execute(update(shadow_run).where(shadow_run.c.id == run).values(values))


def end_attempt(connection: Connection, run: int) -> None:
    """It has come further, or was ended by us."""
    connection.execute(update(shadow_run).where(shadow_run.c.id == run).values(attempts=0))


def advance(
    connection: Connection,
    run: int,
    *,
    reached: tuple[datetime, str],
    scored: int,
    live: int,
    failures: int,
) -> bool:
    """So many more documents are done, in the transaction that keeps their verdicts.

    Returns:
        False where the run has left `scoring` meanwhile: the caller stops, and rolls back.
    """
    c = shadow_run.c
    values = {
        "reached_at": reached[0],
        "reached_id": reached[1],
        "scored": c.scored + scored,
        "live_scored": c.live_scored + live,
        "failures": c.failures + failures,
        "attempts": 0,
    }
    return connection.execute(update(shadow_run).where(c.id == run, c.state == "scoring").values(values)).rowcount > 0


def keep_figures(connection: Connection, run: int, figures: Mapping[str, Any]) -> None:
    """What was found so far."""
    connection.execute(update(shadow_run).where(shadow_run.c.id == run).values(figures=dict(figures)))


def wait(connection: Connection, run: int, *, reasons: Sequence[str]) -> None:
    """Nothing more is read; a person decides."""
    connection.execute(
        update(shadow_run).where(shadow_run.c.id == run).values(state="waiting", reasons=list(reasons))
    )


def close(connection: Connection, run: int, state: State, *, reasons: Sequence[str], by: str, now: datetime) -> None:
    """End an open one, for good; what was given as reasons before is kept in front."""
    c = shadow_run.c
    values = {"state": state, "ended_at": now, "decided_by": by, "reasons": c.reasons.op("||")(list(reasons))}
    connection.execute(update(shadow_run).where(c.id == run, c.ended_at.is_(None)).values(values))


_WINDOW = text("""
    SELECT bucket_at FROM (
        SELECT bucket_at, sum(sum(total)) OVER (ORDER BY bucket_at DESC) AS documents
        FROM opinion_minute
        WHERE bucket_at >= :since AND bucket_at < :until AND model_version = :version AND total > 0
        GROUP BY bucket_at
    ) AS minutes WHERE documents <= :most ORDER BY bucket_at LIMIT 1
""")


def window_start(
    connection: Connection, version: str, *, since: datetime, until: datetime, most: int
) -> datetime | None:
    """The earliest minute from which on this model has judged at most so many documents; None where there is none."""
    asked = {"version": version, "since": since, "until": until, "most": most}
    found: datetime | None = connection.scalar(_WINDOW, asked)
    return found


def documents_between(connection: Connection, version: str, start: datetime, end: datetime) -> int:
    """How many documents published then this model has judged, by the minute counts."""
    c = opinion_minute.c
    query = select(func.sum(c.total)).where(c.bucket_at >= start, c.bucket_at < end, c.model_version == version)
    return int(connection.scalar(query) or 0)


def pending(connection: Connection, run: ShadowRun, until: datetime) -> int:
    """About how many documents wait to be read."""
    if run.window_from is None or run.live_from is None:
        return 0
    start = (run.reached_at or run.window_from).replace(second=0, microsecond=0) + timedelta(
        minutes=1 if run.reached_at else 0
    )
    window = documents_between(connection, run.champion, start, min(run.live_from, until))
    live = documents_between(connection, run.champion, max(start, run.live_from), until)
    return window + round(live * run.share)
