"""Where champion and candidate part, as documents that a person can read; and a shadow run as a whole, as data."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection

from storage import shadow_verdicts
from storage.shadow_runs import ShadowRun
from storage.shadow_verdicts import Pair

MOST_TELLING: Final = 5  # of each kind
EXCERPT_CHARS: Final = 300

Kind = Literal["became negative", "no longer negative", "other sentiment", "other topic"]
KINDS: Final[tuple[Kind, ...]] = ("became negative", "no longer negative", "other sentiment", "other topic")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A document that tells much of what the two see differently.

    Attributes:
        copies: documents like it, it included, of which the same is true.
        text: the beginning of what the models read; empty where the document is gone.
    """

    kind: Kind
    document_id: str
    published_at: datetime
    source: str
    topic_old: str
    topic_new: str
    sentiment_old: str
    sentiment_new: str
    score_negative_old: float
    score_negative_new: float
    copies: int
    text: str = ""


def report(connection: Connection, run: ShadowRun, most: int = MOST_TELLING) -> dict[str, Any]:
    """All there is to know of a run: its own fields, with the comparison in `figures` (see
    `opinion.shadow_comparison.Comparison`), and `disagreements`. Once a newer candidate came, there are none."""
    found = telling(shadow_verdicts.pairs(connection, run.id), most)
    texts = shadow_verdicts.texts(connection, [(one.published_at, one.document_id) for one in found])
    shown = [replace(one, text=texts.get(one.document_id, "")[:EXCERPT_CHARS]) for one in found]
    return {**run._asdict(), "disagreements": [asdict(one) for one in shown]}


def telling(pairs: Sequence[Pair], most: int = MOST_TELLING) -> list[Disagreement]:
    """The documents that tell most, of each kind of disagreement: where the two are furthest apart and sure of it.

    Of documents that are copies of one another only one is named.
    """
    found: list[Disagreement] = []
    for kind in KINDS:
        clusters: defaultdict[str, list[Pair]] = defaultdict(list)
        for pair in pairs:
            if kind in kinds_of(pair):
                clusters[pair.cluster].append(pair)
        of_kind = [
            (max(cluster, key=lambda pair: _weight(kind, pair)), len(cluster)) for cluster in clusters.values()
        ]
        of_kind.sort(key=lambda one: (-_weight(kind, one[0]), one[0].document_id))
        found += [_disagreement(kind, pair, copies) for pair, copies in of_kind[:most]]
    return found


def kinds_of(pair: Pair) -> Iterator[Kind]:
    """How the two part on a document; nothing where they agree."""
    if pair.sentiment_old != pair.sentiment_new:
        if pair.sentiment_new == "negative":
            yield "became negative"
        elif pair.sentiment_old == "negative":
            yield "no longer negative"
        else:
            yield "other sentiment"
    if pair.topic_old != pair.topic_new:
        yield "other topic"


def _weight(kind: Kind, pair: Pair) -> float:
    if kind == "other topic":
        return min(pair.score_topic_old, pair.score_topic_new)
    return abs(pair.score_negative_new - pair.score_negative_old)


def _disagreement(kind: Kind, pair: Pair, copies: int) -> Disagreement:
    return Disagreement(
        kind,
        pair.document_id,
        pair.published_at,
        pair.source,
        pair.topic_old,
        pair.topic_new,
        pair.sentiment_old,
        pair.sentiment_new,
        pair.score_negative_old,
        pair.score_negative_new,
        copies,
    )
