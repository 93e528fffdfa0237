"""The gold set by age: a text that was fair to judge by last year may not be like today's any more."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from core.records import Opinion
from models.comparison import by_answers
from models.datasets import LabelledText
from models.gate_verdict import Comparison

AGES: Final = (
    (timedelta(days=30), "up to 30 days"),
    (timedelta(days=90), "31 to 90 days"),
    (timedelta(days=365), "91 to 365 days"),
)
OLDEST: Final = "more than a year"


def by_age(
    rows: Sequence[LabelledText],
    since: Sequence[datetime],
    champion: Sequence[Opinion],
    candidate: Sequence[Opinion],
    *,
    now: datetime,
) -> dict[str, Comparison]:
    """Both models on each age of the gold set that has texts, the youngest first; nothing where ages are unknown.

    Args:
        since: when each row joined; the opinions are in the order of the rows, too.
    """
    if len(since) != len(rows):
        return {}
    groups: dict[str, list[int]] = {name: [] for name in (*(name for _, name in AGES), OLDEST)}
    for position, joined in enumerate(since):
        groups[next((name for most, name in AGES if now - joined <= most), OLDEST)].append(position)
    return {
        name: by_answers(
            [rows[place] for place in places],
            [champion[place] for place in places],
            [candidate[place] for place in places],
        )
        for name, places in groups.items()
        if places
    }
