"""What an incident was based on, frozen when it is told: figures, drivers, and documents that speak for it."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from alerts.lifecycle import Episode
from alerts.rules import Counted
from core.scrubbing import scrub
from storage.bucket_counts import Dimension, KeyTotal, Where, group_totals, key_totals
from storage.incidents import ExampleDocument, negative_documents

BEFORE = timedelta(days=7)  # drivers are compared with this long before the surge
MOST_DRIVERS = 5
EXAMPLES = 3
CANDIDATES = 60
EXCERPT_CHARS = 280
SCRUBBED_FOR_EACH_SHOWN = 4  # of a long text only the beginning is shown; white space in it may be cut
SAME_TEXT_CHARS = 60  # texts that begin alike, letters and digits only, say no more than one: "支持" by many people

DRIVERS: tuple[Dimension, ...] = ("source", "topic")


def gather(
    connection: Connection,
    scope: Mapping[Dimension, Sequence[str]],
    episode: Episode,
    *,
    counted: Counted = "negative",
) -> dict[str, Any]:
    """The evidence body, as JSON values.

    `observed`, `expected`, `documents_in_window` and the shares are those the detector judged at its highest score:
    of independent voices. Drivers, documents and the counts with every copy (`raw`) are read from SQL now.

    Args:
        scope: the documents that the series counts (`Rule.scope`).
    """
    end = episode.window_ends_at
    start = end - timedelta(seconds=episode.window_seconds)
    where = dict(scope)
    examples = negative_documents(connection, start, end, **where, is_any=counted == "total", limit=CANDIDATES)
    raw = key_totals(connection, (), start, end, where=where)
    return {
        "counted": counted,
        "scope": {name: list(values) for name, values in where.items()},
        "raw": {"negative": sum(one.negative for one in raw), "total": sum(one.total for one in raw)},
        "since": episode.starts_at.isoformat(),
        "window_starts_at": start.isoformat(),
        "window_ends_at": end.isoformat(),
        "observed": episode.observed,
        "expected": round(episode.expected, 2),
        "documents_in_window": episode.documents,
        "share": round(episode.observed / episode.documents, 4) if episode.documents else None,
        "usual_share": round(episode.expected_share, 4),
        "score": round(episode.score, 2),
        "drivers": {
            name: drivers
            for name in DRIVERS
            if len(where.get(name, ())) != 1 and (drivers := _drivers(connection, name, start, end, where, counted))
        },
        "documents": [_example(document) for document in _distinct(examples)],
    }


def _drivers(
    connection: Connection, by: Dimension, start: datetime, end: datetime, where: Where, counted: Counted
) -> list[dict[str, Any]]:
    """The groups with the most voices above their own usual, largest excess first."""

    def voices(group: KeyTotal) -> int:
        return group.independent_negative if counted == "negative" else group.independent

    scale = (end - start) / BEFORE
    before = {g.name: voices(g) * scale for g in group_totals(connection, by, start - BEFORE, start, where=where)}
    found = []
    for group in group_totals(connection, by, start, end, where=where):
        usual = before.get(group.name, 0.0)
        if voices(group) > usual:
            found.append((voices(group) - usual, group, usual))
    found.sort(key=lambda one: (-one[0], one[1].name))
    return [
        {
            "name": group.name,
            "negative": group.independent_negative,
            "total": group.independent,
            "usual": round(usual, 2),
            "excess": round(excess, 2),
        }
        for excess, group, usual in found[:MOST_DRIVERS]
    ]


def _distinct(documents: list[ExampleDocument]) -> list[ExampleDocument]:
    """The first few that do not begin alike; copies (`storage.copies`) are one already."""
    seen: set[str] = set()
    chosen = []
    for document in documents:
        key = "".join(c for c in document.text.casefold() if c.isalnum())[:SAME_TEXT_CHARS]
        if key not in seen:
            seen.add(key)
            chosen.append(document)
    return chosen[:EXAMPLES]


def _example(document: ExampleDocument) -> dict[str, Any]:
    return {
        "id": document.id,
        "published_at": document.published_at.isoformat(),
        "source": document.source,
        "url": document.url,
        "title": excerpt(document.title) if document.title else None,
        "text": excerpt(document.text),
        "score_negative": round(document.score_negative, 4),
        "carriers": document.carriers,
    }


def excerpt(text: str, most: int = EXCERPT_CHARS) -> str:
    """Crawled text made harmless for a line of a message: no personal details (`core.scrubbing`), no control or
    direction characters, one line, cut."""
    text = scrub(text[: most * SCRUBBED_FOR_EACH_SHOWN])
    visible = "".join(c if unicodedata.category(c) not in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"} else " " for c in text)
    line = " ".join(visible.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
