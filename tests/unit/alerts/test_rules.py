"""Labels and fingerprints."""

from alerts.rules import DEFAULT_RULES, Rule, fingerprint


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
