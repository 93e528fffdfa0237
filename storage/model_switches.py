"""Which models judged what: counts by model for the detector, texts that two models judged, and known switches."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Interval, cast, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from core.windows import EPOCH
from storage.tables import model_overlap, model_switch, opinion_minute

GROUP_SEPARATOR = "\x1f"
MOST_GROUPS = 500  # the largest; a median over more is the same

Label = tuple[str, str]
Totals = defaultdict[datetime, dict[str, int]]
Groups = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class SwitchRow:
    """A change of model on one clock."""

    clock: str
    at: datetime
    old_version: str
    new_version: str
    factor: float | None
    basis: str


@dataclass(frozen=True, slots=True)
class OverlapRow:
    """What two models said of the same documents; an empty label stands for all."""

    label: str
    value: str
    documents: int
    negative_old: int
    negative_new: int


def totals_by_version(
    connection: Connection, *, source: str | None, bucket: timedelta, start: datetime, end: datetime
) -> Totals:
    """Documents by bucket and model in [start, end), of one source or of all."""
    m = opinion_minute.c
    at = func.date_bin(cast(literal(bucket), Interval), m.bucket_at, literal(EPOCH)).label("at")
    query = select(at, m.model_version, func.sum(m.total)).where(m.bucket_at >= start, m.bucket_at < end, m.total > 0)
    if source is not None:
        query = query.where(m.source == source)
    found: Totals = defaultdict(dict)
    for bucket_at, version, total in connection.execute(query.group_by(at, m.model_version)):
        found[bucket_at][version] = int(total)
    return found


def groups_of_version(
    connection: Connection, version: str, *, source: str | None, bucket: timedelta, start: datetime, end: datetime
) -> defaultdict[datetime, Groups]:
    """(negatives, documents) that this model judged in [start, end), by bucket and group."""
    m = opinion_minute.c
    at = func.date_bin(cast(literal(bucket), Interval), m.bucket_at, literal(EPOCH)).label("at")
    query = (
        select(at, m.source, m.topic_label, func.sum(m.negative), func.sum(m.total))
        .where(m.bucket_at >= start, m.bucket_at < end, m.model_version == version, m.total > 0)
        .group_by(at, m.source, m.topic_label)
    )
    if source is not None:
        query = query.where(m.source == source)
    found: defaultdict[datetime, Groups] = defaultdict(dict)
    for bucket_at, of_source, topic, negative, total in connection.execute(query):
        found[bucket_at][f"{of_source}{GROUP_SEPARATOR}{topic}"] = (int(negative), int(total))
    return found


def usual_groups(
    connection: Connection, version: str, *, source: str | None, start: datetime, end: datetime
) -> Groups:
    """(negatives, documents) that this model judged in [start, end), by group; the largest groups."""
    m = opinion_minute.c
    query = (
        select(m.source, m.topic_label, func.sum(m.negative).label("negative"), func.sum(m.total))
        .where(m.bucket_at >= start, m.bucket_at < end, m.model_version == version, m.total > 0)
        .group_by(m.source, m.topic_label)
        .order_by(func.sum(m.negative).desc(), m.source, m.topic_label)
        .limit(MOST_GROUPS)
    )
    if source is not None:
        query = query.where(m.source == source)
    return {
        f"{of_source}{GROUP_SEPARATOR}{topic}": (int(negative), int(total))
        for of_source, topic, negative, total in connection.execute(query)
    }


def overlaps(connection: Connection) -> dict[tuple[str, str], dict[Label, tuple[int, int]]]:
    """By (old, new) model: by (label, value), what each of the two called negative."""
    found: defaultdict[tuple[str, str], dict[Label, tuple[int, int]]] = defaultdict(dict)
    for row in connection.execute(select(model_overlap)):
        found[row.old_version, row.new_version][row.label, row.value] = (row.negative_old, row.negative_new)
    return dict(found)


def save_overlap(connection: Connection, old: str, new: str, rows: Sequence[OverlapRow]) -> None:
    """Replace what is known of texts that both models judged."""
    is_pair = (model_overlap.c.old_version == old, model_overlap.c.new_version == new)
    connection.execute(delete(model_overlap).where(*is_pair))
    if rows:
        values = [
            {
                "old_version": old,
                "new_version": new,
                "label": row.label,
                "value": row.value,
                "documents": row.documents,
                "negative_old": row.negative_old,
                "negative_new": row.negative_new,
            }
            for row in rows
        ]
        connection.execute(insert(model_overlap), values)


def note_switches(connection: Connection, rows: Iterable[SwitchRow]) -> None:
    """Write what changed since it was last noted."""
    for row in rows:
        values = {name: getattr(row, name) for name in SwitchRow.__dataclass_fields__}
        statement = insert(model_switch).values(values)
        new = statement.excluded
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[model_switch.c.clock, model_switch.c.new_version],
                set_={
                    "at": new.at,
                    "old_version": new.old_version,
                    "factor": new.factor,
                    "basis": new.basis,
                    "updated_at": func.now(),
                },
                where=(model_switch.c.at != new.at)
                | (model_switch.c.factor.is_distinct_from(new.factor))
                | (model_switch.c.basis != new.basis),
            )
        )


def switches(connection: Connection, start: datetime, end: datetime, *, clock: str = "all") -> list[SwitchRow]:
    """The changes of model on this clock in [start, end), oldest first: marks for a chart."""
    columns = [model_switch.c[name] for name in SwitchRow.__dataclass_fields__]
    query = (
        select(*columns)
        .where(model_switch.c.clock == clock, model_switch.c.at >= start, model_switch.c.at < end)
        .order_by(model_switch.c.at, model_switch.c.new_version)
    )
    return [SwitchRow(**row._mapping) for row in connection.execute(query)]


def factors(connection: Connection, *, clock: str = "all") -> Mapping[str, float]:
    """By model: negatives for one of the first model of this clock; 1 where a factor is unknown.

    A model that never took over, but judged stored documents again, is known by the texts that it and another judged.
    """
    columns = (model_switch.c.new_version, model_switch.c.old_version, model_switch.c.factor)
    query = select(*columns).where(model_switch.c.clock == clock).order_by(model_switch.c.at)
    found: dict[str, float] = {}
    for new, old, factor in connection.execute(query):
        found[new] = found.get(old, 1.0) * (1.0 if factor is None else factor)
    reference = connection.scalar(
        select(model_switch.c.old_version).where(model_switch.c.clock == clock).order_by(model_switch.c.at).limit(1)
    )
    o = model_overlap.c
    rows = connection.execute(select(model_overlap).where(o.label == "").order_by(o.documents.desc(), o.old_version))
    return found | {
        row.new_version: found.get(row.old_version, 1.0) * (row.negative_new + 0.5) / (row.negative_old + 0.5)
        for row in reversed(rows.all())  # the largest sample counts
        if row.new_version not in found and row.new_version != reference
    }
