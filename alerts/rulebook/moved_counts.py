"""What the detector would count if another model had judged the same documents. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from alerts.detection.rereading import Key
from alerts.detection.rules import Rule
from core.windows import floor_to
from storage.shadow_verdicts import Pair

Counts = Mapping[Key, tuple[int, int]]
"""By series: negatives, documents."""


def moves(rule: Rule, pairs: Sequence[Pair], bucket: timedelta) -> dict[datetime, dict[Key, tuple[int, int]]]:
    """By bucket and series: how many negatives and documents more there are by the candidate than by the champion.

    Copies are not counted, as the detector does not; nor are documents whose verdict is not the stored one any more.
    """
    found: defaultdict[datetime, defaultdict[Key, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for pair in pairs:
        if pair.is_copy or not pair.is_counted:
            continue
        at = floor_to(pair.published_at, bucket)
        for dimensions, old, new in _counted(rule, pair):
            for topic, sentiment, sign in ((pair.topic_old, old, -1), (pair.topic_new, new, 1)):
                key = _key(rule, {**dimensions, "topic": topic})
                if key is not None:
                    sums = found[at][key]
                    sums[0] += sign * (sentiment == "negative" or rule.counted == "total")
                    sums[1] += sign
    changed = {at: {key: (x, n) for key, (x, n) in of.items() if x or n} for at, of in found.items()}
    return {at: of for at, of in changed.items() if of}


def applied(counts: Counts, by: Counts) -> dict[Key, tuple[int, int]]:
    """The counts of a bucket after such changes; never below none."""
    found = dict(counts)
    for key, (negative, total) in by.items():
        before = found.get(key, (0, 0))
        documents = max(0, before[1] + total)
        found[key] = (min(documents, max(0, before[0] + negative)), documents)
    return {key: values for key, values in found.items() if values[1] or key in counts}


def _counted(rule: Rule, pair: Pair) -> Iterator[tuple[dict[str, str], str, str]]:
    """What of a document the rule counts: its dimensions, and the two sentiments."""
    dimensions = {"source": pair.source, "kind": pair.kind, "lang": pair.lang}
    if not rule.of_watchlists:
        yield dimensions, pair.sentiment_old, pair.sentiment_new
        return
    for name, (old, new) in (pair.mentions or {}).items():
        yield {**dimensions, "watchlist": name}, old, new


def _key(rule: Rule, dimensions: Mapping[str, str]) -> Key | None:
    if any(dimensions.get(name) not in values for name, values in rule.where):
        return None
    return tuple(dimensions[name] for name in rule.group_by)
