"""Which changes people hear of, and together with which."""

from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.grouping import is_silenced, plan_messages
from alerts.lifecycle import Transition
from storage.incidents import IncidentRow, SilenceRow

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def incident(number: int, labels: dict[str, str] | None = None, *, minutes: int = 0, **changes: Any) -> IncidentRow:
    at = NOON + timedelta(minutes=minutes)
    values: dict[str, Any] = {
        "id": number,
        "fingerprint": f"{number:016x}",
        "rule": "overall",
        "labels": {"alertname": "NegativeSurge", "rule": "overall", **(labels or {})},
        "severity": "warning",
        "status": "firing",
        "starts_at": at,
        "ends_at": None,
        "detected_at": at,
        "last_fired_at": at,
        "observed": 40.0,
        "expected": 5.0,
        "score": 8.0,
        "notified_score": 8.0,
        "annotations": {},
        "acknowledged_at": None,
        "acknowledged_by": None,
        "told": None,
    }
    return IncidentRow(**(values | changes))


def plan(incidents: list[IncidentRow], **changes: set[Transition]) -> list[tuple[str, list[int]]]:
    by_id = {int(name.removeprefix("of_")): transitions for name, transitions in changes.items()}
    return [(m.status, [i.id for i in m.members]) for m in plan_messages(incidents, by_id)]


def test_one_surge_in_three_series_is_one_message_led_by_the_most_specific() -> None:
    """Everything, a topic and a source rise from the same documents: people get one message."""
    three = [
        incident(1),
        incident(2, {"topic": "automobile"}, score=9.0),
        incident(3, {"source": "weibo"}, minutes=5),
    ]
    assert plan(three, of_1={"opened"}, of_2={"opened"}, of_3={"opened"}) == [("firing", [2, 3, 1])]


def test_two_topics_are_two_surges() -> None:
    """Different values of the same label share no document."""
    two = [incident(1, {"topic": "automobile"}), incident(2, {"topic": "sports"})]
    assert len(plan(two, of_1={"opened"}, of_2={"opened"})) == 2


def test_a_part_that_follows_what_was_told_joins_silently() -> None:
    """The topic crosses its threshold a few minutes after the whole: no second message."""
    assert plan([incident(1, told="firing"), incident(2, {"topic": "sports"}, minutes=10)], of_2={"opened"}) == []


def test_a_worse_part_is_told_all_the_same() -> None:
    """Higher severity than what was told is news."""
    rows = [incident(1, told="firing"), incident(2, {"topic": "sports"}, minutes=10, severity="critical")]
    assert plan(rows, of_2={"opened"}) == [("firing", [2])]


def test_hours_later_is_another_surge() -> None:
    """What begins long after is not the same, though the first still goes on."""
    rows = [incident(1, told="firing"), incident(2, {"topic": "sports"}, minutes=300)]
    assert plan(rows, of_2={"opened"}) == [("firing", [2])]


def test_escalation_is_always_told() -> None:
    """Ten times rarer than what was told."""
    assert plan([incident(1, told="firing")], of_1={"escalated"}) == [("firing", [1])]


def test_the_end_is_told_once_when_the_last_part_has_ended() -> None:
    """The topic is calm, the whole is not: wait."""
    topic = incident(2, {"topic": "sports"}, status="resolved", told="firing")
    assert plan([incident(1, told="firing"), topic], of_2={"resolved"}) == []
    whole = incident(1, told="firing", status="resolved")
    assert plan([whole, topic], of_1={"resolved"}) == [("resolved", [2, 1])]


def test_what_was_never_told_ends_silently() -> None:
    """No news of the end of something nobody heard of."""
    assert plan([incident(1, status="resolved")], of_1={"resolved"}) == []


def test_a_surge_that_is_over_when_found_is_told_with_its_end() -> None:
    """A backlog shows both its beginning and its end, in order."""
    rows = [incident(1, status="resolved")]
    assert plan(rows, of_1={"opened", "resolved"}) == [("firing", [1]), ("resolved", [1])]


def test_reopening_without_growth_is_silent() -> None:
    """Flapping does not ring again."""
    assert plan([incident(1, told="resolved")], of_1={"reopened"}) == []


def test_silences_need_every_matcher() -> None:
    """All labels must be equal; an unknown label never matches."""
    silence = SilenceRow(1, {"topic": "sports", "source": "weibo"}, NOON, NOON, "me", "")
    assert is_silenced({"topic": "sports", "source": "weibo", "rule": "x"}, [silence])
    assert not is_silenced({"topic": "sports"}, [silence])


def test_a_whole_with_two_parts_is_one_message() -> None:
    """Two topics surge and everything with them: it speaks for both, though they share no document."""
    three = [
        incident(1, observed=80.0),
        incident(2, {"topic": "automobile"}, score=9.0),
        incident(3, {"topic": "sports"}),
    ]
    assert plan(three, of_1={"opened"}, of_2={"opened"}, of_3={"opened"}) == [("firing", [1, 2, 3])]
