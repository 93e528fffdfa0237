"""What PostgreSQL would read for a statement, and what of that it must not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

BOUNDED = {  # by table, a column that a condition on an index has to name
    "opinion_minute": ("bucket_at",),
    "watchlist_minute": ("bucket_at",),
    "opinion_hour": ("bucket_at",),
    "topic_hour": ("bucket_at",),
    "source_hour": ("bucket_at",),
    "watchlist_hour": ("bucket_at",),
    "watchlist_total_hour": ("bucket_at",),
    "source_day": ("bucket_at", "local_day"),
    "opinion_day": ("bucket_at", "local_day"),
    "watchlist_day": ("bucket_at", "local_day"),
    "document": ("published_at", "id", "copy_text", "parent_id"),
    "mention": ("published_at", "document_id"),
}
PASSES_ROWS_ON = ("Limit", "Append", "Merge Append", "Result", "Subquery Scan")


@contextmanager
def statements(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    """Those that are run meanwhile, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def remember(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: Any) -> None:
        seen.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", remember)
    try:
        yield seen
    finally:
        event.remove(connection, "before_cursor_execute", remember)


def plan_faults(connection: Connection, statement: str, parameters: Any = None) -> list[str]:
    """Tables of which the statement reads more than it has to: without a condition on an index, or, behind a LIMIT,
    not in an index's order. Sequential scans are planned only where there is no other way."""
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    found = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    plan = found if isinstance(found, list) else json.loads(found)
    return list(_faults(plan[0]["Plan"], is_limited=False))


def _faults(node: dict[str, Any], *, is_limited: bool) -> Iterator[str]:
    kind = node["Node Type"]
    table = node.get("Relation Name", "").split("_y2")[0]
    if table in BOUNDED and "Scan" in kind and not is_limited:
        conditions = " ".join(_index_conditions(node))
        if not any(column in conditions for column in BOUNDED[table]):
            yield f"{kind} of {table}: {conditions or 'no condition'}"
    inner = kind == "Limit" or (is_limited and kind in PASSES_ROWS_ON)
    for child in node.get("Plans", ()):
        yield from _faults(child, is_limited=inner)


def _index_conditions(node: dict[str, Any]) -> Iterator[str]:
    if "Index Cond" in node:
        yield node["Index Cond"]
    for child in node.get("Plans", ()):
        if child["Node Type"].startswith("Bitmap"):
            yield from _index_conditions(child)
