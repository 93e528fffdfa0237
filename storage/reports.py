"""Reports as they were made, for the console to list and serve."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert

from storage.tables import report

Kind = Literal["daily", "weekly"]
Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class ReportLine:
    """A report without what it says; an empty watchlist: of everything."""

    id: int
    kind: Kind
    watchlist: str
    first_day: date
    language: Language
    made_at: datetime
    has_pdf: bool


@dataclass(frozen=True, slots=True)
class NewReport:
    """A report to keep."""

    kind: Kind
    watchlist: str
    first_day: date
    language: Language
    html: str
    pdf: bytes | None
    document_ids: Sequence[str]
    made_at: datetime


def is_made(connection: Connection, kind: Kind, watchlist: str, first_day: date, language: Language) -> bool:
    """Whether it is there already."""
    c = report.c
    query = select(c.id).where(
        c.kind == kind, c.watchlist == watchlist, c.first_day == first_day, c.language == language
    )
    return connection.scalar(query) is not None


def keep(connection: Connection, made: NewReport) -> bool:
    """Store it; False where somebody was faster."""
    values = {name: getattr(made, name) for name in NewReport.__dataclass_fields__}
    return connection.execute(insert(report).values(values).on_conflict_do_nothing()).rowcount == 1


def newest(
    connection: Connection,
    *,
    kind: Kind | None = None,
    watchlist: str | None = None,
    language: Language | None = None,
    offset: int = 0,
    limit: int = 50,
) -> list[ReportLine]:
    """The latest periods first; None leaves a field open."""
    c = report.c
    query = select(
        c.id, c.kind, c.watchlist, c.first_day, c.language, c.made_at, c.pdf.is_not(None).label("has_pdf")
    ).order_by(c.first_day.desc(), c.kind, c.watchlist, c.language)
    for column, value in ((c.kind, kind), (c.watchlist, watchlist), (c.language, language)):
        if value is not None:
            query = query.where(column == value)
    return [ReportLine(*row) for row in connection.execute(query.offset(offset).limit(limit))]


def watchlists(connection: Connection, *, limit: int = 200) -> list[str]:
    """Those that there are reports of."""
    query = select(report.c.watchlist).distinct().where(report.c.watchlist != "").order_by(report.c.watchlist)
    return list(connection.scalars(query.limit(limit)))


def html_of(connection: Connection, report_id: int) -> str | None:
    """None: there is no such report."""
    found: str | None = connection.scalar(select(report.c.html).where(report.c.id == report_id))
    return found


def pdf_of(connection: Connection, report_id: int) -> tuple[ReportLine, bytes] | None:
    """None: there is no such report, or it has no PDF."""
    c = report.c
    row = connection.execute(
        select(c.id, c.kind, c.watchlist, c.first_day, c.language, c.made_at, c.pdf).where(c.id == report_id)
    ).first()
    if row is None or row.pdf is None:
        return None
    return ReportLine(*row[:6], True), bytes(row.pdf)


def forget(connection: Connection, *, before: datetime) -> int:
    """Delete those that were made before; returns how many."""
    return connection.execute(delete(report).where(report.c.made_at < before)).rowcount


def forget_naming(connection: Connection, document_ids: Sequence[str]) -> int:
    """Delete those that name one of these documents; returns how many."""
    return connection.execute(delete(report).where(report.c.document_ids.overlap(list(document_ids)))).rowcount
