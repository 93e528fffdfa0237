"""Counts as another model would have made them, and incidents side by side."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.detection.lifecycle import Episode
from alerts.detection.rules import Rule
from alerts.rulebook.contrasting import matched
from alerts.rulebook.moved_counts import moves
from storage.shadow_verdicts import Pair

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
BUCKET = timedelta(minutes=5)
HOUR = timedelta(hours=1)


def pair(old: str, new: str, **changes: Any) -> Pair:
    """Two verdicts on a document of noon."""
    fields: dict[str, Any] = {
        "published_at": AT + timedelta(minutes=1),
        "document_id": "weibo:1",
        "source": "weibo",
        "kind": "post",
        "lang": "zh",
        "topic_old": "automobile",
        "topic_new": "automobile",
        "sentiment_old": old,
        "sentiment_new": new,
        "score_negative_old": 0.5,
        "score_negative_new": 0.5,
        "score_topic_old": 0.5,
        "score_topic_new": 0.5,
        "mentions": None,
        "is_copy": False,
        "is_counted": True,
        "cluster": "c1",
    }
    return Pair(**(fields | changes))


def episode(starts: float, told: float, ends: float | None) -> Episode:
    """A surge, in hours after noon."""
    held = AT + told * HOUR
    return Episode(
        starts_at=AT + starts * HOUR,
        detected_at=held,
        last_fired_at=held,
        last_stirred_at=held,
        score=9.0,
        observed=40.0,
        expected=5.0,
        documents=50,
        expected_share=0.2,
        window_ends_at=held,
        window_seconds=900.0,
        ends_at=None if ends is None else AT + ends * HOUR,
        held_at=held,
    )


@pytest.mark.parametrize(
    ("rule", "one", "expected"),
    [
        (Rule("all"), pair("neutral", "negative"), {(): (1, 0)}),
        (Rule("all"), pair("negative", "positive"), {(): (-1, 0)}),
        (Rule("all"), pair("positive", "neutral"), {}),
        (Rule("by-source", ("source",)), pair("neutral", "negative"), {("weibo",): (1, 0)}),
        (Rule("news", where=(("source", ("news",)),)), pair("neutral", "negative"), {}),
        (Rule("all"), pair("neutral", "negative", is_copy=True), {}),
        (Rule("all"), pair("neutral", "negative", is_counted=False), {}),
        (
            Rule("by-topic", ("topic",)),
            pair("negative", "negative", topic_new="sports"),
            {("automobile",): (-1, -1), ("sports",): (1, 1)},
        ),
        (Rule("volume", counted="total"), pair("neutral", "negative"), {}),
        (
            Rule("volume", ("topic",), counted="total"),
            pair("neutral", "negative", topic_new="sports"),
            {("automobile",): (-1, -1), ("sports",): (1, 1)},
        ),
        (
            Rule("by-watchlist", ("watchlist",)),
            pair("neutral", "neutral", mentions={"华为": ["neutral", "negative"], "苹果": ["negative", "negative"]}),
            {("华为",): (1, 0)},
        ),
    ],
)
def test_what_a_rule_counts_moves(rule: Rule, one: Pair, expected: dict[tuple[str, ...], tuple[int, int]]) -> None:
    """Only what changes for the rule does: a topic takes its documents along, copies are counted by nobody."""
    assert moves(rule, [one], BUCKET) == ({AT: expected} if expected else {})


def test_incidents_are_matched_by_time() -> None:
    """Gained, lost, earlier, later and the same; what both told of before is none of it."""
    old = [episode(-3, -2, -1), episode(1, 1.5, 2), episode(4, 4.5, 5), episode(8, 9, None)]
    new = [episode(-3, -2.5, -1), episode(1, 1.25, 2), episode(6.25, 6.5, 6.75), episode(8, 9.5, None)]
    found = [
        (change, before and before.starts_at, after and after.starts_at)
        for change, before, after in matched(old, new, since=AT)
    ]
    assert found == [
        ("earlier", old[1].starts_at, new[1].starts_at),
        ("lost", old[2].starts_at, None),
        ("later", old[3].starts_at, new[3].starts_at),
        ("gained", None, new[2].starts_at),
    ]
    assert [change for change, *_ in matched(old[1:2], old[1:2], since=AT)] == ["same"]
