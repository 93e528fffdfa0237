"""Who speaks for whom."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.routing.rollup import excess, identity, is_parent, speaker
from core.records import Severity


@dataclass(frozen=True)
class One:
    id: int
    about: dict[str, str]
    observed: float
    expected: float = 10.0
    severity: Severity = "warning"
    score: float = 8.0
    labels: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        labels = {"alertname": "NegativeSurge", "rule": "-".join(self.about) or "overall", **self.about}
        object.__setattr__(self, "labels", labels)


ALL = One(1, {}, 110)
CARS = {"topic": "cars"}
WEIBO = {"source": "weibo"}


def test_a_parent_speaks_for_children_that_explain_a_part_each() -> None:
    """Two topics bring half of it each: one message, about everything."""
    assert speaker([One(2, CARS, 60), One(3, {"topic": "sports"}, 60), ALL]) is ALL


def test_a_child_that_explains_the_whole_is_told_instead() -> None:
    """All of it is about cars: the message says so."""
    cars = One(2, CARS, 100)
    assert speaker([ALL, cars]) is cars


def test_down_to_the_most_specific_that_still_explains_it() -> None:
    """Cars on weibo, and nothing else."""
    leaf = One(4, CARS | WEIBO, 95)
    assert speaker([ALL, One(2, CARS, 100), One(3, WEIBO, 100), leaf]) is leaf


def test_on_the_way_down_it_stops_where_it_spreads() -> None:
    """Cars explain it all, but no single source does."""
    cars = One(2, CARS, 100)
    assert speaker([ALL, cars, One(3, CARS | WEIBO, 50), One(4, CARS | {"source": "news"}, 60)]) is cars


def test_the_most_severe_speaks() -> None:
    """A critical part is not hidden behind a warning about everything."""
    part = One(2, CARS, 40, severity="critical")
    assert speaker([ALL, part]) is part


@pytest.mark.parametrize("name", ["CopyCampaign", "SlowDrift"])
def test_different_kinds_have_no_children_in_common(name: str) -> None:
    """A campaign is not a part of a surge."""
    other = One(2, CARS, 100)
    other.labels["alertname"] = name
    assert not is_parent(ALL, other)


@given(
    st.lists(
        st.builds(
            One,
            st.integers(1, 10**6),
            st.dictionaries(st.sampled_from(["topic", "source", "lang"]), st.sampled_from(["a", "b"])),
            st.floats(10, 1000),
            severity=st.sampled_from(["info", "warning", "critical"]),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda one: one.id,
    )
)
def test_the_order_of_incidents_does_not_matter(incidents: list[One]) -> None:
    """Whoever was found first, the same one speaks, and it has no child that explains all of it as loudly."""
    chosen = speaker(incidents)
    assert speaker(incidents[::-1]) is chosen
    for one in incidents:
        if is_parent(chosen, one) and one.severity == chosen.severity:
            assert excess(one) < 0.8 * excess(chosen)
        assert identity(one.labels) >= frozenset()
