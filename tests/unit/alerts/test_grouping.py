"""Which changes people hear of, and together with which."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.routing import planning
from alerts.routing.planning import Situation
from alerts.routing.subscriptions import EVERYTHING, subscription_of
from alerts.telling import stretches
from storage.incidents import IncidentRow
from storage.notifications import Channel
from storage.tellings import Telling
from tests.support.timelines import row

KEY: tuple[Channel, str] = ("webhook", "desk")
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def incident(number: int, labels: dict[str, str] | None = None, *, minutes: int = 0, **changes: Any) -> IncidentRow:
    at = NOON + timedelta(minutes=minutes)
    begun = row(number, at, labels or {}, "warning")
    return replace(begun, **{"opened_at": None, **changes})


def plan(
    incidents: list[IncidentRow], *, opened: tuple[int, ...] = (), grew: bool = False
) -> list[tuple[str, list[int]]]:
    """What one receiver is told; `told` of an incident is what everybody was."""
    known = {i.id: {KEY: telling(i, grew=grew)} for i in incidents if i.told}
    made = planning.plan(*KEY, Situation(incidents, known, [EVERYTHING], [], opened, NOON + timedelta(hours=1)))
    return [(m.status, [i.id for i in m.members]) for m in made.messages]


def telling(incident: IncidentRow, *, grew: bool) -> Telling:
    score = incident.notified_score - (1 if grew else 0)
    return Telling(incident.id, *KEY, incident.told, NOON, NOON, score)


def test_one_surge_in_three_series_is_one_message_led_by_the_most_specific() -> None:
    """Everything, a topic and a source rise from the same documents: people get one message."""
    three = [
        incident(1),
        incident(2, {"topic": "automobile"}, score=9.0),
        incident(3, {"source": "weibo"}, minutes=5),
    ]
    assert plan(three, opened=(1, 2, 3)) == [("firing", [2, 3, 1])]


def test_two_topics_are_two_surges() -> None:
    """Different values of the same label share no document."""
    two = [incident(1, {"topic": "automobile"}), incident(2, {"topic": "sports"})]
    assert len(plan(two, opened=(1, 2))) == 2


def test_a_part_that_follows_what_was_told_joins_silently() -> None:
    """The topic crosses its threshold a few minutes after the whole: no second message."""
    assert plan([incident(1, told="firing"), incident(2, {"topic": "sports"}, minutes=10)], opened=(2,)) == []


def test_a_worse_part_is_told_all_the_same() -> None:
    """Higher severity than what was told is news."""
    rows = [incident(1, told="firing"), incident(2, {"topic": "sports"}, minutes=10, severity="critical")]
    assert plan(rows, opened=(2,)) == [("firing", [2])]


def test_hours_later_is_another_surge() -> None:
    """What begins long after is not the same, though the first still goes on."""
    rows = [incident(1, told="firing"), incident(2, {"topic": "sports"}, minutes=300)]
    assert plan(rows, opened=(2,)) == [("firing", [2])]


def test_escalation_is_always_told() -> None:
    """Ten times rarer than what was told."""
    assert plan([incident(1, told="firing")], grew=True) == [("firing", [1])]


def test_the_end_is_told_once_when_the_last_part_has_ended() -> None:
    """The topic is calm, the whole is not: wait."""
    topic = incident(2, {"topic": "sports"}, status="resolved", told="firing")
    assert plan([incident(1, told="firing"), topic]) == []
    whole = incident(1, told="firing", status="resolved")
    assert plan([whole, topic]) == [("resolved", [2, 1])]


def test_what_was_never_told_ends_silently() -> None:
    """No news of the end of something nobody heard of."""
    assert plan([incident(1, status="resolved")]) == []


def test_a_surge_that_is_over_when_found_is_told_with_its_end() -> None:
    """A backlog shows both its beginning and its end, in order."""
    rows = [incident(1, status="resolved")]
    assert plan(rows, opened=(1,)) == [("firing", [1]), ("resolved", [1])]


def test_reopening_without_growth_is_silent() -> None:
    """Flapping does not ring again."""
    assert plan([incident(1, told="resolved")]) == []


def test_a_scheduler_of_the_version_before_has_told_everybody() -> None:
    """Of what it left only the history says so: the beginning is not told again, and the end is."""
    at = NOON + timedelta(hours=1)
    for status, expected in (("firing", []), ("resolved", ["resolved"])):
        rows = [incident(1, told="firing", status=status)]
        made = planning.plan(*KEY, Situation(rows, {}, [EVERYTHING], [], (), at))
        assert [message.status for message in made.messages] == expected


def test_an_outage_of_all_explains_the_silence_of_one() -> None:
    """While it fires nobody hears of single sources."""
    outage = incident(1, {"alertname": "SourceOutage", "rule": "source-health"}, told="firing")
    silent = incident(2, {"alertname": "SourceSilence", "rule": "source-health", "source": "weibo"}, minutes=90)
    assert plan([outage, silent], opened=(2,)) == []
    assert plan([incident(1, outage.labels, told="resolved", status="resolved"), silent]) == [("firing", [2])]


def test_labels_may_group_what_is_not_related() -> None:
    """Two topics of one watchlist come as one message if a subscription says so."""
    two = [
        incident(1, {"topic": "automobile", "watchlist": "acme"}),
        incident(2, {"topic": "sports", "watchlist": "acme"}),
        incident(3, {"topic": "sports", "watchlist": "other"}),
    ]
    grouped = subscription_of("s", {"who": ["*"], "wait": "0", "group_by": ["watchlist"]})
    made = planning.plan(*KEY, Situation(two, {}, [grouped], [], (1, 2, 3), NOON))
    assert sorted(sorted(i.id for i in m.members) for m in made.messages) == [[1, 2], [3]]


def test_hundreds_of_incidents_at_once_are_planned_in_time() -> None:
    """What grows with the square of the incidents must not hold up the scheduler; 400 take less than a second."""
    many = [incident(n, {"topic": f"t{n}"}) for n in range(400)]
    started = time.process_time()
    made = planning.plan(*KEY, Situation(many, {}, [EVERYTHING], [], range(400), NOON))
    assert len(made.messages) == 400
    assert time.process_time() - started < 20


def test_neighbours_are_looked_for_around_each_incident() -> None:
    """One that has fired for weeks adds two hours to what is read, and not the weeks."""
    weeks = NOON - timedelta(days=30)
    hour = timedelta(hours=1)
    assert stretches([NOON, weeks, NOON + hour]) == [(weeks - hour, weeks + hour), (NOON - hour, NOON + 2 * hour)]


def test_a_whole_with_two_parts_is_one_message() -> None:
    """Two topics surge and everything with them: it speaks for both, though they share no document."""
    three = [
        incident(1, observed=80.0),
        incident(2, {"topic": "automobile"}, score=9.0),
        incident(3, {"topic": "sports"}),
    ]
    assert plan(three, opened=(1, 2, 3)) == [("firing", [1, 2, 3])]
