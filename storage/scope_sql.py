"""A scope over rows of `document AS d`, as pieces of SQL."""

from dataclasses import dataclass
from typing import Any, Final

from storage.bucket_counts import COLUMNS
from storage.excess_counts import Scope

STANDING: Final = """
    LEFT JOIN LATERAL (
        SELECT cluster, follows, first_at, first_id FROM copy_text WHERE id = d.copy_text LIMIT 1
    ) AS t ON true
"""
"""Joins what is known of a document's text: `t.cluster` is that of its copies, if it has any."""

IS_COPY: Final = "coalesce(t.follows OR (t.first_at, t.first_id) <> (d.published_at, d.id), false)"


@dataclass(frozen=True, slots=True)
class ScopeSql:
    """Pieces for one scope.

    Attributes:
        mentions: the join of `mention AS n`, a row for each watchlist; empty without one.
        is_of: which rows, whatever they mention.
        judged: whose sentiment and score_negative hold: `d`, or `n`.
        is_counted: which of them are counted, be they copies or not.
        values: the parameters.
    """

    mentions: str
    is_of: str
    judged: str
    is_counted: str
    values: dict[str, Any]


def scope_sql(scope: Scope) -> ScopeSql:
    """Where the scope names values they are parameters, called as its dimensions."""
    names = [name for name in COLUMNS if name in scope.where and name != "watchlist"]
    is_of_watchlist = "watchlist" in scope.where
    judged = "n" if is_of_watchlist else "d"
    return ScopeSql(
        mentions="JOIN mention AS n ON n.published_at = d.published_at AND n.document_id = d.id "
        "AND n.watchlist = ANY(:watchlist)"
        if is_of_watchlist
        else "",
        is_of=" AND ".join([*(f"d.{COLUMNS[name]} = ANY(:{name})" for name in names), "true"]),
        judged=judged,
        is_counted=f"{judged}.sentiment = 'negative'" if scope.counted == "negative" else "true",
        values={name: list(values) for name, values in scope.where.items()},
    )
