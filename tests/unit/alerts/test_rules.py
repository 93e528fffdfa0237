"""Labels and fingerprints."""

from dataclasses import replace

import pytest

from alerts.detection.detectors import THRESHOLDS, DetectorOptions
from alerts.detection.rules import DEFAULT_RULES, Rule, fingerprint


def test_fingerprints_depend_on_the_labels_only() -> None:
    """Order does not matter, every name and value does."""
    one = fingerprint({"alertname": "NegativeSurge", "topic": "sports"})
    assert one == fingerprint({"topic": "sports", "alertname": "NegativeSurge"})
    assert one != fingerprint({"alertname": "NegativeSurge", "topic": "game"})
    assert one == "0e834f9e43a0fd7d"  # stored in SQL and known to receivers: must never change


def test_labels_name_the_rule_and_its_series() -> None:
    """An incident says which rule found it and for which value."""
    assert Rule("by-topic", ("topic",)).labels(("sports",)) == {
        "alertname": "NegativeSurge",
        "rule": "by-topic",
        "topic": "sports",
    }


def test_by_default_everything_topics_sources_and_watchlists_are_watched() -> None:
    """A new installation needs no rule file."""
    assert [rule.group_by for rule in DEFAULT_RULES] == [(), ("topic",), ("source",), ("watchlist",)]


NARROW = Rule("narrow", ("topic",), "total", (("watchlist", ("acme",)), ("topic", ("finance", "stock"))))


def test_a_filter_of_one_value_is_part_of_the_identity() -> None:
    """Who is told of it sees what it is about; a filter of several values does not say which of them."""
    labels = {"alertname": "VolumeSurge", "rule": "narrow", "watchlist": "acme", "topic": "stock"}
    assert NARROW.labels(("stock",)) == labels
    assert NARROW.scope(labels) == {"watchlist": ("acme",), "topic": ("stock",)}
    assert NARROW.makes(labels)
    assert not NARROW.makes({**labels, "topic": "sports"})
    assert not NARROW.makes({**labels, "watchlist": "bolt"})
    assert not NARROW.makes({**labels, "lang": "zh"})
    assert not NARROW.makes({"alertname": "VolumeSurge", "rule": "narrow", "watchlist": "acme"})


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({"sensitivity": "high"}, True),
        ({"threshold": 7.0}, True),
        ({"min_per_hour": 1}, True),
        ({"severity_at_least": "critical"}, True),
        ({"is_enabled": False}, True),
        ({"counted": "negative"}, False),
        ({"group_by": ("source",)}, False),
        ({"group_by": ()}, False),
        ({"where": ()}, False),
        ({"where": (("watchlist", ("acme",)), ("topic", ("finance",)))}, False),
    ],
)
def test_what_was_learned_holds_while_the_same_is_counted(changes: dict[str, object], is_same: bool) -> None:
    """A sensitivity changes no series; other filters or groups do."""
    assert (replace(NARROW, **changes).counts_what == NARROW.counts_what) is is_same


def test_a_rule_follows_the_clock_of_the_source_it_names() -> None:
    """By group or by a filter of one source; of several sources, that of all."""
    assert [rule.follows("weibo") for rule in DEFAULT_RULES] == [False, False, True, False]
    assert [rule.follows(None) for rule in DEFAULT_RULES] == [True, True, False, True]
    one, two = (Rule("x", (), where=(("source", names),)) for names in (("weibo",), ("news", "weibo")))
    assert (one.follows("weibo"), one.follows("news"), one.follows(None)) == (True, False, False)
    assert (two.follows("weibo"), two.follows(None)) == (False, True)
    grouped = Rule("x", ("source",), where=(("source", ("news", "weibo")),))
    assert (grouped.follows("weibo"), grouped.follows("forum"), grouped.follows(None)) == (True, False, False)


def test_a_rules_own_settings_come_first() -> None:
    """What it does not say is the settings'; a threshold stands instead of a sensitivity."""
    usual = DetectorOptions(sensitivity="low", min_negatives_per_hour=9)
    assert Rule("x").detector(usual) == usual
    assert Rule("x", sensitivity="high").detector(usual).fires_from == THRESHOLDS["high"]
    assert Rule("x", threshold=7.5).detector(usual).fires_from == 7.5
    assert Rule("x", min_per_hour=2).detector(usual).min_negatives_per_hour == 2


def test_severity_has_a_floor_and_a_cap() -> None:
    """Whatever the figures say."""
    rule = Rule("x", severity_at_least="warning", severity_at_most="warning")
    assert {rule.severity(found) for found in ("info", "warning", "critical")} == {"warning"}
    assert [Rule("x").severity(found) for found in ("info", "critical")] == ["info", "critical"]
